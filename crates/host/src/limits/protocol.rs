//! The streams of one protocol, over all peers.

use super::{
    meter::Meter,
    refusals::{Refused, Scope},
    scopes::Member,
    system::Gauge,
};
use sinew_core::ScopeKind;
use sinew_identity::PeerId;
use sinew_machine::{Direction, ProtocolId};
use std::{fmt, sync::Arc};

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

/// A protocol, or one peer's part of it.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) protocol: &'a ProtocolId,
    pub(crate) peer: Option<&'a PeerId>,
}

impl Name<'_> {
    /// Whether there is room for one more inbound stream beside `used`.
    pub(crate) fn has_room(&self, used: u64, limit: u64) -> Result<(), Refused> {
        Refused::unless_fits(self, Meter::Streams(Direction::Inbound), 1, used, limit)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "protocol {}", self.protocol)?;
        match self.peer {
            Some(peer) => write!(f, " of peer {peer}"),
            None => Ok(()),
        }
    }
}

impl Scope for Name<'_> {
    fn kind(&self) -> ScopeKind {
        ScopeKind::Protocol
    }
}
