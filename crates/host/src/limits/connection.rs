//! What one connection uses: the system's until its peer is known, and the peer's from then on.

use super::{
    meter::{Amounts, Meter},
    peer::PeerScope,
    refusals::{Limit, Refused},
    stream::StreamPlace,
    system::System,
    whose::Whose,
};
use crate::config::Limits;
use sinew_core::{LimitExceeded, Resource, ResourceScope};
use sinew_identity::PeerId;
use sinew_machine::{ConnectionId, Direction};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// The scope of a connection.
#[derive(Debug)]
pub(crate) struct ConnectionScope {
    pub(super) system: Arc<System>,
    state: Mutex<State>,
    /// What lies unread, as it was last told.
    unread: AtomicU64,
}

#[derive(Default, Debug)]
pub(super) struct State {
    used: Amounts,
    known: Option<Known>,
}

/// What a pending connection does not have.
#[derive(Debug)]
pub(super) struct Known {
    id: ConnectionId,
    pub(super) peer: PeerScope,
}

impl Known {
    fn whose(known: Option<&Self>) -> Whose {
        Whose::Connection(known.map(|known| (known.id, known.peer.key)))
    }
}

impl ConnectionScope {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of a stream.
    pub(crate) fn stream(self: &Arc<Self>, direction: Direction) -> Result<StreamPlace, LimitExceeded> {
        self.take(Meter::Streams(direction), 1)?;
        Ok(StreamPlace::new(self.clone(), direction))
    }

    pub(super) fn take(&self, meter: Meter, amount: u64) -> Result<(), LimitExceeded> {
        self.system.attempt(|force| self.try_take(meter, amount, force))
    }

    /// Charges the connection, its peer and the system; none of them if one refuses.
    fn try_take(&self, meter: Meter, amount: u64, force: bool) -> Result<(), Refused> {
        let limits = &self.system.limits;
        let mut state = self.lock();
        let State { used, known } = &mut *state;
        if !force {
            Refused::unless_fits(
                || Known::whose(known.as_ref()),
                meter,
                amount,
                used[meter],
                limit(limits, meter),
            )?;
        }
        let Some(known) = known else {
            self.system.add(meter, amount, 0, force)?;
            used[meter] += amount;
            return Ok(());
        };
        let mut peer = known.peer.lock();
        if !force {
            peer.has_room(&known.peer.key, meter, amount, limits)?;
        }
        if !force && meter == Meter::Memory {
            let all = self.system.used(meter);
            peer.keeps_to_share(&known.peer.key, amount, all, limits)?;
        }
        let streams = peer.amounts[Meter::Streams(Direction::Inbound)];
        self.system.add(meter, amount, streams, force)?;
        used[meter] += amount;
        peer.amounts[meter] += amount;
        Ok(())
    }

    pub(super) fn give_back(&self, meter: Meter, amount: u64) {
        let mut state = self.lock();
        state.used[meter] -= amount;
        if let Some(known) = &state.known {
            known.peer.lock().amounts[meter] -= amount;
        }
        self.system.subtract(meter, amount);
    }

    /// Takes a place among the established connections, and counts all that the connection holds as its peer's too.
    fn try_establish(
        &self,
        id: ConnectionId,
        peer: &PeerId,
        direction: Direction,
        force: bool,
    ) -> Result<(), Refused> {
        let scope = self.system.peers.of(peer);
        let mut state = self.lock();
        debug_assert!(state.known.is_none(), "a connection is established once");
        let place = Meter::Connections(direction);
        let mut joining = state.used;
        joining[place] += 1;
        let mut used = scope.lock();
        for meter in Meter::ALL {
            if joining[meter] > 0 && !force {
                used.has_room(peer, meter, joining[meter], &self.system.limits)?;
            }
        }
        self.system.add(place, 1, 0, force)?;
        for meter in Meter::ALL {
            used.amounts[meter] += joining[meter];
        }
        drop(used);
        state.used = joining;
        state.known = Some(Known { id, peer: scope });
        Ok(())
    }
}

impl State {
    /// The peer, once it is known.
    pub(super) fn peer(&self) -> Option<&PeerScope> {
        self.known.as_ref().map(|known| &known.peer)
    }
}

