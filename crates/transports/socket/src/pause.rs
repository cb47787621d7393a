//! The pause after an accept that failed for want of something: open files, memory.

use std::time::Duration;

use sinew_machine::Instant;

/// The first pause: long enough that a full table of files costs no processor time.
const FIRST: Duration = Duration::from_millis(50);

/// The longest pause: the backlog holds a second of arrivals.
const LONGEST: Duration = Duration::from_secs(1);

/// When accepting goes on after failures in a row.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Pause {
    last: Option<Duration>,
    until: Instant,
}

impl Pause {
    /// Accepting failed: the next pause begins, twice as long as the last.
    pub(crate) fn failed(&mut self, now: Instant) {
        let length = self.last.map_or(FIRST, |last| LONGEST.min(last * 2));
        self.last = Some(length);
        self.until = now + length;
    }

    /// Accepting works again.
    pub(crate) fn over(&mut self) {
        *self = Self::default();
    }

    /// When to accept again; `None` without a pause.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.last.map(|_| self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_end_with_success() {
        let (mut pause, now) = (Pause::default(), Instant::ZERO);
        assert_eq!(pause.until(), None);
        let mut lengths = Vec::new();
        for _ in 0..7 {
            pause.failed(now);
            lengths.push(pause.until().map(|until| (until - now).as_millis()));
        }
        assert_eq!(lengths, [50, 100, 200, 400, 800, 1000, 1000].map(Some));
        pause.over();
        assert_eq!(pause.until(), None);
        pause.failed(now);
        assert_eq!(pause.until(), Some(now + FIRST));
    }
}
