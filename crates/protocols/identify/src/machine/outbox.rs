//! Which peers are told of a change, and when: all that speak identify/push and do not know it yet, changes of a moment
//! together.

use super::PUSH_INTERVAL;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long a first change waits for others: services that start register their protocols one after the other.
pub const GATHER: Duration = Duration::from_millis(100);

/// Pushes that are sent at once. A peer that does not take its push keeps a place for the length of its deadline; go-libp2p
/// has 32 places.
pub const MAX_AT_ONCE: usize = 256;

/// What each peer was told, counted in revisions of what there is to tell.
#[derive(Default, Debug)]
pub struct Outbox {
    /// Of what there is to tell now.
    revision: u64,
    /// Of what is to be told now; behind `revision` while changes are gathered.
    released: u64,
    due: Option<Instant>,
    last: Option<Instant>,
    peers: BTreeMap<PeerId, Peer>,
    /// Who speaks the protocol, was told less than `released`, and is not being told right now.
    behind: BTreeSet<PeerId>,
    running: usize,
}

#[derive(Debug)]
struct Peer {
    told: u64,
    speaks: bool,
    running: bool,
}

impl Outbox {
    /// Something changed that peers should know.
    pub fn changed(&mut self, now: Instant) {
        self.revision += 1;
        let next = self.last.map_or(now, |last| last + PUSH_INTERVAL);
        self.due.get_or_insert((now + GATHER).max(next));
    }

    /// `peer` is connected. Whoever connects asks by itself: it knows everything up to now.
    pub fn connected(&mut self, peer: PeerId, speaks: bool) {
        let told = self.revision;
        let running = false;
        let known = self.peers.entry(peer).or_insert(Peer {
            told,
            speaks,
            running,
        });
        known.speaks = speaks;
        self.look_at(peer);
    }

    /// `peer` has no connection any more.
    pub fn gone(&mut self, peer: &PeerId) {
        self.behind.remove(peer);
        self.peers.remove(peer);
    }

    /// When to ask for [`Outbox::next`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The next peer to tell, if there is one and a place for it.
    pub fn next(&mut self, now: Instant) -> Option<PeerId> {
        self.release(now);
        if self.running >= MAX_AT_ONCE {
            return None;
        }
        let peer = self.behind.pop_first()?;
        let known = self.peers.get_mut(&peer)?;
        (known.told, known.running) = (self.released, true);
        self.running += 1;
        Some(peer)
    }

    /// `peer` was told, or could not be: a peer that does not take a push may ask.
    pub fn done(&mut self, peer: PeerId) {
        self.running = self.running.saturating_sub(1);
        if let Some(known) = self.peers.get_mut(&peer) {
            known.running = false;
            self.look_at(peer);
        }
    }

    fn release(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        (self.due, self.last, self.released) = (None, Some(now), self.revision);
        let peers: Vec<_> = self.peers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.look_at(peer));
    }

    fn look_at(&mut self, peer: PeerId) {
        let Some(known) = self.peers.get(&peer) else {
            return;
        };
        if known.speaks && !known.running && known.told < self.released {
            self.behind.insert(peer);
        } else {
            self.behind.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GATHER, MAX_AT_ONCE, Outbox, PUSH_INTERVAL};
    use sinew_identity::PeerId;
    use sinew_machine::Instant;
    use std::time::Duration;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn told(outbox: &mut Outbox, now: Instant) -> Vec<PeerId> {
        std::iter::from_fn(|| outbox.next(now)).collect()
    }

    #[test]
    fn changes_of_a_moment_are_one_push_and_the_next_comes_a_second_later() {
        let (mut outbox, peer) = (Outbox::default(), PeerId::random());
        outbox.connected(peer, true);
        assert_eq!((outbox.next(at(0)), outbox.deadline()), (None, None));
        outbox.changed(at(0));
        outbox.changed(at(50));
        assert_eq!(outbox.deadline(), Some(at(0) + GATHER));
        assert_eq!(told(&mut outbox, at(99)), []);
        assert_eq!(told(&mut outbox, at(100)), [peer]);
        outbox.changed(at(150));
        assert_eq!(outbox.deadline(), Some(at(100) + PUSH_INTERVAL));
        assert_eq!(
            told(&mut outbox, at(1100)),
            [],
            "the last push is under way still"
        );
        outbox.done(peer);
        assert_eq!(told(&mut outbox, at(1100)), [peer]);
    }

    #[test]
    fn who_does_not_speak_it_or_asks_later_is_not_told() {
        let mut outbox = Outbox::default();
        let (deaf, late) = (PeerId::random(), PeerId::random());
        outbox.connected(deaf, false);
        outbox.changed(at(0));
        outbox.connected(late, true);
        assert_eq!(told(&mut outbox, at(1000)), []);
        outbox.connected(deaf, true);
        assert_eq!(told(&mut outbox, at(1000)), [deaf], "identified after the change");
    }

    #[test]
    fn who_left_is_forgotten() {
        let (mut outbox, peer) = (Outbox::default(), PeerId::random());
        outbox.connected(peer, true);
        outbox.changed(at(0));
        outbox.gone(&peer);
        assert_eq!(told(&mut outbox, at(1000)), []);
        outbox.done(peer);
        assert!(outbox.peers.is_empty() && outbox.behind.is_empty() && outbox.running == 0);
    }

    #[test]
    fn no_more_than_so_many_at_once() {
        let mut outbox = Outbox::default();
        (0..=MAX_AT_ONCE).for_each(|_| outbox.connected(PeerId::random(), true));
        outbox.changed(at(0));
        let first = told(&mut outbox, at(100));
        assert_eq!(first.len(), MAX_AT_ONCE);
        outbox.done(first[0]);
        assert_eq!(told(&mut outbox, at(100)).len(), 1);
    }
}
