//! The race of a plan: what is started when, as attempts go on, connect and fail.

use super::plan::Planned;
use sinew_machine::Instant;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Addresses of one dial that are tried at once, as many as go-libp2p's dialler tries for a peer.
pub(crate) const AT_ONCE: usize = 8;

/// How long nothing new is started for an address that is connected and agrees on security and a muxer:
/// go-libp2p's number. Most connections are complete by then, and a second one would be for nothing.
const PATIENCE: Duration = Duration::from_millis(250);

/// A race.
///
/// Whatever is planned is started at its time. When nothing runs any more, the rest of the plan moves up to now.
#[derive(Debug)]
pub(crate) struct Schedule {
    begun: Instant,
    waiting: VecDeque<Planned>,
    /// How far the plan has moved up.
    ahead: Duration,
    /// What runs, and until when others wait for it.
    running: BTreeMap<usize, Option<Instant>>,
}

impl Schedule {
    /// A race that begins now.
    pub(crate) fn new(plan: Vec<Planned>, now: Instant) -> Self {
        Self {
            begun: now,
            waiting: plan.into(),
            ahead: Duration::ZERO,
            running: BTreeMap::new(),
        }
    }

    /// The address to start now, if there is one. Asked until there is none.
    pub(crate) fn start(&mut self, now: Instant) -> Option<usize> {
        let first = *self.waiting.front()?;
        if self.running.is_empty() {
            self.ahead = self.ahead.max(self.begun + first.delay - now);
        } else if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        self.waiting.pop_front();
        self.running.insert(first.index, None);
        Some(first.index)
    }

    /// When to ask again, if nothing comes to an end before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let next = self.waiting.front().filter(|_| self.running.len() < AT_ONCE)?;
        let planned = self.begun + next.delay.saturating_sub(self.ahead);
        let held = self.running.values().flatten().max();
        Some(held.map_or(planned, |held| planned.max(*held)))
    }

    /// The transport of an address is connected; the rest of the connection is under way.
    pub(crate) fn connected(&mut self, index: usize, now: Instant) {
        if let Some(held) = self.running.get_mut(&index) {
            *held = Some(now + PATIENCE);
        }
    }

    /// An address failed.
    pub(crate) fn failed(&mut self, index: usize) {
        self.running.remove(&index);
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, Schedule};
    use crate::machine::plan::Planned;
    use proptest::{collection::vec, prelude::*};
    use sinew_machine::Instant;
    use std::time::Duration;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(5000 + millis)
    }

    fn schedule(delays: &[u64]) -> Schedule {
        let planned = |(index, delay): (usize, &u64)| Planned {
            index,
            delay: Duration::from_millis(*delay),
        };
        Schedule::new(delays.iter().enumerate().map(planned).collect(), at(0))
    }

    fn started(schedule: &mut Schedule, now: Instant) -> Vec<usize> {
        std::iter::from_fn(|| schedule.start(now)).collect()
    }

    #[test]
    fn each_at_its_time_and_equals_together() {
        let mut race = schedule(&[0, 250, 500, 500]);
        assert_eq!(started(&mut race, at(0)), [0]);
        assert_eq!(race.deadline(), Some(at(250)));
        assert_eq!(started(&mut race, at(249)), []);
        assert_eq!(started(&mut race, at(250)), [1]);
        assert_eq!(started(&mut race, at(500)), [2, 3]);
        assert_eq!(race.deadline(), None);
    }

    #[test]
    fn when_nothing_runs_the_rest_moves_up_and_keeps_its_gaps() {
        let mut race = schedule(&[0, 250, 500]);
        assert_eq!(started(&mut race, at(0)), [0]);
        race.failed(0);
        assert_eq!(started(&mut race, at(10)), [1]);
        assert_eq!(race.deadline(), Some(at(260)), "a quarter of a second behind");
        race.failed(1);
        assert_eq!(started(&mut race, at(20)), [2]);
        race.failed(2);
        assert_eq!((started(&mut race, at(30)), race.deadline()), (vec![], None));
    }

    #[test]
    fn a_failure_beside_others_changes_nothing() {
        let mut race = schedule(&[0, 100, 500]);
        assert_eq!(started(&mut race, at(100)), [0, 1]);
        race.failed(1);
        assert_eq!(race.deadline(), Some(at(500)));
        assert_eq!(started(&mut race, at(200)), []);
    }

    #[test]
    fn a_connected_address_is_waited_for_and_not_for_ever() {
        let mut race = schedule(&[0, 250, 500]);
        assert_eq!(started(&mut race, at(0)), [0]);
        race.connected(0, at(200));
        assert_eq!(started(&mut race, at(250)), []);
        assert_eq!(race.deadline(), Some(at(450)));
        assert_eq!(started(&mut race, at(450)), [1]);
        race.connected(1, at(460));
        race.failed(1);
        assert_eq!(
            race.deadline(),
            Some(at(500)),
            "the hold of what failed has gone with it"
        );
    }

    #[test]
    fn no_more_than_eight_at_once() {
        let mut race = schedule(&[0; 12]);
        assert_eq!(started(&mut race, at(0)).len(), AT_ONCE);
        assert_eq!(race.deadline(), None);
        race.failed(3);
        assert_eq!(started(&mut race, at(1)), [8]);
    }

    proptest! {
        /// Whatever fails and connects when: each address is started once, in order, never more than eight at once,
        /// and none earlier than planned unless nothing ran.
        #[test]
        fn every_address_gets_its_turn(delays in vec(0..2000u64, 1..40), fates in vec((0..800u64, any::<bool>()), 40)) {
            let mut delays = delays;
            delays.sort_unstable();
            delays[0] = 0;
            let mut race = schedule(&delays);
            let (mut now, mut running, mut seen) = (at(0), Vec::<(Instant, usize)>::new(), Vec::new());
            loop {
                let idle = running.is_empty();
                for (place, index) in started(&mut race, now).into_iter().enumerate() {
                    let early = now < at(delays[index]);
                    prop_assert!(!early || idle || place > 0 || race.ahead > Duration::ZERO);
                    let (lasts, connects) = fates[index % fates.len()];
                    if connects {
                        race.connected(index, now);
                    }
                    running.push((now + Duration::from_millis(lasts + 1), index));
                    seen.push(index);
                }
                prop_assert!(running.len() <= AT_ONCE);
                let Some(end) = running.iter().map(|(end, _)| *end).min() else { break };
                now = race.deadline().map_or(end, |deadline| deadline.min(end)).max(now);
                running.retain(|(end, index)| {
                    let over = *end <= now;
                    if over {
                        race.failed(*index);
                    }
                    !over
                });
            }
            prop_assert_eq!(seen, (0..delays.len()).collect::<Vec<_>>());
        }
    }
}
