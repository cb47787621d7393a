//! The transport itself: dialling from a shared or a fresh port, and listening.

use std::{io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use sinew_core::{DialRequest, Link, Listener, Multiaddr, Purpose, RawConnection, Transport, TransportError};
use sinew_runtime::WriteDeadline;
use sinew_socket::{Accept, Accepted, Start, TcpDial, TcpSockets, tcp_addr, tcp_multiaddr};
use tokio::net::TcpStream;

/// Dials and listens over TCP. Clones share their listening ports.
#[derive(Clone, Default, Debug)]
pub struct TcpTransport {
    sockets: TcpSockets,
}

impl TcpTransport {
    /// A TCP transport with ports of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A TCP transport that listens beside others on the ports of `sockets`.
    #[must_use]
    pub fn sharing(sockets: TcpSockets) -> Self {
        Self { sockets }
    }
}

#[async_trait]
impl Transport for TcpTransport {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        tcp_addr(addr).is_some()
    }

    async fn dial(&self, addr: &Multiaddr, request: DialRequest) -> Result<Link, TransportError> {
        let reachable = |remote: &SocketAddr| remote.port() != 0 && !remote.ip().is_unspecified();
        let remote = tcp_addr(addr).filter(reachable);
        let remote = remote.ok_or_else(|| TransportError::Unsupported(addr.clone()))?;
        let stream = connect(remote, self.sockets.for_dial(remote), request.purpose).await?;
        stream.set_nodelay(true)?;
        let local = tcp_multiaddr(stream.local_addr()?);
        Ok(Link::Raw(RawConnection::new(
            Box::new(WriteDeadline::new(stream)),
            local,
            tcp_multiaddr(remote),
        )))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let local = tcp_addr(addr).ok_or_else(|| TransportError::Unsupported(addr.clone()))?;
        let accept: Arc<dyn Accept> = Arc::new(Plain);
        self.sockets.listen(local, &accept)
    }
}

/// Connections that are done as soon as they are accepted.
#[derive(Debug)]
struct Plain;

#[async_trait]
impl Accept for Plain {
    fn start(&self) -> Start {
        Start::Multistream
    }

    fn local(&self, addr: SocketAddr) -> Multiaddr {
        tcp_multiaddr(addr)
    }

    fn remote(&self, addr: SocketAddr) -> Multiaddr {
        tcp_multiaddr(addr)
    }

    async fn finish(&self, accepted: Accepted) -> Result<Link, TransportError> {
        let (local, remote) = (self.local(accepted.local), self.remote(accepted.remote));
        let raw = RawConnection::new(Box::new(WriteDeadline::new(accepted.stream)), local, remote);
        Ok(Link::Raw(raw.over("tcp")))
    }
}

/// Connects from the port that the purpose wants. A shared port serves one connection to each remote socket: where
/// there is one already, an ordinary dial takes a fresh port, and a punch, which would be pointless from there, fails.
async fn connect(remote: SocketAddr, shared: Option<SocketAddr>, purpose: Purpose) -> io::Result<TcpStream> {
    let Some(local) = shared.filter(|_| purpose != Purpose::Probe) else {
        return TcpDial::Fresh.connect(remote).await;
    };
    match TcpDial::From(local).connect(remote).await {
        Err(error) if is_taken(&error) && !matches!(purpose, Purpose::Punch(_)) => {
            tracing::debug!(%remote, %local, %error, "the listening port cannot be shared, a fresh one is taken");
            TcpDial::Fresh.connect(remote).await
        }
        connected => connected,
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
}
