//! Places for attempts in the whole host: so many at once, and a fair order for those who wait.

use std::collections::BTreeMap;

/// A limited number of places. First come the dials that have nothing under way, then those with one attempt, and so
/// on; among equals, whoever has waited longest. A dial with many addresses so never keeps another one from its first.
#[derive(Debug)]
pub(crate) struct Slots<W> {
    free: usize,
    waiting: BTreeMap<Ticket, W>,
    next: u64,
}

/// A place, or a claim to one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Ticket {
    /// What its dial had under way when it came.
    beside: usize,
    number: u64,
}

impl<W> Slots<W> {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            free: places.max(1),
            waiting: BTreeMap::new(),
            next: 0,
        }
    }

    /// Takes a place, and says whether there was one; if not, `waiter` is given back to whoever leaves when its turn
    /// has come.
    pub(crate) fn enter(&mut self, beside: usize, waiter: impl FnOnce() -> W) -> (Ticket, bool) {
        let ticket = Ticket {
            beside,
            number: self.next,
        };
        self.next += 1;
        let taken = self.free > 0;
        if taken {
            self.free -= 1;
        } else {
            self.waiting.insert(ticket, waiter());
        }
        (ticket, taken)
    }

    /// Gives back a place, or a claim; gives who has the place now, if anybody was waiting.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<W> {
        if self.waiting.remove(&ticket).is_some() {
            return None;
        }
        let next = self.waiting.pop_first().map(|(_, waiter)| waiter);
        if next.is_none() {
            self.free += 1;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn those_with_nothing_under_way_come_first_and_then_the_oldest() {
        let mut slots = Slots::new(1);
        let (first, taken) = slots.enter(0, || "");
        assert!(taken);
        for (beside, name) in [(1, "greedy"), (0, "a"), (2, "greedier"), (0, "b")] {
            assert!(!slots.enter(beside, || name).1);
        }
        let mut order = vec![slots.leave(first)];
        // Whoever holds the only place gives it back; its own ticket is no longer among the waiting ones.
        order.extend((0..4).map(|_| slots.leave(first)));
        assert_eq!(
            order,
            [Some("a"), Some("b"), Some("greedy"), Some("greedier"), None]
        );
        assert!(slots.enter(9, || "").1, "free again");
    }

    #[test]
    fn who_gives_up_waiting_frees_nothing() {
        let mut slots = Slots::new(1);
        let (held, _) = slots.enter(0, || 0);
        let (given_up, _) = slots.enter(0, || 1);
        assert_eq!(slots.leave(given_up), None);
        assert!(!slots.enter(0, || 2).1, "still full");
        assert_eq!(slots.leave(held), Some(2));
    }

    proptest! {
        /// However many come and go, places are neither lost nor made.
        #[test]
        fn places_are_kept(places in 1..5usize, moves in vec((any::<bool>(), 0..9usize), 0..200)) {
            let mut slots = Slots::new(places);
            let (mut holding, mut claims) = (Vec::new(), Vec::new());
            for (number, (comes, which)) in moves.into_iter().enumerate() {
                if comes || holding.is_empty() {
                    let (ticket, taken) = slots.enter(which % 3, || number);
                    if taken { holding.push(ticket) } else { claims.push((number, ticket)) }
                } else if let Some(next) = slots.leave(holding.swap_remove(which % holding.len())) {
                    let index = claims.iter().position(|(number, _)| *number == next);
                    prop_assert!(index.is_some(), "a place went to nobody");
                    holding.push(claims.swap_remove(index.unwrap_or_default()).1);
                }
                prop_assert!(holding.len() <= places);
                prop_assert!(claims.is_empty() || holding.len() == places);
                prop_assert_eq!(slots.free, places - holding.len());
            }
        }
    }
}
