//! What is known of peers, in memory.

use crate::{
    PeerstoreBounds,
    peers::{Peer, Peers},
};
use multiaddr::Multiaddr;
use sinew_core::{Learned, Lifetime, PeerInfo, Peerstore};
use sinew_identity::PeerId;
use sinew_machine::{Instant, ProtocolId};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Keeps what is known of peers for as long as the process lives.
#[derive(Default)]
pub struct MemoryPeerstore {
    peers: Mutex<Peers>,
}

impl MemoryPeerstore {
    /// An empty peerstore with bounds of its own.
    #[must_use]
    pub fn new(bounds: PeerstoreBounds) -> Self {
        Self::from(Peers::new(bounds))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody holds the tables.
    #[cfg(all(test, feature = "disk"))]
    pub(crate) fn try_lock(&self) -> bool {
        self.peers.try_lock().is_ok()
    }
}

impl From<Peers> for MemoryPeerstore {
    fn from(peers: Peers) -> Self {
        let peers = Mutex::new(peers);
        Self { peers }
    }
}

impl Peerstore for MemoryPeerstore {
    fn add_addrs(&self, peer: &PeerId, addrs: &[Multiaddr], lifetime: Lifetime, now: Instant) {
        let expires = match lifetime {
            Lifetime::For(duration) => Some(now + duration),
            Lifetime::Permanent => None,
        };
        let mut peers = self.lock();
        let max = peers.bounds().addrs_per_peer;
        let usable = addrs.iter().take(max).filter(|addr| !addr.is_empty());
        peers.touch(peer, |entry| {
            usable.for_each(|addr| entry.add(addr, expires));
            entry.tidy(now, max);
        });
    }

    fn addrs(&self, peer: &PeerId, now: Instant) -> Vec<Multiaddr> {
        let alive = |entry: &Peer| entry.alive(now).map(|(addr, _)| addr.clone()).collect();
        self.lock().get(peer).map(alive).unwrap_or_default()
    }

    fn update(&self, peer: &PeerId, learned: &Learned, _now: Instant) {
        let mut peers = self.lock();
        let bounds = *peers.bounds();
        peers.touch(peer, |entry| entry.learn(learned, &bounds));
    }

    fn info(&self, peer: &PeerId, now: Instant) -> Option<PeerInfo> {
        let addrs = self.addrs(peer, now);
        let peers = self.lock();
        let known = &peers.get(peer)?.known;
        let mut info = PeerInfo::new(*peer);
        info.addrs = addrs;
        info.protocols = known.protocols.clone();
        info.key = known.key.clone();
        info.agent = known.agent.clone();
        info.record = known.record.clone();
        info.latency = known.latency;
        Some(info)
    }

    fn protocols(&self, peer: &PeerId) -> Option<Arc<[ProtocolId]>> {
        self.lock().get(peer)?.known.protocols.clone()
    }

    fn peers(&self) -> Vec<PeerId> {
        self.lock().ids().copied().collect()
    }

    fn set_connected(&self, peer: &PeerId, connected: bool, now: Instant) {
        self.lock().set_connected(peer, connected, now);
    }

