//! The listening end: accepts, survives the errors of accepting, and follows the interfaces.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use sinew_core::{
    Incoming, Link, Listener, ListenerEvent, Multiaddr, RawConnection, Refusal, ResourceScope, TransportError,
};
use sinew_runtime::{now, sleep_until};
use sinew_socket::{Change, Interfaces, tcp_multiaddr};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    pause::Pause,
    ports::{Listening, Ports},
};

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) struct Listen {
    socket: TcpListener,
    local: SocketAddr,
    /// Followed where the socket listens on all of them.
    interfaces: Option<Interfaces>,
    pause: Pause,
    _listening: Listening,
}

impl Listen {
    pub(crate) fn new(addr: SocketAddr, ports: &Ports) -> io::Result<Self> {
        let socket = sinew_socket::listen_tcp(addr)?;
        let local = socket.local_addr()?;
        let wildcard = local.ip().is_unspecified();
        Ok(Self {
            interfaces: wildcard.then(|| Interfaces::new(local.ip())).transpose()?,
            pause: Pause::default(),
            _listening: ports.listen(local),
            socket,
            local,
        })
    }

    fn at(&self, ip: IpAddr) -> Multiaddr {
        tcp_multiaddr(SocketAddr::new(ip, self.local.port()))
    }

    fn changed(&self, change: Change) -> ListenerEvent {
        match change {
            Change::Added(ip) => ListenerEvent::AddressAdded(self.at(ip)),
            Change::Removed(ip) => ListenerEvent::AddressRemoved(self.at(ip)),
        }
    }
}

#[async_trait]
impl Listener for Listen {
    fn addresses(&self) -> Vec<Multiaddr> {
        match &self.interfaces {
            Some(interfaces) => interfaces.addresses().map(|ip| self.at(ip)).collect(),
            None => vec![tcp_multiaddr(self.local)],
        }
    }

    async fn next(&mut self) -> ListenerEvent {
        tokio::select! {
            accepted = accept(&self.socket, &mut self.pause) => match accepted {
                Ok(arrival) => ListenerEvent::Incoming(Box::new(arrival)),
                Err(error) => ListenerEvent::Failed(error.into()),
            },
            change = follow(&mut self.interfaces) => self.changed(change),
        }
    }
}

async fn follow(interfaces: &mut Option<Interfaces>) -> Change {
    match interfaces {
        Some(interfaces) => interfaces.changed().await,
        None => std::future::pending().await,
    }
}

/// Accepts the next connection that is still there. Any error is one of this machine, and a pause follows it.
async fn accept(socket: &TcpListener, pause: &mut Pause) -> io::Result<Arrival> {
    if let Some(until) = pause.until() {
        sleep_until(until).await;
    }
    loop {
        let gone = match socket.accept().await {
            Ok((stream, remote)) => match Arrival::new(stream, remote) {
                Ok(arrival) => {
                    pause.over();
                    return Ok(arrival);
                }
                // Some systems have no addresses for a socket that was reset meanwhile.
                Err(error) => error,
            },
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                ) =>
            {
                error
            }
            Err(error) => {
                pause.failed(now());
                return Err(error);
            }
        };
        tracing::debug!(error = %gone, "a connection left before it was accepted");
    }
}

/// An accepted connection.
#[derive(Debug)]
struct Arrival {
    stream: TcpStream,
    local: Multiaddr,
    remote: Multiaddr,
}

impl Arrival {
    fn new(stream: TcpStream, remote: SocketAddr) -> io::Result<Self> {
        let local = tcp_multiaddr(stream.local_addr()?);
        let remote = tcp_multiaddr(remote);
        Ok(Self {
            stream,
            local,
            remote,
        })
    }
}

#[async_trait]
impl Incoming for Arrival {
    fn local(&self) -> &Multiaddr {
        &self.local
    }

    fn remote(&self) -> &Multiaddr {
        &self.remote
    }

    async fn finish(self: Box<Self>, _: Arc<dyn ResourceScope>) -> Result<Link, TransportError> {
        self.stream.set_nodelay(true)?;
        Ok(Link::Raw(RawConnection::new(
            Box::new(self.stream),
            self.local,
            self.remote,
        )))
    }

    fn refuse(self: Box<Self>, _: Refusal) {
        // A reset instead of a farewell: a flood that is turned away leaves no closed sockets behind. The connection
        // ends either way, so an error changes nothing.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}
