//! The tables of a peerstore: pure, bounded, and aware of what has changed.

use crate::PeerstoreBounds;
use hashlink::LinkedHashMap;
use multiaddr::Multiaddr;
use sinew_core::{Learned, RECENTLY_CONNECTED};
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::{collections::HashSet, time::Duration};

/// Peers looked at in one go when room is wanted. Each change adds one peer at most, so that this keeps up, and the
/// connected ones are not walked past each time.
const LOOKS: usize = 16;

/// The share of a new round-trip time in what is kept: go-libp2p's smoothing of latencies.
const SMOOTHING: f64 = 0.1;

/// Bytes that a connected peer keeps however many there are: what honest peers tell of themselves, about.
const LEAST_SHARE: usize = 4096;

/// What is known of all peers.
#[derive(Default)]
pub(crate) struct Peers {
    bounds: PeerstoreBounds,
    /// In the order in which they were touched, oldest first.
    by_id: LinkedHashMap<PeerId, Peer>,
    /// The sizes of all.
    bytes: usize,
    /// Kept where somebody writes down what has changed.
    changes: Option<Changes>,
}

/// What has changed since it was last written down.
#[derive(Default, Debug)]
pub(crate) struct Changes {
    /// Peers that are different now, or gone.
    pub(crate) peers: HashSet<PeerId>,
    /// Peers are gone whose ids were not kept: who is not in the tables is gone.
    pub(crate) sweep: bool,
}

/// What is known of one peer.
#[derive(Clone, Default, Debug)]
pub(crate) struct Peer {
    /// As it was measured after the last change.
    size: usize,
    pub(crate) addrs: Vec<Addr>,
    pub(crate) connected: bool,
    pub(crate) known: Learned,
}

/// An address of a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Addr {
    pub(crate) addr: Multiaddr,
    /// `None`: until it is removed.
    pub(crate) expires: Option<Instant>,
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

