//! What is known of peers, in memory.

use hashlink::LinkedHashMap;
use multiaddr::Multiaddr;
use sinew_core::{Learned, Lifetime, PeerInfo, Peerstore};
use sinew_identity::PeerId;
use sinew_machine::{Instant, ProtocolId};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bounds of a [`MemoryPeerstore`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PeerstoreBounds {
    /// Peers; beyond it the one that was touched longest ago and is not connected is forgotten.
    pub peers: usize,
    /// Addresses a peer; beyond it the one that ends soonest is forgotten.
    pub addrs_per_peer: usize,
    /// Protocols a peer.
    pub protocols_per_peer: usize,
    /// Bytes of what is known of all peers, about; beyond it those that were touched longest ago and are not
    /// connected are forgotten.
    pub bytes: usize,
}

impl Default for PeerstoreBounds {
    /// 10,000 peers, 64 addresses and 1,024 protocols each (the number of protocols that go-libp2p's identify
    /// keeps), and 64 MiB in all: honest peers take some 5 KB each, while 10,000 liars could say a GB.
    fn default() -> Self {
        Self {
            peers: 10_000,
            addrs_per_peer: 64,
            protocols_per_peer: 1024,
            bytes: 64 << 20,
        }
    }
}

/// Peers looked at in one go when room is wanted. Each change adds one peer at most, so that this keeps up, and the
/// connected ones are not walked past each time.
const LOOKS: usize = 16;

/// Keeps what is known of peers for as long as the process lives.
#[derive(Default)]
pub struct MemoryPeerstore {
    bounds: PeerstoreBounds,
    peers: Mutex<Peers>,
}

#[derive(Default)]
struct Peers {
    /// In the order in which they were touched, oldest first.
    by_id: LinkedHashMap<PeerId, Peer>,
    /// The sizes of all.
    bytes: usize,
}

#[derive(Default)]
struct Peer {
    /// As it was measured after the last change.
    size: usize,
    addrs: Vec<Addr>,
    connected: bool,
    known: Learned,
}

struct Addr {
    addr: Multiaddr,
    /// `None`: until it is removed.
    expires: Option<Instant>,
}

impl Addr {
    fn is_alive(&self, now: Instant) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    /// Sorts what lasts longest to the front.
    fn rank(&self) -> std::cmp::Reverse<Instant> {
        std::cmp::Reverse(self.expires.unwrap_or(Instant(u64::MAX)))
    }
}

impl MemoryPeerstore {
    /// An empty peerstore with bounds of its own.
    #[must_use]
    pub fn new(bounds: PeerstoreBounds) -> Self {
        Self {
            bounds,
            peers: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a peer, which becomes the one touched last, and forgets another if there are too many.
    fn touch(&self, peer: &PeerId, change: impl FnOnce(&mut Peer)) {
        let mut peers = self.lock();
        let mut entry = peers.remove(peer).unwrap_or_default();
        change(&mut entry);
        entry.size = entry.measure();
        peers.bytes += entry.size;
        peers.by_id.insert(*peer, entry);
        peers.make_room(&self.bounds, peer);
    }
}

impl Peers {
    fn remove(&mut self, peer: &PeerId) -> Option<Peer> {
        let removed = self.by_id.remove(peer)?;
        self.bytes -= removed.size;
        Some(removed)
    }

    /// Forgets those that were touched longest ago until the bounds hold, but not `newest` and no connected one.
    fn make_room(&mut self, bounds: &PeerstoreBounds, newest: &PeerId) {
        for _ in 0..LOOKS {
            if self.by_id.len() <= bounds.peers && self.bytes <= bounds.bytes {
                return;
            }
            let Some((oldest, stays)) = self
                .by_id
                .front()
                .map(|(id, entry)| (*id, entry.connected || id == newest))
            else {
                return;
            };
            if stays {
                self.by_id.to_back(&oldest);
            } else {
                self.remove(&oldest);
            }
        }
    }
}

impl Peer {
    /// Its bytes, about.
    fn measure(&self) -> usize {
        // What an address, a protocol and a peer take beside their bytes: the types, the tables, a key.
        const ADDR: usize = 32;
        const PROTOCOL: usize = 32;
        const PEER: usize = 512;
        let addrs: usize = self.addrs.iter().map(|addr| addr.addr.len() + ADDR).sum();
        let protocols = self.known.protocols.iter().flat_map(|list| list.iter());
        let protocols: usize = protocols.map(|protocol| protocol.as_str().len() + PROTOCOL).sum();
        let agent = self.known.agent.as_ref().map_or(0, |agent| agent.len());
        let record = self.known.record.as_deref().map_or(0, <[u8]>::len);
        addrs + protocols + agent + record + PEER
    }

    fn add(&mut self, addr: &Multiaddr, expires: Option<Instant>) {
        match self.addrs.iter_mut().find(|known| known.addr == *addr) {
            Some(known) => known.expires = known.expires.zip(expires).map(|(old, new)| old.max(new)),
            None => self.addrs.push(Addr {
                addr: addr.clone(),
                expires,
            }),
        }
    }

    fn tidy(&mut self, now: Instant, max: usize) {
        self.addrs.retain(|addr| addr.is_alive(now));
        self.addrs.sort_by_key(Addr::rank);
        self.addrs.truncate(max);
    }
}

impl Peerstore for MemoryPeerstore {
    fn add_addrs(&self, peer: &PeerId, addrs: &[Multiaddr], lifetime: Lifetime, now: Instant) {
        let expires = match lifetime {
            Lifetime::For(duration) => Some(now + duration),
            Lifetime::Permanent => None,
        };
        let max = self.bounds.addrs_per_peer;
        self.touch(peer, |entry| {
            addrs
                .iter()
                .take(max)
                .filter(|addr| !addr.is_empty())
                .for_each(|addr| entry.add(addr, expires));
            entry.tidy(now, max);
        });
    }

    fn addrs(&self, peer: &PeerId, now: Instant) -> Vec<Multiaddr> {
        let peers = self.lock();
        let alive = |entry: &Peer| {
            entry
                .addrs
                .iter()
                .filter(|addr| addr.is_alive(now))
                .map(|addr| addr.addr.clone())
                .collect()
        };
        peers.by_id.get(peer).map(alive).unwrap_or_default()
    }

    fn update(&self, peer: &PeerId, learned: &Learned, _now: Instant) {
        let protocols = learned
            .protocols
            .as_ref()
            .filter(|list| list.len() <= self.bounds.protocols_per_peer);
        self.touch(peer, |entry| {
            let known = &mut entry.known;
            known.protocols = protocols.cloned().or(known.protocols.take());
            known.key = learned.key.clone().or(known.key.take());
            known.agent = learned.agent.clone().or(known.agent.take());
            known.record = learned.record.clone().or(known.record.take());
        });
    }

    fn info(&self, peer: &PeerId, now: Instant) -> Option<PeerInfo> {
        let addrs = self.addrs(peer, now);
        let peers = self.lock();
        let known = &peers.by_id.get(peer)?.known;
        let mut info = PeerInfo::new(*peer);
        info.addrs = addrs;
        info.protocols = known.protocols.clone();
        info.key = known.key.clone();
        info.agent = known.agent.clone();
        info.record = known.record.clone();
        Some(info)
    }

    fn protocols(&self, peer: &PeerId) -> Option<Arc<[ProtocolId]>> {
        self.lock().by_id.get(peer)?.known.protocols.clone()
    }

    fn peers(&self) -> Vec<PeerId> {
        self.lock().by_id.keys().copied().collect()
    }

    fn set_connected(&self, peer: &PeerId, connected: bool, _now: Instant) {
        self.touch(peer, |entry| entry.connected = connected);
    }

    fn remove(&self, peer: &PeerId) {
        self.lock().remove(peer);
    }
}

impl fmt::Debug for MemoryPeerstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPeerstore")
            .field("peers", &self.lock().by_id.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryPeerstore, PeerstoreBounds};
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
            assert!(store.lock().bytes <= bounds.bytes);
        }
        assert!(store.peers().len() > 10, "there is room for some");
        assert_eq!(store.addrs(&honest, at(0)), [addr(1)], "who is connected stays");
        store.peers().iter().for_each(|peer| store.remove(peer));
        assert_eq!(store.lock().bytes, 0);
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
