//! The messages that were dealt with of late.

use crate::MessageId;
use sinew_machine::Instant;
use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    time::Duration,
};

/// How long a message is known again: as in go-libp2p.
pub const SEEN_FOR: Duration = Duration::from_secs(120);

/// How many messages are known at most; the oldest are forgotten first. About a thousand a second for two minutes.
pub const MAX_SEEN: usize = 1 << 17;

/// Ids of messages, for [`SEEN_FOR`] each, with what is known of them.
#[derive(Debug)]
pub struct Seen<T> {
    known: BTreeMap<MessageId, T>,
    oldest_first: VecDeque<(Instant, MessageId)>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            oldest_first: VecDeque::new(),
        }
    }
}

impl<T> Seen<T> {
    /// What is known of a message, if it was seen.
    pub fn get_mut(&mut self, now: Instant, id: &MessageId) -> Option<&mut T> {
        self.forget(now);
        self.known.get_mut(id)
    }

    /// Whether a message was seen.
    pub fn contains(&mut self, now: Instant, id: &MessageId) -> bool {
        self.get_mut(now, id).is_some()
    }

    /// A message is seen, unless it was before.
    pub fn insert(&mut self, now: Instant, id: MessageId, what: T) {
        self.forget(now);
        if let Entry::Vacant(place) = self.known.entry(id.clone()) {
            place.insert(what);
            self.oldest_first.push_back((now, id));
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, id)) = self.oldest_first.front() {
            if now - *since < SEEN_FOR && self.oldest_first.len() <= MAX_SEEN {
                return;
            }
            self.known.remove(id);
            self.oldest_first.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SEEN, SEEN_FOR, Seen};
    use crate::MessageId;
    use sinew_machine::Instant;
    use std::time::Duration;

    fn id(n: usize) -> MessageId {
        n.to_be_bytes().to_vec().into()
    }

    #[test]
    fn ids_are_known_for_two_minutes_after_they_were_first_seen() {
        let (mut seen, start) = (Seen::default(), Instant(5));
        seen.insert(start, id(1), ());
        seen.insert(start + SEEN_FOR / 2, id(1), ());
        assert!(seen.contains(start + (SEEN_FOR - Duration::from_nanos(1)), &id(1)));
        assert!(!seen.contains(start + SEEN_FOR, &id(1)));
        assert!(seen.oldest_first.is_empty());
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut seen = Seen::default();
        (0..MAX_SEEN + 2).for_each(|n| seen.insert(Instant(0), id(n), ()));
        assert!(!seen.contains(Instant(0), &id(0)) && !seen.contains(Instant(0), &id(1)));
        assert!(seen.contains(Instant(0), &id(2)) && seen.contains(Instant(0), &id(MAX_SEEN + 1)));
        assert_eq!(seen.known.len(), MAX_SEEN);
    }
}