impl Peers {
    pub(crate) fn new(bounds: PeerstoreBounds) -> Self {
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// Keeps account of changes from now on.
    #[cfg(feature = "disk")]
    pub(crate) fn record_changes(&mut self) {
        self.changes = Some(Changes::default());
    }

    /// What has changed since this was last asked.
    #[cfg(feature = "disk")]
    pub(crate) fn take_changes(&mut self) -> Changes {
        self.changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes changes back that could not be written.
    #[cfg(feature = "disk")]
    pub(crate) fn give_back(&mut self, changes: Changes) {
        if let Some(known) = &mut self.changes {
            known.peers.extend(changes.peers);
            known.sweep |= changes.sweep;
        }
    }

    pub(crate) fn bounds(&self) -> &PeerstoreBounds {
        &self.bounds
    }

    /// The sizes of all.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, peer: &PeerId) -> Option<&Peer> {
        self.by_id.get(peer)
    }

    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = &PeerId> {
        self.by_id.keys()
    }

    /// Marks a peer as connected or gone. What is written down is how long its addresses live once it is gone.
    pub(crate) fn set_connected(&mut self, peer: &PeerId, connected: bool, now: Instant) {
        let before = self.get(peer).is_some_and(|entry| entry.connected);
        if connected == before {
            return self.place(peer, |_| {});
        }
        self.place(peer, |entry| entry.set_connected(connected, now));
        if !connected {
            self.note(peer);
        }
    }

    /// Changes a peer, which becomes the one touched last, and forgets another if there are too many.
    pub(crate) fn touch(&mut self, peer: &PeerId, change: impl FnOnce(&mut Peer)) {
        self.place(peer, change);
        self.note(peer);
    }

    pub(crate) fn remove(&mut self, peer: &PeerId) {
        if self.take(peer).is_some() {
            self.note(peer);
        }
    }

    fn place(&mut self, peer: &PeerId, change: impl FnOnce(&mut Peer)) {
        let mut entry = self.take(peer).unwrap_or_default();
        change(&mut entry);
        entry.size = entry.measure();
        self.bytes += entry.size;
        self.by_id.insert(*peer, entry);
        self.make_room(peer);
    }

    fn take(&mut self, peer: &PeerId) -> Option<Peer> {
        let removed = self.by_id.remove(peer)?;
        self.bytes -= removed.size;
        Some(removed)
    }

    /// Forgets those that were touched longest ago until the bounds hold, but not `newest` and no connected one: of
    /// that, what is more than its share.
    fn make_room(&mut self, newest: &PeerId) {
        for _ in 0..LOOKS {
            if self.by_id.len() <= self.bounds.peers && self.bytes <= self.bounds.bytes {
                return;
            }
            let oldest = self.by_id.front();
            let Some((oldest, stays)) = oldest.map(|(id, entry)| (*id, entry.connected || id == newest))
            else {
                return;
            };
            if !stays {
                self.remove(&oldest);
                continue;
            }
            self.cut_down(&oldest);
            self.by_id.to_back(&oldest);
        }
        self.cut_down(newest);
    }

    /// While all together know too much, a peer that has to stay keeps no more than its share of what it told of
    /// itself.
    fn cut_down(&mut self, peer: &PeerId) {
        let share = (self.bounds.bytes / self.bounds.peers.max(1)).max(LEAST_SHARE);
        let Some(entry) = self.by_id.get_mut(peer) else {
            return;
        };
        if self.bytes <= self.bounds.bytes || entry.size <= share {
            return;
        }
        let before = entry.size;
        entry.cut_down(share);
        self.bytes -= before - entry.size;
        self.note(peer);
    }

    /// Notes that a peer is different. Those that are here are bounded; of those that are gone no more ids are kept.
    fn note(&mut self, peer: &PeerId) {
        let Some(changes) = &mut self.changes else { return };
        changes.peers.insert(*peer);
        if changes.peers.len() > 2 * self.bounds.peers.max(LOOKS) {
            changes.peers.retain(|peer| self.by_id.contains_key(peer));
            changes.sweep = true;
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

    /// Adds an address; the longer of two lifetimes holds.
    pub(crate) fn add(&mut self, addr: &Multiaddr, expires: Option<Instant>) {
        match self.addrs.iter_mut().find(|known| known.addr == *addr) {
            Some(known) => known.expires = known.expires.zip(expires).map(|(old, new)| old.max(new)),
            None => self.addrs.push(Addr {
                addr: addr.clone(),
                expires,
            }),
        }
    }

    /// Which addresses are believed, each with when it ends: those of a connected peer outlive it for a while.
    pub(crate) fn alive(&self, now: Instant) -> impl Iterator<Item = (&Multiaddr, Option<Instant>)> {
        let least = self.connected.then(|| now + RECENTLY_CONNECTED);
        let ends = move |addr: &Addr| {
            addr.expires
                .map(|expires| least.map_or(expires, |least| expires.max(least)))
        };
        let all = self.addrs.iter().map(move |addr| (&addr.addr, ends(addr)));
        all.filter(move |(_, ends)| ends.is_none_or(|ends| ends > now))
    }

    fn set_connected(&mut self, connected: bool, now: Instant) {
        let alive = self.alive(now);
        self.addrs = alive
            .map(|(addr, expires)| Addr {
                addr: addr.clone(),
                expires,
            })
            .collect();
        self.connected = connected;
    }

    /// Leaves out what has ended and what is too much.
    pub(crate) fn tidy(&mut self, now: Instant, max: usize) {
        let connected = self.connected;
        self.addrs.retain(|addr| connected || addr.is_alive(now));
        self.addrs.sort_by_key(Addr::rank);
        self.addrs.truncate(max);
    }

    /// Leaves out what it told of itself, and then addresses that end soonest, until it takes `share` bytes.
    fn cut_down(&mut self, share: usize) {
        let known = &mut self.known;
        (known.protocols, known.record, known.agent) = (None, None, None);
        self.size = self.measure();
        while self.size > share && self.addrs.pop().is_some() {
            self.size = self.measure();
        }
    }

    /// Takes in what is newer.
    pub(crate) fn learn(&mut self, learned: &Learned, bounds: &PeerstoreBounds) {
        let fits = |list: &&std::sync::Arc<[_]>| list.len() <= bounds.protocols_per_peer;
        let protocols = learned.protocols.as_ref().filter(fits);
        let known = &mut self.known;
        known.protocols = protocols.cloned().or(known.protocols.take());
        known.key = learned.key.clone().or(known.key.take());
        known.agent = learned.agent.clone().or(known.agent.take());
        known.record = learned.record.clone().or(known.record.take());
        known.latency = smoothed(known.latency, learned.latency);
    }
}

fn smoothed(known: Option<Duration>, new: Option<Duration>) -> Option<Duration> {
    match (known, new) {
        (Some(known), Some(new)) => Some(known.mul_f64(1.0 - SMOOTHING) + new.mul_f64(SMOOTHING)),
        (known, new) => new.or(known),
    }
}

#[cfg(test)]
mod tests {
    use super::{Peers, smoothed};
    use crate::PeerstoreBounds;
    use sinew_identity::PeerId;
    use std::time::Duration;

    #[test]
    fn the_account_of_changes_is_bounded() {
        let bounds = PeerstoreBounds {
            peers: 20,
            ..PeerstoreBounds::default()
        };
        let mut peers = Peers::new(bounds);
        peers.changes = Some(super::Changes::default());
        for _ in 0..1000 {
            peers.touch(&PeerId::random(), |_| {});
        }
        let changes = peers.changes.take().expect("set above");
        assert!(changes.sweep && changes.peers.len() <= 40);
        assert!(
            peers.ids().all(|id| changes.peers.contains(id)),
            "all that are here are new"
        );
    }

    #[test]
    fn round_trip_times_are_smoothed() {
        let ms = Duration::from_millis;
        assert_eq!(smoothed(None, Some(ms(100))), Some(ms(100)));
        assert_eq!(smoothed(Some(ms(100)), None), Some(ms(100)));
        assert_eq!(smoothed(Some(ms(100)), Some(ms(200))), Some(ms(110)));
    }
}
