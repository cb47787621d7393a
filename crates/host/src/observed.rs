//! Under which addresses others say they see this node: candidates, and no more than that.

use multiaddr::Multiaddr;
use sinew_addr::Scope;
use sinew_core::{ConnectionInfo, ObservedAddrs};
use sinew_machine::ConnectionId;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Distinct candidates that are kept; a liar on each connection cannot make it more.
const MAX_CANDIDATES: usize = 64;

/// What the remote of each connection says.
#[derive(Default)]
pub(crate) struct Observed {
    by_connection: Mutex<BTreeMap<ConnectionId, Multiaddr>>,
}

impl Observed {
    /// Takes in what the remote of `connection` says; tells whether the candidates changed. Relayed and loopback
    /// remotes know nothing of where we are.
    pub(crate) fn add(&self, connection: &ConnectionInfo, addr: Multiaddr) -> bool {
        if connection.limited || sinew_addr::scope(&connection.remote) == Some(Scope::Loopback) {
            return false;
        }
        self.change(|known| {
            let fits = known.len() < MAX_CANDIDATES || known.contains_key(&connection.id);
            if fits {
                known.insert(connection.id, addr);
            }
        })
    }

    /// Forgets what the remote of a connection said.
    pub(crate) fn remove(&self, connection: ConnectionId) -> bool {
        self.change(|known| drop(known.remove(&connection)))
    }

    /// The candidates now.
    pub(crate) fn now(&self) -> ObservedAddrs {
        ObservedAddrs(candidates(&self.lock()).into())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Multiaddr>> {
        self.by_connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<ConnectionId, Multiaddr>)) -> bool {
        let mut known = self.lock();
        let before = candidates(&known);
        change(&mut known);
        before != candidates(&known)
    }
}

fn candidates(known: &BTreeMap<ConnectionId, Multiaddr>) -> Vec<Multiaddr> {
    let mut all: Vec<_> = known.values().cloned().collect();
    all.sort_unstable_by_key(Multiaddr::to_vec);
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::{MAX_CANDIDATES, Observed};
    use multiaddr::Multiaddr;
    use sinew_core::ConnectionInfo;
    use sinew_identity::Keypair;
    use sinew_machine::{ConnectionId, Direction};

    fn connection(id: u64, remote: &str, limited: bool) -> ConnectionInfo {
        let (local, remote) = (
            "/ip4/0.0.0.0".parse().expect("one"),
            remote.parse().expect("another"),
        );
        let key = Keypair::generate().public().clone();
        let mut info = ConnectionInfo::new(ConnectionId(id), key, Direction::Outbound, local, remote);
        info.limited = limited;
        info
    }

    fn addr(port: u16) -> Multiaddr {
        format!("/ip4/9.9.9.9/tcp/{port}").parse().expect("an address")
    }

    #[test]
    fn candidates_come_from_direct_remotes_elsewhere_and_leave_with_them() {
        let observed = Observed::default();
        assert!(!observed.add(&connection(1, "/ip4/127.0.0.1/tcp/1", false), addr(1)));
        assert!(!observed.add(&connection(2, "/ip4/8.8.8.8/tcp/1", true), addr(1)));
        assert!(observed.add(&connection(3, "/ip4/8.8.8.8/tcp/1", false), addr(1)));
        assert_eq!(*observed.now().0, [addr(1)]);
        let again = observed.add(&connection(4, "/ip4/8.8.4.4/tcp/1", false), addr(1));
        assert!(!again, "the same again");
        assert!(!observed.remove(ConnectionId(3)));
        assert!(observed.remove(ConnectionId(4)));
        assert_eq!(*observed.now().0, []);
    }

    #[test]
    fn liars_cannot_grow_the_list() {
        let observed = Observed::default();
        for id in 0..1000u16 {
            observed.add(&connection(id.into(), "/ip4/8.8.8.8/tcp/1", false), addr(id));
        }
        assert_eq!(
            observed.by_connection.lock().expect("one thread").len(),
            MAX_CANDIDATES
        );
    }
}
