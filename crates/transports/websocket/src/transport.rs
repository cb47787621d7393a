//! The transport itself: dialling and listening.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use bytes::BytesMut;
use rustls_pki_types::CertificateDer;
use sinew_addr::Multiaddr;
use sinew_core::{ByteStream, DialRequest, Link, Listener, RawConnection, Role, Transport, TransportError};
use sinew_runtime::WriteDeadline;
use sinew_socket::{Accept, TcpDial, TcpSockets};
use tokio_rustls::TlsConnector;

use crate::{
    Certificate, HandshakeError, Security, WsAddr,
    accept::Listening,
    http,
    stream::WebSocketStream,
    tls::{Client, Roots},
};

/// The name of connections over TCP alone.
pub(crate) const WS: &str = "ws";
/// The name of connections over TLS.
pub(crate) const WSS: &str = "wss";

/// Dials and listens over WebSocket. Clones share their listening ports.
#[derive(Clone, Default, Debug)]
pub struct WebSocketTransport {
    sockets: TcpSockets,
    client: Arc<Client>,
    certificate: Option<Certificate>,
}

impl WebSocketTransport {
    /// A WebSocket transport with ports of its own. It dials plain and secure addresses, and listens on plain ones.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A WebSocket transport that listens beside others on the ports of `sockets`.
    #[must_use]
    pub fn sharing(sockets: TcpSockets) -> Self {
        Self {
            sockets,
            ..Self::default()
        }
    }

    /// Listens on secure addresses too, with this certificate.
    #[must_use]
    pub fn with_certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Dials only secure servers that one of `roots` certified. Without this they are those of the platform.
    #[must_use]
    pub fn with_roots(mut self, roots: Vec<CertificateDer<'static>>) -> Self {
        self.client = Arc::new(Client::new(Roots::Own(roots)));
        self
    }

    /// Dials secure servers whoever certified them, for tests. What is sent is then secret to nobody on the path but for
    /// libp2p's own security above.
    #[must_use]
    pub fn with_insecure_any_certificate(mut self) -> Self {
        self.client = Arc::new(Client::new(Roots::InsecureAnybody));
        self
    }

    /// Becomes the client of `to` over bytes that lead there on another way than a TCP connection of this transport:
    /// through a proxy, say. `local` is our end of them.
    ///
    /// # Errors
    /// [`HandshakeError`] with the cause.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn dial_over(
        &self,
        mut io: impl ByteStream,
        local: SocketAddr,
        to: &WsAddr,
    ) -> Result<RawConnection, HandshakeError> {
        let ends = (to.end_at(local), to.addr());
        let Security::Tls(name) = &to.security else {
            let ahead = http::ask(&mut io, to).await?;
            return Ok(link(io, ahead, Role::Dialer, ends).over(WS));
        };
        let name = name.clone().unwrap_or_else(|| to.socket.ip().into());
        let connecting = TlsConnector::from(self.client.config()?).connect(name, io);
        let mut io = connecting.await.map_err(HandshakeError::of_tls)?;
        let ahead = http::ask(&mut io, to).await?;
        Ok(link(io, ahead, Role::Dialer, ends).over(WSS))
    }

    /// Becomes the server at `at` over bytes that were accepted elsewhere. `remote` is their other end.
    ///
    /// # Errors
    /// [`HandshakeError`] with the cause.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn accept_over(
        &self,
        io: impl ByteStream,
        at: WsAddr,
        remote: SocketAddr,
    ) -> Result<RawConnection, HandshakeError> {
        let local = at.socket;
        let listening = Listening::new(at, self.certificate.as_ref())?;
        listening.finish_over(io, local, remote).await
    }
}

#[async_trait]
impl Transport for WebSocketTransport {
    fn name(&self) -> &'static str {
        WS
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        WsAddr::read(addr).is_some()
    }

    async fn dial(&self, addr: &Multiaddr, _: DialRequest) -> Result<Link, TransportError> {
        let reachable = |to: &WsAddr| to.socket.port() != 0 && !to.socket.ip().is_unspecified();
        let to = WsAddr::read(addr).filter(reachable);
        let to = to.ok_or_else(|| TransportError::Unsupported(addr.clone()))?;
        // A port is not shared with a listener: who punches holes does so over plain TCP.
        let stream = TcpDial::Fresh.connect(to.socket).await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok(Link::Raw(
            self.dial_over(WriteDeadline::new(stream), local, &to).await?,
        ))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let at = WsAddr::read(addr).ok_or_else(|| TransportError::Unsupported(addr.clone()))?;
        let socket = at.socket;
        let accept: Arc<dyn Accept> = Arc::new(Listening::new(at, self.certificate.as_ref())?);
        self.sockets.listen(socket, &accept)
    }
}

/// The connection over `io`, from which `ahead` was read already. `ends` are our address and the remote's.
pub(crate) fn link(
    io: impl ByteStream,
    ahead: BytesMut,
    role: Role,
    ends: (Multiaddr, Multiaddr),
) -> RawConnection {
    let (local, remote) = ends;
    RawConnection::new(Box::new(WebSocketStream::new(io, role, ahead)), local, remote)
}