    fn remove(&self, peer: &PeerId) {
        self.lock().remove(peer);
    }
}

impl fmt::Debug for MemoryPeerstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPeerstore")
            .field("peers", &self.lock().ids().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{MemoryPeerstore, PeerstoreBounds};
    use multiaddr::Multiaddr;
    use sinew_core::{Learned, Lifetime, Peerstore};
    use sinew_identity::PeerId;
    use sinew_machine::Instant;
    use std::time::Duration;

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn addr(port: u16) -> Multiaddr {
        format!("/ip4/1.2.3.4/tcp/{port}").parse().expect("an address")
    }

    fn secs(secs: u64) -> Lifetime {
        Lifetime::For(Duration::from_secs(secs))
    }

    #[test]
    fn addresses_live_as_long_as_the_longest_word_for_them() {
        let (store, peer) = (MemoryPeerstore::default(), PeerId::random());
        store.add_addrs(&peer, &[addr(1)], secs(10), at(0));
        store.add_addrs(&peer, &[addr(1)], secs(5), at(0));
        store.add_addrs(&peer, &[addr(2)], secs(20), at(0));
        assert_eq!(store.addrs(&peer, at(9)), [addr(2), addr(1)], "the longest first");
        assert_eq!(store.addrs(&peer, at(10)), [addr(2)]);
        store.add_addrs(&peer, &[addr(2)], Lifetime::Permanent, at(10));
        store.add_addrs(&peer, &[addr(2)], secs(1), at(10));
        assert_eq!(store.addrs(&peer, at(10_000)), [addr(2)]);
    }

    #[test]
    fn what_liars_say_is_bounded_in_bytes() {
        let bounds = PeerstoreBounds {
            bytes: 100_000,
            ..PeerstoreBounds::default()
        };
        let store = MemoryPeerstore::new(bounds);
        let honest = PeerId::random();
        store.add_addrs(&honest, &[addr(1)], secs(9), at(0));
        store.set_connected(&honest, true, at(0));
        let mut learned = Learned::default();
        learned.record = Some(vec![0; 8192].into());
        for _ in 0..100 {
            store.update(&PeerId::random(), &learned, at(0));
            assert!(store.lock().bytes() <= bounds.bytes);
        }
        assert!(store.peers().len() > 10, "there is room for some");
        assert_eq!(store.addrs(&honest, at(0)), [addr(1)], "who is connected stays");
        store.peers().iter().for_each(|peer| store.remove(peer));
        assert_eq!(store.lock().bytes(), 0);
    }

    #[test]
    fn connected_liars_keep_no_more_than_their_share() {
        const SHARE: usize = 5000;
        let bounds = PeerstoreBounds {
            peers: 100,
            bytes: 100 * SHARE,
            ..PeerstoreBounds::default()
        };
        let (store, honest) = (MemoryPeerstore::new(bounds), PeerId::random());
        let mut learned = Learned::default();
        learned.protocols = Some(["/honest".into()].into());
        store.update(&honest, &learned, at(0));
        store.set_connected(&honest, true, at(0));
        learned.protocols = Some((0..1024).map(|n| format!("/a/lie/{n:099}").into()).collect());
        let long = format!("/dns4/{}/tcp/1", ["a"; 120].join("."));
        let lies: Vec<Multiaddr> = (1..60)
            .map(|n| {
                long.replace("a", &(n % 10).to_string())
                    .replace("/tcp/1", &format!("/tcp/{n}"))
            })
            .map(|lie| lie.parse().expect("an address"))
            .collect();
        for _ in 0..90 {
            let liar = PeerId::random();
            store.set_connected(&liar, true, at(0));
            store.add_addrs(&liar, &lies, secs(60), at(0));
            store.update(&liar, &learned, at(0));
            // The newest keeps its share before the others have given theirs back.
            let bytes = store.lock().bytes();
            assert!(bytes <= bounds.bytes + SHARE, "{bytes}");
        }
        assert_eq!(store.peers().len(), 91, "nobody who is connected is forgotten");
        assert_eq!(store.protocols(&honest).expect("kept").len(), 1);
    }

    #[test]
    fn both_tables_are_bounded_and_connected_peers_stay() {
        let bounds = PeerstoreBounds {
            peers: 2,
            addrs_per_peer: 3,
            ..PeerstoreBounds::default()
        };
        let (store, [a, b, c]) = (
            MemoryPeerstore::new(bounds),
            std::array::from_fn(|_| PeerId::random()),
        );
        for port in 1..=9 {
            store.add_addrs(&a, &[addr(port)], secs(u64::from(port)), at(0));
        }
        assert_eq!(store.addrs(&a, at(0)), [addr(9), addr(8), addr(7)]);
        store.set_connected(&a, true, at(0));
        store.add_addrs(&b, &[addr(1)], secs(9), at(0));
        store.add_addrs(&c, &[addr(1)], secs(9), at(0));
        assert_eq!(
            (store.peers().len(), store.peers().contains(&b)),
            (2, false),
            "b was neither connected nor new"
        );
    }
}
