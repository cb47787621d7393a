//! The transport itself: dialling and listening.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use sinew_core::{
    DialRequest, Link, Listener, Multiaddr, Purpose, Role, SecurityError, Transport, TransportError,
};
use sinew_socket::quic_addr;
use sinew_tls::{Certificate, Verifier};

use crate::{
    Config,
    endpoint::{Endpoints, Net, System},
    error,
    handshake::Handshakes,
    listener::Listen,
    punch::Punch,
    runtime::Turns,
};

/// What a dialler names the other side, which no libp2p node looks at and which is never sent.
const SERVER_NAME: &str = "libp2p";

/// Dials and listens over QUIC. Clones share their sockets.
#[derive(Clone, Debug)]
pub struct QuicTransport {
    endpoints: Arc<Endpoints>,
    handshakes: Arc<Handshakes>,
}

impl QuicTransport {
    /// A QUIC transport of the node that `certificate` proves.
    #[must_use]
    pub fn new(certificate: Certificate, config: Config) -> Self {
        Self::over(System, certificate, config)
    }

    pub(crate) fn over(net: impl Net, certificate: Certificate, config: Config) -> Self {
        let endpoints = Endpoints::new(net);
        let handshakes = Handshakes::new(certificate, config, endpoints.tasks.clone());
        Self {
            endpoints,
            handshakes: Arc::new(handshakes),
        }
    }

    /// spec: dcutr, The Protocol: over QUIC this side sends datagrams of no meaning, and takes the connection that comes.
    async fn punch(&self, remote: SocketAddr, request: DialRequest) -> Result<Link, TransportError> {
        let socket = self.endpoints.for_punch(remote).ok_or_else(error::deaf)?;
        let mut punch = Punch::new(&socket, remote);
        loop {
            let incoming = punch.arrival().await;
            let local = socket.local_of(&incoming);
            let accepting =
                self.handshakes
                    .accept(incoming, request.expected, (local, request.scope.clone()));
            match accepting.await {
                // Whoever only wrote the address on a packet has come no further.
                Err(error) if !matches!(error, TransportError::Security(SecurityError::WrongPeer { .. })) => {
                    tracing::debug!(%remote, %error, "not who was expected through a hole");
                }
                outcome => return outcome,
            }
        }
    }

    /// How many sockets and connections there are, and handshakes that are being forgotten.
    #[cfg(test)]
    pub(crate) fn tasks(&self) -> usize {
        self.endpoints.tasks.alive()
    }
}

#[async_trait]
impl Transport for QuicTransport {
    fn name(&self) -> &'static str {
        "quic"
    }

    fn is_secure(&self) -> bool {
        true
    }

    /// Addresses of the draft version are handled too, so that their error says what is wrong with them.
    fn handles(&self, addr: &Multiaddr) -> bool {
        quic_addr(addr).is_some() || is_draft(addr)
    }

    /// Connections share sockets; the one of a probe is charged when it is opened.
    fn descriptors(&self) -> u64 {
        0
    }

    async fn dial(&self, addr: &Multiaddr, request: DialRequest) -> Result<Link, TransportError> {
        let remote = socket_addr(addr)?;
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return Err(TransportError::Unsupported(addr.clone()));
        }
        if request.purpose == Purpose::Punch(Role::Listener) {
            return self.punch(remote, request).await;
        }
        let socket = self.endpoints.for_dial(remote, &request)?;
        let local = socket.local_towards(remote)?;
        let verifier = Verifier::new(request.expected);
        let config = self.handshakes.client(verifier.clone());
        let begin = || socket.endpoint.connect_with(config, remote, SERVER_NAME);
        let (connecting, turns) = Turns::of(begin);
        let connecting = connecting.map_err(error::not_begun)?;
        let connection = connecting
            .await
            .map_err(|error| error::handshake(error, &verifier))?;
        self.handshakes
            .finished((connection, turns), local, request.scope)
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let local = socket_addr(addr)?;
        let listening = self.endpoints.listen(local, self.handshakes.listening())?;
        Ok(Box::new(Listen::new(listening, self.handshakes.clone())?))
    }
}

fn socket_addr(addr: &Multiaddr) -> Result<SocketAddr, TransportError> {
    match quic_addr(addr) {
        Some(socket) => Ok(socket),
        None if is_draft(addr) => Err(error::draft()),
        None => Err(TransportError::Unsupported(addr.clone())),
    }
}

fn is_draft(addr: &Multiaddr) -> bool {
    sinew_addr::transport(addr) == Some(sinew_addr::Transport::QuicDraft29)
}
