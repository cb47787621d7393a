//! The transport itself: dialling from a shared or a fresh port, and listening.

use std::{io, net::SocketAddr};

use async_trait::async_trait;
use sinew_core::{DialRequest, Link, Listener, Multiaddr, Purpose, RawConnection, Transport, TransportError};
use sinew_socket::{TcpDial, tcp_addr, tcp_multiaddr};
use tokio::net::TcpStream;

use crate::{listener::Listen, ports::Ports};

/// Dials and listens over TCP. Clones share their listening ports.
#[derive(Clone, Default, Debug)]
pub struct TcpTransport {
    ports: Ports,
}

impl TcpTransport {
    /// A TCP transport.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        let stream = connect(remote, self.ports.for_dial(remote), request.purpose).await?;
        stream.set_nodelay(true)?;
        let local = tcp_multiaddr(stream.local_addr()?);
        Ok(Link::Raw(RawConnection::new(
            Box::new(stream),
            local,
            tcp_multiaddr(remote),
        )))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let local = tcp_addr(addr).ok_or_else(|| TransportError::Unsupported(addr.clone()))?;
        Ok(Box::new(Listen::new(local, &self.ports)?))
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
