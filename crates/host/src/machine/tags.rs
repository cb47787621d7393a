//! What peers are worth: tags with values that decay, in a bounded table.

use sinew_core::Tag;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// Peers with tags. Beyond it, the one whose tags were changed longest ago loses them. More than any node is connected to
/// by default; a tag outlives the connections of its peer.
const MAX_PEERS: usize = 16_384;

/// The tags of all peers.
#[derive(Default, Debug)]
pub(crate) struct Tags {
    peers: BTreeMap<PeerId, Worth>,
    oldest: BTreeSet<(Instant, PeerId)>,
}

/// The tags of one peer by name: as many as the program has names.
#[derive(Debug)]
struct Worth {
    changed: Instant,
    values: BTreeMap<&'static str, Value>,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    tag: Tag,
    value: i32,
    /// When it was that much.
    at: Instant,
}

impl Value {
    fn now(mut self, now: Instant) -> Self {
        let (left, applied) = self.tag.decay.apply(self.value, now - self.at);
        (self.value, self.at) = (left, self.at + applied);
        self
    }
}

impl Tags {
    /// Changes the value of a tag, from zero if the peer has it not. A value of zero is no tag.
    pub(crate) fn upsert(&mut self, now: Instant, peer: PeerId, tag: Tag, change: impl FnOnce(i32) -> i32) {
        let mut values = self.take(&peer);
        let known = values.remove(tag.name).map(|value| value.now(now));
        let value = change(known.map_or(0, |value| value.value));
        if value != 0 {
            // A changed value keeps the beat of its decay.
            let at = known
                .filter(|known| known.value != 0)
                .map_or(now, |known| known.at);
            values.insert(tag.name, Value { tag, value, at });
        }
        self.put(now, peer, values);
    }

    /// Takes a tag away.
    pub(crate) fn remove(&mut self, now: Instant, peer: &PeerId, name: &str) {
        let mut values = self.take(peer);
        values.remove(name);
        self.put(now, *peer, values);
    }

    /// What all tags of a peer add up to.
    pub(crate) fn sum(&self, now: Instant, peer: &PeerId) -> i64 {
        let values = self
            .peers
            .get(peer)
            .into_iter()
            .flat_map(|worth| worth.values.values());
        values.map(|value| i64::from(value.now(now).value)).sum()
    }

    fn take(&mut self, peer: &PeerId) -> BTreeMap<&'static str, Value> {
        let Some(worth) = self.peers.remove(peer) else {
            return BTreeMap::new();
        };
        self.oldest.remove(&(worth.changed, *peer));
        worth.values
    }

    fn put(&mut self, now: Instant, peer: PeerId, mut values: BTreeMap<&'static str, Value>) {
        values.retain(|_, value| value.now(now).value != 0);
        if values.is_empty() {
            return;
        }
        if self.peers.len() >= MAX_PEERS
            && let Some((_, oldest)) = self.oldest.pop_first()
        {
            self.peers.remove(&oldest);
        }
        self.oldest.insert((now, peer));
        self.peers.insert(peer, Worth { changed: now, values });
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_PEERS, Tags};
    use proptest::prelude::*;
    use sinew_core::Tag;
    use sinew_identity::PeerId;
    use sinew_machine::Instant;
    use std::time::Duration;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn tags_add_up_and_decay_each_in_its_own_beat() {
        let (mut tags, peer) = (Tags::default(), PeerId::random());
        let fading = Tag::new("fading").linear(1, Duration::from_secs(10));
        let halved = Tag::new("halved").halved(Duration::from_secs(60));
        tags.upsert(at(0), peer, "kept".into(), |_| 100);
        tags.upsert(at(0), peer, fading, |_| 3);
        tags.upsert(at(0), peer, halved, |_| 40);
        assert_eq!(tags.sum(at(0), &peer), 143);
        assert_eq!(tags.sum(at(25), &peer), 141);
        tags.upsert(at(25), peer, fading, |value| value + 5);
        assert_eq!(tags.sum(at(29), &peer), 146);
        assert_eq!(tags.sum(at(30), &peer), 145, "a bump does not put the decay off");
        assert_eq!(tags.sum(at(60), &peer), 100 + 20 + 2);
        tags.remove(at(60), &peer, "kept");
        assert_eq!(tags.sum(at(1_000_000), &peer), 0);
        assert_eq!(tags.sum(at(0), &PeerId::random()), 0);
    }

    #[test]
    fn what_is_worth_nothing_takes_no_room() {
        let (mut tags, peer) = (Tags::default(), PeerId::random());
        tags.upsert(at(0), peer, "a".into(), |_| 1);
        tags.upsert(at(0), peer, "a".into(), |_| 0);
        tags.remove(at(0), &PeerId::random(), "a");
        tags.upsert(
            at(0),
            peer,
            Tag::new("b").linear(1, Duration::from_secs(1)),
            |_| 1,
        );
        tags.remove(at(9), &peer, "c");
        assert!(tags.peers.is_empty() && tags.oldest.is_empty());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_what_was_changed_longest_ago() {
        let (mut tags, first) = (Tags::default(), PeerId::random());
        tags.upsert(at(0), first, "a".into(), |_| 1);
        for second in 1..=MAX_PEERS as u64 {
            tags.upsert(at(second), PeerId::random(), "a".into(), |_| 1);
        }
        assert_eq!((tags.peers.len(), tags.oldest.len()), (MAX_PEERS, MAX_PEERS));
        assert_eq!(tags.sum(at(0), &first), 0);
    }

    proptest! {
        #[test]
        fn the_indexes_agree(steps in prop::collection::vec((0usize..3, -3i32..4, 0u64..30, any::<bool>()), 0..100)) {
            let peers: [PeerId; 3] = std::array::from_fn(|_| PeerId::random());
            let (mut tags, mut now) = (Tags::default(), 0);
            for (peer, value, wait, fades) in steps {
                now += wait;
                let tag = if fades { Tag::new("f").linear(1, Duration::from_secs(10)) } else { Tag::new("k") };
                let before = tags.sum(at(now), &peers[peer]);
                tags.upsert(at(now), peers[peer], tag, |old| old + value);
                prop_assert_eq!(tags.sum(at(now), &peers[peer]), before + i64::from(value));
                prop_assert_eq!(tags.peers.len(), tags.oldest.len());
                prop_assert!(tags.peers.iter().all(|(peer, worth)| tags.oldest.contains(&(worth.changed, *peer))));
            }
        }
    }
}
