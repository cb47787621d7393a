//! The addresses of this node: how others see it, what is confirmed, and what it tells of itself.

use crate::{machine::observed::Observations, shared::Shared};
use multiaddr::Multiaddr;
use sinew_core::{AnnouncedAddrs, ConfirmedAddrs, ConnectionInfo, ObservedAddrs};
use sinew_machine::ConnectionId;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Addresses that a service has judged; the oldest verdict goes first.
const MAX_VERDICTS: usize = 64;

/// What is known of how this node is reached.
#[derive(Default)]
pub(crate) struct Addresses {
    observations: Mutex<Observations>,
    /// Whether a service has found each address reachable, oldest first.
    verdicts: Mutex<VecDeque<(Multiaddr, bool)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Addresses {
    /// Takes in what the remote of a connection says.
    pub(crate) fn observe(shared: &Shared, connection: &ConnectionInfo, said: &Multiaddr) {
        let listen = shared.listen_addrs();
        let mut changed = lock(&shared.addresses.observations).add(connection, said, &listen);
        // What ended meanwhile has taken its word back already.
        if shared.table.find(&connection.peer, connection.id).is_none() {
            changed |= lock(&shared.addresses.observations).remove(connection.id);
        }
        if changed {
            Self::publish(shared);
        }
    }

    /// Forgets what the remote of a connection said.
    pub(crate) fn forget(shared: &Shared, connection: ConnectionId) {
        if lock(&shared.addresses.observations).remove(connection) {
            Self::publish(shared);
        }
    }

    /// Takes in what a service found out by having an address dialled.
    pub(crate) fn judge(shared: &Shared, addr: Multiaddr, reachable: bool) {
        let mut verdicts = lock(&shared.addresses.verdicts);
        verdicts.retain(|(known, _)| *known != addr);
        if verdicts.len() == MAX_VERDICTS {
            verdicts.pop_front();
        }
        verdicts.push_back((addr, reachable));
        drop(verdicts);
        Self::publish(shared);
    }

    /// Tells what has changed. Each is looked up while its fact is held: of two changes at once, the newer is told
    /// last.
    pub(crate) fn publish(shared: &Shared) {
        let this = &shared.addresses;
        shared.bus.update(|ObservedAddrs(known)| {
            let now = lock(&this.observations).candidates(&shared.listen_addrs());
            replace(known, now)
        });
        shared
            .bus
            .update(|ConfirmedAddrs(known)| replace(known, this.confirmed(&shared.listen_addrs())));
        shared.bus.update(|AnnouncedAddrs(known)| {
            let listen = shared.listen_addrs();
            let announcing = &shared.parts().announcing;
            replace(known, announcing.choose(&listen, &this.confirmed(&listen)))
        });
    }

    /// What observers agree on or a service has found reachable, less what a service has found unreachable.
    fn confirmed(&self, listen: &[Multiaddr]) -> Vec<Multiaddr> {
        let verdicts = lock(&self.verdicts);
        let mut confirmed = lock(&self.observations).confirmed(listen);
        confirmed.retain(|addr| !verdicts.contains(&(addr.clone(), false)));
        for (addr, _) in verdicts.iter().filter(|(_, reachable)| *reachable) {
            if !confirmed.contains(addr) {
                confirmed.push(addr.clone());
            }
        }
        confirmed
    }
}

fn replace(known: &mut Arc<[Multiaddr]>, now: Vec<Multiaddr>) -> bool {
    let changed = **known != now[..];
    *known = now.into();
    changed
}
