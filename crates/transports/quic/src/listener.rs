//! The listening end: hands over who comes, and follows the interfaces.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::{endpoint::Listening, handshake::Handshakes};
use async_trait::async_trait;
use sinew_core::{
    Incoming, Link, Listener, ListenerEvent, Multiaddr, Refusal, ResourceScope, TransportError,
};
use sinew_socket::{Change, Interfaces, quic_multiaddr};
use tokio::task::coop::consume_budget;

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) struct Listen {
    listening: Listening,
    handshakes: Arc<Handshakes>,
    /// Followed where the socket listens on all of them.
    interfaces: Option<Interfaces>,
}

impl Listen {
    pub(crate) fn new(listening: Listening, handshakes: Arc<Handshakes>) -> io::Result<Self> {
        let ip = listening.socket.local.ip();
        let interfaces = ip.is_unspecified().then(|| Interfaces::new(ip)).transpose()?;
        Ok(Self {
            listening,
            handshakes,
            interfaces,
        })
    }

    fn at(&self, ip: IpAddr) -> Multiaddr {
        quic_multiaddr(SocketAddr::new(ip, self.listening.socket.local.port()))
    }

    /// Whoever is not expected through a hole, and has a proof of its address where one is wanted.
    fn admit(&self, incoming: quinn::Incoming) -> Option<quinn::Incoming> {
        let incoming = self.listening.socket.expected.offer(incoming)?;
        if incoming.remote_address_validated() || !self.handshakes.want_proof() {
            return Some(incoming);
        }
        incoming
            .retry()
            .expect("who has not proved its address may be asked to");
        None
    }

    fn arrived(&self, incoming: quinn::Incoming) -> ListenerEvent {
        let local = self.listening.socket.local_of(&incoming);
        ListenerEvent::Incoming(Box::new(Arrival {
            at: local,
            local: quic_multiaddr(local),
            remote: quic_multiaddr(incoming.remote_address()),
            incoming,
            handshakes: self.handshakes.clone(),
        }))
    }
}

#[async_trait]
impl Listener for Listen {
    fn addresses(&self) -> Vec<Multiaddr> {
        match &self.interfaces {
            Some(interfaces) => interfaces.addresses().map(|ip| self.at(ip)).collect(),
            None => vec![quic_multiaddr(self.listening.socket.local)],
        }
    }

    async fn next(&mut self) -> ListenerEvent {
        loop {
            tokio::select! {
                accepted = self.listening.socket.endpoint.accept() => match accepted {
                    Some(incoming) => match self.admit(incoming) {
                        Some(incoming) => return self.arrived(incoming),
                        // In a flood there is always another one.
                        None => consume_budget().await,
                    },
                    None => return ListenerEvent::Closed(io::Error::from(io::ErrorKind::NotConnected).into()),
                },
                change = follow(&mut self.interfaces) => return match change {
                    Change::Added(ip) => ListenerEvent::AddressAdded(self.at(ip)),
                    Change::Removed(ip) => ListenerEvent::AddressRemoved(self.at(ip)),
                },
            }
        }
    }
}

async fn follow(interfaces: &mut Option<Interfaces>) -> Change {
    match interfaces {
        Some(interfaces) => interfaces.changed().await,
        None => std::future::pending().await,
    }
}

/// The first packet of a connection. Nothing was answered yet, and dropping it refuses the connection.
#[derive(Debug)]
struct Arrival {
    incoming: quinn::Incoming,
    at: SocketAddr,
    local: Multiaddr,
    remote: Multiaddr,
    handshakes: Arc<Handshakes>,
}

#[async_trait]
impl Incoming for Arrival {
    fn local(&self) -> &Multiaddr {
        &self.local
    }

    fn remote(&self) -> &Multiaddr {
        &self.remote
    }

    fn is_validated(&self) -> bool {
        self.incoming.remote_address_validated()
    }

    /// A handshake that takes too long is given up; what the remote began is forgotten a few seconds later.
    async fn finish(self: Box<Self>, scope: Arc<dyn ResourceScope>) -> Result<Link, TransportError> {
        let Self {
            incoming,
            at,
            handshakes,
            ..
        } = *self;
        handshakes.accept(incoming, None, (at, scope)).await
    }

    fn refuse(self: Box<Self>, how: Refusal) {
        match how {
            Refusal::Ignore => self.incoming.ignore(),
            Refusal::Retry if self.incoming.may_retry() => {
                self.incoming.retry().expect("it was asked whether it may be");
            }
            _ => self.incoming.refuse(),
        }
    }
}
