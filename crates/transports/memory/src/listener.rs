//! The listening end: connections arrive through a bounded channel.

use std::{io, sync::Arc};

use async_trait::async_trait;
use sinew_core::{
    Incoming, Link, Listener, ListenerEvent, Multiaddr, RawConnection, Refusal, ResourceScope, TransportError,
};
use sinew_runtime::WriteDeadline;
use tokio::{io::DuplexStream, sync::mpsc};

use crate::{addr, registry::Claim};

/// A connection that knocks.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) io: DuplexStream,
    pub(crate) local: Multiaddr,
    pub(crate) remote: Multiaddr,
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
        Ok(Link::Raw(RawConnection::new(
            Box::new(WriteDeadline::new(self.io)),
            self.local,
            self.remote,
        )))
    }

    fn refuse(self: Box<Self>, _: Refusal) {}
}

/// A number that is listened on.
#[derive(Debug)]
pub(crate) struct MemoryListener {
    arrivals: mpsc::Receiver<Arrival>,
    claim: Claim,
}

impl MemoryListener {
    pub(crate) fn new(number: u64) -> io::Result<Self> {
        let (claim, arrivals) = Claim::new(number).ok_or(io::ErrorKind::AddrInUse)?;
        Ok(Self { arrivals, claim })
    }
}

#[async_trait]
impl Listener for MemoryListener {
    fn addresses(&self) -> Vec<Multiaddr> {
        vec![addr::addr(self.claim.number())]
    }

    async fn next(&mut self) -> ListenerEvent {
        match self.arrivals.recv().await {
            Some(arrival) => ListenerEvent::Incoming(Box::new(arrival)),
            None => ListenerEvent::Closed(io::Error::from(io::ErrorKind::NotConnected).into()),
        }
    }
}
