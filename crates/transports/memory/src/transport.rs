//! The transport itself: dialling is handing one end of a pipe to the listener.

use std::io;

use async_trait::async_trait;
use sinew_core::{DialRequest, Link, Listener, Multiaddr, RawConnection, Transport, TransportError};
use sinew_runtime::WriteDeadline;

use crate::{
    addr,
    listener::{Arrival, MemoryListener},
    registry,
};

/// Bytes that one direction of a connection holds before its writer waits: a quarter of a yamux window, so that
/// back-pressure shows early in tests.
const BUFFER: usize = 64 * 1024;

/// Dials and listens on `/memory/<number>` inside this process. All values of this type share one space of numbers.
#[derive(Clone, Copy, Default, Debug)]
#[non_exhaustive]
pub struct MemoryTransport {}

impl MemoryTransport {
    /// A memory transport.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn descriptors(&self) -> u64 {
        0
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        addr::number(addr).is_some()
    }

    async fn dial(&self, addr: &Multiaddr, _: DialRequest) -> Result<Link, TransportError> {
        let number = number(addr)?;
        let refused = io::ErrorKind::ConnectionRefused;
        let listener = registry::find(number).ok_or(io::Error::from(refused))?;
        let place = listener.reserve().await.map_err(|_| io::Error::from(refused))?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let (local, remote) = (addr::addr(registry::fresh()), addr::addr(number));
        place.send(Arrival {
            io: theirs,
            local: remote.clone(),
            remote: local.clone(),
        });
        Ok(Link::Raw(RawConnection::new(
            Box::new(WriteDeadline::new(ours)),
            local,
            remote,
        )))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        Ok(Box::new(MemoryListener::new(number(addr)?)?))
    }
}

fn number(addr: &Multiaddr) -> Result<u64, TransportError> {
    addr::number(addr).ok_or_else(|| TransportError::Unsupported(addr.clone()))
}
