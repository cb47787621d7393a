//! What one peer uses, over all of its connections.

use super::{
    meter::{Amounts, Meter},
    refusals::Refused,
    scopes::Member,
    whose::Whose,
};
use crate::config::Limits;
use sinew_identity::PeerId;
use sinew_machine::{Direction, ProtocolId};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The scope of a peer.
#[derive(Default, Debug)]
pub(crate) struct Peer(Mutex<Used>);

/// A peer's scope that somebody holds.
pub(crate) type PeerScope = Arc<Member<PeerId, Peer>>;

/// What a peer uses.
#[derive(Default, Debug)]
pub(crate) struct Used {
    pub(crate) amounts: Amounts,
    /// Inbound streams by protocol.
    pub(crate) protocols: BTreeMap<ProtocolId, u64>,
}

impl Peer {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    /// Whether the peer may have `asked` more.
    pub(crate) fn has_room(
        &self,
        peer: &PeerId,
        meter: Meter,
        asked: u64,
        limits: &Limits,
    ) -> Result<(), Refused> {
        let used = match meter {
            // Limited together: a peer that is dialled and dials has as many as one that only dials.
            Meter::Connections(_) => {
                self.amounts[Meter::Connections(Direction::Inbound)]
                    + self.amounts[Meter::Connections(Direction::Outbound)]
            }
            meter => self.amounts[meter],
        };
        Refused::unless_fits(|| Whose::Peer(*peer), meter, asked, used, limit(limits, meter))
    }

    /// Whether the peer may have `asked` more of the memory, of which `all` is used: four fifths of what others leave.
    ///
    /// One alone gets four fifths, twenty get four eighty-firsts each, and whoever comes always finds something.
    pub(crate) fn keeps_to_share(
        &self,
        peer: &PeerId,
        asked: u64,
        all: u64,
        limits: &Limits,
    ) -> Result<(), Refused> {
        let used = self.amounts[Meter::Memory];
        let others = all.saturating_sub(used);
        let share = limits.memory.saturating_sub(others) / 5 * 4;
        Refused::unless_fits(|| Whose::Peer(*peer), Meter::Memory, asked, used, share)
    }
}

fn limit(limits: &Limits, meter: Meter) -> u64 {
    match meter {
        Meter::Connections(_) => limits.connections_per_peer as u64,
        Meter::Streams(Direction::Inbound) => limits.inbound_streams_per_peer as u64,
        Meter::Memory => limits.memory_per_peer,
        Meter::Streams(Direction::Outbound) | Meter::Descriptors => u64::MAX,
    }
}
