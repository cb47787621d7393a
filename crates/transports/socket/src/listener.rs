//! The listening end: accepts, survives the errors of accepting, and follows the interfaces.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use sinew_core::{
    Incoming, Link, Listener, ListenerEvent, Multiaddr, Refusal, ResourceScope, TransportError,
};
use sinew_runtime::{now, sleep_until};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    Accept, Accepted, Change, Interfaces,
    pause::Pause,
    sockets::{Part, Served, whose},
};

/// One transport's listener on a socket that others may share. Whichever of them accepts a connection, it is served by
/// the one that it belongs to.
#[derive(Debug)]
pub(crate) struct Listen {
    socket: Arc<TcpListener>,
    served: Arc<Served>,
    accept: Arc<dyn Accept>,
    /// Followed where the socket listens on all of them.
    interfaces: Option<Interfaces>,
    pause: Pause,
    part: Part,
}

impl Listen {
    pub(crate) fn new(
        part: Part,
        socket: Arc<TcpListener>,
        served: Arc<Served>,
        accept: Arc<dyn Accept>,
    ) -> io::Result<Self> {
        let ip = part.addr.ip();
        Ok(Self {
            interfaces: ip.is_unspecified().then(|| Interfaces::new(ip)).transpose()?,
            pause: Pause::default(),
            socket,
            served,
            accept,
            part,
        })
    }

    fn at(&self, ip: IpAddr) -> Multiaddr {
        self.accept.local(SocketAddr::new(ip, self.part.addr.port()))
    }

    fn changed(&self, change: Change) -> ListenerEvent {
        match change {
            Change::Added(ip) => ListenerEvent::AddressAdded(self.at(ip)),
            Change::Removed(ip) => ListenerEvent::AddressRemoved(self.at(ip)),
        }
    }

    fn arrival(&self, accepted: Accepted) -> Arrival {
        Arrival {
            local: self.accept.local(accepted.local),
            remote: self.accept.remote(accepted.remote),
            served: self.served.now(),
            accepted,
        }
    }
}

#[async_trait]
impl Listener for Listen {
    fn addresses(&self) -> Vec<Multiaddr> {
        match &self.interfaces {
            Some(interfaces) => interfaces.addresses().map(|ip| self.at(ip)).collect(),
            None => vec![self.accept.local(self.part.addr)],
        }
    }

    async fn next(&mut self) -> ListenerEvent {
        tokio::select! {
            accepted = accept(&self.socket, &mut self.pause) => match accepted {
                Ok(accepted) => ListenerEvent::Incoming(Box::new(self.arrival(accepted))),
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
async fn accept(socket: &TcpListener, pause: &mut Pause) -> io::Result<Accepted> {
    if let Some(until) = pause.until() {
        sleep_until(until).await;
    }
    loop {
        let gone = match socket.accept().await {
            Ok((stream, remote)) => match accepted(stream, remote) {
                Ok(accepted) => {
                    pause.over();
                    return Ok(accepted);
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

fn accepted(stream: TcpStream, remote: SocketAddr) -> io::Result<Accepted> {
    let local = stream.local_addr()?;
    Ok(Accepted {
        stream,
        local,
        remote,
    })
}

/// An accepted connection. Its addresses are of the transport whose listener accepted it, until it is known whose it is.
#[derive(Debug)]
struct Arrival {
    accepted: Accepted,
    served: Vec<Arc<dyn Accept>>,
    local: Multiaddr,
    remote: Multiaddr,
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
        self.accepted.stream.set_nodelay(true)?;
        let accept = whose(&self.accepted.stream, &self.served).await?;
        accept.finish(self.accepted).await
    }

    fn refuse(self: Box<Self>, _: Refusal) {
        // A reset instead of a farewell: a flood that is turned away leaves no closed sockets behind. The connection
        // ends either way, so an error changes nothing.
        let _ = SockRef::from(&self.accepted.stream).set_linger(Some(Duration::ZERO));
    }
}
