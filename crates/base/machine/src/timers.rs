//! One deadline a key, for machines.

use crate::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// Deadlines by key, at most one each.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    by_key: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Sets the deadline of a key, in place of the one it had.
    pub fn set(&mut self, key: K, at: Instant) {
        self.cancel(&key);
        self.by_time.insert((at, key.clone()));
        self.by_key.insert(key, at);
    }

    /// Takes the deadline of a key away, if it has one.
    pub fn cancel(&mut self, key: &K) {
        if let Some((key, at)) = self.by_key.remove_entry(key) {
            self.by_time.remove(&(at, key));
        }
    }

    /// Whether a key has a deadline.
    #[must_use]
    pub fn is_set(&self, key: &K) -> bool {
        self.by_key.contains_key(key)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes a key whose deadline has come, the earliest first.
    pub fn due(&mut self, now: Instant) -> Option<K> {
        let (at, _) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;
    use crate::Instant;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use std::collections::BTreeMap;

    #[test]
    fn a_key_has_one_deadline() {
        let mut timers = Timers::default();
        timers.set("a", Instant(5));
        timers.set("b", Instant(3));
        timers.set("a", Instant(1));
        assert_eq!(timers.next(), Some(Instant(1)));
        assert_eq!(timers.due(Instant(0)), None);
        assert_eq!(timers.due(Instant(9)), Some("a"));
        timers.cancel(&"b");
        assert!(!timers.is_set(&"a") && !timers.is_set(&"b"));
        assert_eq!((timers.due(Instant(9)), timers.next()), (None, None));
    }

    proptest! {
        #[test]
        fn as_a_plain_map(steps in prop::collection::vec((0u8..5, 0u64..20, any::<bool>()), 0..60)) {
            let (mut timers, mut model) = (Timers::default(), BTreeMap::new());
            for (key, at, set) in steps {
                if set {
                    timers.set(key, Instant(at));
                    model.insert(key, Instant(at));
                } else {
                    timers.cancel(&key);
                    model.remove(&key);
                }
                prop_assert_eq!(timers.next(), model.values().min().copied());
            }
            let mut due = BTreeMap::new();
            let mut last = Instant::ZERO;
            while let Some(at) = timers.next() {
                let key = timers.due(Instant(100)).expect("the next is due");
                prop_assert_eq!(at.max(last), at);
                last = at;
                due.insert(key, at);
            }
            prop_assert_eq!(due, model);
        }
    }
}
