//! When the pushes of one peer are taken: at once, and then at most once a second, all that have come by then together.
//!
//! ```text
//!            arrive: lead at once, or          take               arrive: join
//!            a second after the last                              +---------+
//!   Quiet ----------------------------> Waiting ----------> Taking          |
//!     ^                                  |    ^              |  ^           |
//!     |                                  +----+              |  +-----------+
//!     |                               arrive: join           |
//!     +------------------------------------------------------+--> Waiting, if some came meanwhile
//!                            done: nothing came meanwhile
//! ```
//!
//! Pushes wait unread, so many of them cost their sender its streams and us little: beyond [`MAX_WAITING`] they are
//! refused, and since the last one counts, the peer is asked instead. Beyond [`MAX_REFUSED`] it is a flood.

use super::PUSH_INTERVAL;
use sinew_machine::Instant;
use std::time::Duration;

/// Pushes of one peer that wait at once: as many inbound identify streams as go-libp2p allows a peer.
pub const MAX_WAITING: usize = 16;

/// Pushes of one peer that are refused until the next is taken; who sends more sends them for their own sake. Reading and
/// refusing as many costs some milliseconds, and a peer that changes that often within a second is not known.
pub const MAX_REFUSED: usize = 256;

/// How long it is known that a push was taken: longer than an answer that it overtook can be under way.
const KEPT: Duration = Duration::from_secs(60);

/// The pushes of one peer; `S` is a push that was not read yet.
#[derive(Debug)]
pub struct Inbox<S> {
    waiting: Vec<S>,
    last: Option<Instant>,
    phase: Phase,
    refused: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Quiet,
    Waiting,
    Taking,
}

/// What becomes of a push that came.
#[derive(PartialEq, Eq, Debug)]
pub enum Arrival<S> {
    /// Whoever brought it takes what waits at this time, with [`Inbox::take`].
    Lead(Instant),
    /// Somebody else will take it.
    Join,
    /// Too many wait.
    Refused(S),
    /// Too many were refused: whoever sends them should not stay.
    Flood(S),
}

impl<S> Default for Inbox<S> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            last: None,
            phase: Phase::Quiet,
            refused: 0,
        }
    }
}

impl<S> Inbox<S> {
    /// Takes in a push.
    pub fn arrive(&mut self, now: Instant, push: S) -> Arrival<S> {
        if self.waiting.len() >= MAX_WAITING {
            self.refused += 1;
            return if self.refused > MAX_REFUSED {
                Arrival::Flood(push)
            } else {
                Arrival::Refused(push)
            };
        }
        self.waiting.push(push);
        if self.phase != Phase::Quiet {
            return Arrival::Join;
        }
        self.phase = Phase::Waiting;
        Arrival::Lead(self.next(now))
    }

    /// All pushes that wait, oldest first, and whether newer ones were refused.
    pub fn take(&mut self, now: Instant) -> (Vec<S>, bool) {
        self.phase = Phase::Taking;
        self.last = Some(now);
        let missed = std::mem::take(&mut self.refused) > 0;
        (std::mem::take(&mut self.waiting), missed)
    }

    /// What was taken is done with. When to take what came meanwhile, if something did.
    pub fn done(&mut self, now: Instant) -> Option<Instant> {
        if self.waiting.is_empty() {
            self.phase = Phase::Quiet;
            return None;
        }
        self.phase = Phase::Waiting;
        Some(self.next(now))
    }

    /// Whether a push was taken after `moment`.
    pub fn has_taken_since(&self, moment: Instant) -> bool {
        self.last.is_some_and(|last| last > moment)
    }

    /// Whether nothing is left that matters to anybody.
    pub fn is_forgettable(&self, now: Instant) -> bool {
        self.phase == Phase::Quiet && self.last.is_none_or(|last| now - last > KEPT)
    }

    fn next(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| now.max(last + PUSH_INTERVAL))
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, Inbox, MAX_REFUSED, MAX_WAITING, PUSH_INTERVAL};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use sinew_machine::Instant;
    use std::time::Duration;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn the_first_is_taken_at_once_and_those_of_the_next_second_together() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.arrive(at(0), 1), Arrival::Lead(at(0)));
        assert_eq!(inbox.take(at(0)), (vec![1], false));
        assert_eq!(inbox.done(at(5)), None);
        assert!(!inbox.has_taken_since(at(0)));
        assert_eq!(inbox.arrive(at(10), 2), Arrival::Lead(at(1000)));
        assert_eq!(inbox.arrive(at(500), 3), Arrival::Join);
        assert_eq!(inbox.take(at(1000)), (vec![2, 3], false));
        assert_eq!(
            inbox.arrive(at(1001), 4),
            Arrival::Join,
            "while the others are read"
        );
        assert_eq!(inbox.done(at(1002)), Some(at(2000)));
        assert_eq!(inbox.take(at(2000)), (vec![4], false));
        assert_eq!(inbox.done(at(2000)), None);
        assert!(inbox.has_taken_since(at(1999)));
        assert!(!inbox.is_forgettable(at(62_000)) && inbox.is_forgettable(at(62_001)));
    }

    #[test]
    fn what_is_refused_is_not_forgotten() {
        let mut inbox = Inbox::default();
        for n in 0..MAX_WAITING {
            assert!(!matches!(inbox.arrive(at(0), n), Arrival::Refused(_)));
        }
        assert_eq!(inbox.arrive(at(1), 99), Arrival::Refused(99));
        let (taken, missed) = inbox.take(at(1));
        assert_eq!((taken.len(), missed), (MAX_WAITING, true));
        assert_eq!(inbox.take(at(1)), (vec![], false));
    }

    #[test]
    fn a_flood_is_called_one() {
        let mut inbox = Inbox::default();
        let refused = MAX_WAITING..MAX_WAITING + MAX_REFUSED;
        for n in 0..MAX_WAITING + MAX_REFUSED {
            let arrival = inbox.arrive(at(0), n);
            assert_eq!(
                matches!(arrival, Arrival::Refused(_)),
                refused.contains(&n),
                "{n}"
            );
        }
        assert_eq!(inbox.arrive(at(1), 999), Arrival::Flood(999));
    }

    proptest! {
        #[test]
        fn each_push_is_taken_once_in_order_and_never_two_times_a_second(
            gaps in prop::collection::vec((0u64..400, any::<bool>()), 1..200),
        ) {
            let (mut inbox, mut now, mut lead) = (Inbox::default(), 0, None);
            let (mut sent, mut refused, mut taken, mut last) = (Vec::new(), Vec::new(), Vec::new(), None::<Instant>);
            for (n, (gap, slow)) in gaps.into_iter().enumerate() {
                now += gap;
                while let Some(due) = lead.filter(|due| *due <= at(now)) {
                    prop_assert!(last.is_none_or(|last| due - last >= PUSH_INTERVAL));
                    last = Some(due);
                    taken.extend(inbox.take(due).0);
                    lead = inbox.done(due);
                    if slow { break }
                }
                sent.push(n);
                match inbox.arrive(at(now), n) {
                    Arrival::Lead(due) => lead = Some(due),
                    Arrival::Join => {}
                    Arrival::Refused(n) | Arrival::Flood(n) => refused.push(n),
                }
            }
            taken.extend(inbox.take(at(now)).0);
            sent.retain(|n| !refused.contains(n));
            prop_assert_eq!(taken, sent);
        }
    }
}
