//! The streams of one protocol, over all peers.

use super::{scopes::Member, system::Gauge};
use sinew_machine::{Direction, ProtocolId};
use std::sync::Arc;

/// The scope of a protocol.
#[derive(Default, Debug)]
pub(crate) struct Protocol {
    inbound: Gauge,
    outbound: Gauge,
}

/// A protocol's scope that somebody holds.
pub(crate) type ProtocolScope = Arc<Member<ProtocolId, Protocol>>;

impl Protocol {
    /// The streams in one direction.
    pub(crate) fn streams(&self, direction: Direction) -> &Gauge {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}