impl ResourceScope for ConnectionScope {
    /// Connections and streams are the host's to count.
    fn charge(&self, resource: Resource, amount: u64) -> Result<(), LimitExceeded> {
        match meter(resource) {
            Some(meter) => self.take(meter, amount),
            None => Ok(()),
        }
    }

    fn release(&self, resource: Resource, amount: u64) {
        if let Some(meter) = meter(resource) {
            self.give_back(meter, amount);
        }
    }

    fn note_unread(&self, bytes: u64) -> u64 {
        let before = self.unread.swap(bytes, Ordering::Relaxed);
        let share = self.system.unread.change(before, bytes);
        if bytes > share && bytes > before {
            let state = self.lock();
            let whose = Known::whose(state.known.as_ref());
            drop(state);
            let (kind, limit) = (whose.kind(), Limit(Resource::Unread.name(), whose));
            let error = LimitExceeded::new(limit, Resource::Unread, bytes - before, before, share);
            self.system.note(&Refused { kind, error });
        }
        if self.system.limits.dry_run {
            u64::MAX
        } else {
            share
        }
    }
}

impl Drop for ConnectionScope {
    fn drop(&mut self) {
        let left = self.unread.load(Ordering::Relaxed);
        self.system.unread.change(left, 0);
    }
}

/// What muxers and transports charge by themselves.
fn meter(resource: Resource) -> Option<Meter> {
    match resource {
        Resource::Memory => Some(Meter::Memory),
        Resource::Descriptors => Some(Meter::Descriptors),
        _ => None,
    }
}

fn limit(limits: &Limits, meter: Meter) -> u64 {
    match meter {
        Meter::Streams(Direction::Inbound) => limits.inbound_streams_per_connection as u64,
        Meter::Streams(Direction::Outbound) => limits.outbound_streams_per_connection as u64,
        Meter::Memory => limits.memory_per_connection,
        Meter::Connections(_) | Meter::Descriptors => u64::MAX,
    }
}

/// The place of a connection, pending or established; dropping it frees it. What streams and the muxer hold of the
/// scope comes back as they end, which may be later.
#[derive(Debug)]
pub(crate) struct Place {
    scope: Arc<ConnectionScope>,
    /// Those that are not given back yet.
    descriptors: AtomicU64,
    established: Option<Direction>,
    /// The connection has ended, or made room for another.
    vacated: AtomicBool,
}

impl Place {
    /// The place of a pending connection that takes so many file descriptors.
    pub(crate) fn pending(system: &Arc<System>, descriptors: u64) -> Result<Self, LimitExceeded> {
        let scope = Arc::new(ConnectionScope {
            system: system.clone(),
            state: Mutex::default(),
            unread: AtomicU64::new(0),
        });
        scope.take(Meter::Descriptors, descriptors)?;
        Ok(Self {
            scope,
            descriptors: descriptors.into(),
            established: None,
            vacated: AtomicBool::new(false),
        })
    }

    /// The scope of the connection.
    pub(crate) fn scope(&self) -> &Arc<ConnectionScope> {
        &self.scope
    }

    /// The connection has its peer: it becomes an established one, and everything that it holds counts as its
    /// peer's too.
    pub(crate) fn establish(
        &mut self,
        id: ConnectionId,
        peer: &PeerId,
        direction: Direction,
    ) -> Result<(), LimitExceeded> {
        let scope = &self.scope;
        scope
            .system
            .attempt(|force| scope.try_establish(id, peer, direction, force))?;
        self.established = Some(direction);
        Ok(())
    }
}

impl Place {
    /// Frees the place among the established connections at once, however long the rest is held; again does nothing.
    pub(crate) fn vacate(&self) {
        if let Some(direction) = self.established
            && !self.vacated.swap(true, Ordering::AcqRel)
        {
            self.scope.give_back(Meter::Connections(direction), 1);
        }
    }

    /// The connection is gone, and its descriptors with it, whoever still holds a handle of it; again does nothing.
    pub(crate) fn end(&self) {
        self.vacate();
        let descriptors = self.descriptors.swap(0, Ordering::AcqRel);
        self.scope.give_back(Meter::Descriptors, descriptors);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.end();
    }
}
