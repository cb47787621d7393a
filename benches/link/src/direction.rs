//! One direction of a link as a pure machine in virtual time: a bounded queue, a line of some rate, a delay, losses.

use crate::random::Random;
use serde::Serialize;
use std::{collections::VecDeque, time::Duration};

/// What a direction is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Bits that the line carries in a second.
    pub(crate) rate: u64,
    /// From the end of the line to the other side.
    pub(crate) delay: Duration,
    /// Bytes that may wait for the line; what comes beyond is dropped.
    pub(crate) queue: u64,
    /// Of a million packets so many are lost behind the line, at random.
    pub(crate) loss: u32,
}

/// What has become of the packets.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub(crate) struct Counts {
    /// They came out at the other side.
    pub(crate) carried: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Lost at random.
    pub(crate) lost: u64,
    /// Dropped, because the queue was full.
    pub(crate) dropped: u64,
    /// Carried, and out more than a millisecond after their time: what the machine was too busy for.
    pub(crate) late: u64,
}

/// How late a packet may come out without being counted as late.
const PUNCTUAL: Duration = Duration::from_millis(1);

/// One direction.
#[derive(Debug)]
pub(crate) struct Direction {
    settings: Settings,
    random: Random,
    /// When the line will have sent all that it has taken.
    free: Duration,
    /// What is on its way, in the order in which it comes out.
    under_way: VecDeque<(Duration, Vec<u8>)>,
    counts: Counts,
}

impl Direction {
    /// An idle one; the same seed loses the same packets.
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            random: Random::new(seed),
            free: Duration::ZERO,
            under_way: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Takes a packet, unless the queue is full or it is one that gets lost.
    pub(crate) fn take(&mut self, now: Duration, packet: &[u8]) {
        let begins = self.free.max(now);
        let waiting = self.carried_in(begins - now);
        let length = packet.len() as u64;
        if waiting + length > self.settings.queue {
            self.counts.dropped += 1;
            return;
        }
        self.free = begins + self.time_of(length);
        if self.random.below(1_000_000) < self.settings.loss {
            self.counts.lost += 1;
            return;
        }
        self.under_way
            .push_back((self.free + self.settings.delay, packet.to_vec()));
    }

    /// When the next packet comes out.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.under_way.front().map(|&(when, _)| when)
    }

    /// The next packet, if its time has come.
    pub(crate) fn out(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.next().filter(|when| *when <= now)?;
        let (when, packet) = self.under_way.pop_front()?;
        self.counts.carried += 1;
        self.counts.bytes += packet.len() as u64;
        self.counts.late += u64::from(now - when > PUNCTUAL);
        Some(packet)
    }

    /// What has become of the packets so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// How long the line takes for so many bytes.
    fn time_of(&self, bytes: u64) -> Duration {
        Duration::from_nanos(scaled(bytes, 8_000_000_000, self.settings.rate))
    }

    /// How many bytes the line carries in this time.
    fn carried_in(&self, time: Duration) -> u64 {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        scaled(nanos, self.settings.rate, 8_000_000_000)
    }
}

/// `value * by / per`, without an overflow in between.
fn scaled(value: u64, by: u64, per: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(by) / u128::from(per);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// 8 Mbit/s: a byte a microsecond.
    const SETTINGS: Settings = Settings {
        rate: 8_000_000,
        delay: Duration::from_millis(50),
        queue: 3000,
        loss: 0,
    };

    fn drain(direction: &mut Direction) -> Vec<Duration> {
        let mut times = Vec::new();
        while let Some(when) = direction.next() {
            assert_eq!(direction.out(when - Duration::from_nanos(1)), None);
            assert!(direction.out(when).is_some());
            times.push(when);
        }
        times
    }

    #[test]
    fn packets_leave_one_behind_the_other_and_come_out_after_the_delay() {
        let mut direction = Direction::new(SETTINGS, 1);
        direction.take(Duration::ZERO, &[1; 1000]);
        direction.take(Duration::ZERO, &[2; 500]);
        // The line has stood still in between.
        direction.take(10 * MS, &[3; 1000]);
        let halves = [2 * 51, 2 * 51 + 1, 2 * 61].map(|half| half * MS / 2);
        assert_eq!(drain(&mut direction), halves);
        assert_eq!((direction.counts().carried, direction.counts().bytes), (3, 2500));
    }

    #[test]
    fn a_full_queue_drops_until_the_line_has_sent_enough() {
        let mut direction = Direction::new(SETTINGS, 1);
        for _ in 0..5 {
            direction.take(Duration::ZERO, &[0; 1000]);
        }
        assert_eq!(direction.counts().dropped, 2);
        direction.take(MS - Duration::from_micros(1), &[0; 1000]);
        assert_eq!(direction.counts().dropped, 3);
        direction.take(MS, &[0; 1000]);
        assert_eq!(direction.counts().dropped, 3);
        assert_eq!(drain(&mut direction), [51, 52, 53, 54].map(|at| at * MS));
    }

    #[test]
    fn the_rate_holds_however_packets_come() {
        let gigabit = Settings {
            rate: 1_000_000_000,
            queue: u64::MAX,
            ..SETTINGS
        };
        let mut direction = Direction::new(gigabit, 1);
        for number in 0..100_000_u32 {
            direction.take(number * Duration::from_micros(5), &[0; 1500]);
        }
        let last = drain(&mut direction).pop().unwrap();
        assert_eq!(last, Duration::from_micros(1_200_000) + SETTINGS.delay);
    }

    #[test]
    fn losses_are_as_many_as_asked_for_and_the_same_for_the_same_seed() {
        let lossy = Settings {
            loss: 10_000,
            queue: u64::MAX,
            ..SETTINGS
        };
        let run = |seed| {
            let mut direction = Direction::new(lossy, seed);
            for _ in 0..100_000 {
                direction.take(Duration::ZERO, &[0; 10]);
            }
            (direction.counts().lost, drain(&mut direction))
        };
        let (lost, times) = run(7);
        assert!((900..1100).contains(&lost), "{lost}");
        assert_eq!(times.len() as u64, 100_000 - lost);
        assert_eq!(run(7), (lost, times.clone()));
        assert_ne!(run(8).1, times);
    }

    #[test]
    fn what_comes_out_behind_its_time_is_counted() {
        let mut direction = Direction::new(SETTINGS, 1);
        direction.take(Duration::ZERO, &[0; 1000]);
        direction.take(Duration::ZERO, &[0; 1000]);
        assert!(direction.out(52 * MS).is_some());
        assert!(direction.out(54 * MS).is_some());
        assert_eq!(direction.counts().late, 1);
    }
}
