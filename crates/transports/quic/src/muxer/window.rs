//! A window of a connection: it grows with what goes through it, measured against the round-trip time, and falls back when
//! it is not used.

use std::time::Duration;

use sinew_core::Instant;

/// A window that takes longer than this to be half used is larger than its reader needs, as in yamux.
pub(crate) const SLOW: Duration = Duration::from_secs(1);

/// What one side may send before the other has read it.
#[derive(Debug)]
pub(crate) struct Window {
    first: u64,
    size: u64,
    max: u64,
    /// When the count began.
    since: Instant,
    /// Bytes that went through it since then.
    used: u64,
}

impl Window {
    pub(crate) fn new(first: u64, max: u64, now: Instant) -> Self {
        Self {
            first,
            size: first,
            max: max.max(first),
            since: now,
            used: 0,
        }
    }

    /// Now.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// A new connection's.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// What it grows to at most.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Whether it is larger than on a new connection.
    pub(crate) fn is_grown(&self) -> bool {
        self.size > self.first
    }

    /// So many bytes went through. The size that fits: twice the size if the window is what holds the sender up, because more
    /// than half of it is used up faster than in two round trips (the measure is go-libp2p's), and half of it if that
    /// takes long.
    pub(crate) fn used(&mut self, now: Instant, bytes: u64, rtt: Duration) -> u64 {
        self.used = self.used.saturating_add(bytes);
        let took = now - self.since;
        let slow = took > SLOW.max(4 * rtt);
        if self.used <= self.size / 2 && !slow {
            return self.size;
        }
        let allowed = 4 * rtt.as_nanos() * u128::from(self.used) / u128::from(self.size.max(1));
        let quick = self.used > self.size / 2 && took.as_nanos() < allowed;
        (self.since, self.used) = (now, 0);
        match (quick, slow) {
            (true, _) => self.max.min(self.size.saturating_mul(2)),
            (false, true) => self.first.max(self.size / 2),
            (false, false) => self.size,
        }
    }

    /// It has another size from now on.
    pub(crate) fn set(&mut self, size: u64) {
        self.size = size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u32) -> Instant {
        Instant::ZERO + MS * millis
    }

    #[test]
    fn a_window_doubles_while_it_is_emptied_quickly() {
        let mut window = Window::new(1000, 3000, Instant::ZERO);
        assert_eq!(window.used(at(1), 500, 10 * MS), 1000, "half of it");
        assert_eq!(window.used(at(2), 1, 10 * MS), 2000);
        // Without memory it stays, and is asked for again.
        assert_eq!(window.used(at(3), 600, 10 * MS), 2000);
        window.set(2000);
        assert_eq!(window.used(at(4), 1001, 10 * MS), 3000);
        window.set(3000);
        assert_eq!(window.used(at(5), 9000, 10 * MS), 3000, "no more");
        assert!(window.is_grown());
    }

    #[test]
    fn a_slow_reader_gets_no_larger_window() {
        let mut window = Window::new(1000, 8000, Instant::ZERO);
        for round in 1..100 {
            assert_eq!(window.used(at(50 * round), 600, 10 * MS), 1000);
        }
    }

    #[test]
    fn a_window_that_is_not_used_falls_back_to_the_first() {
        let mut window = Window::new(1000, 8000, Instant::ZERO);
        window.set(8000);
        let mut sizes = Vec::new();
        for second in 1..6 {
            let size = window.used(at(1001 * second), 300, 10 * MS);
            window.set(size);
            sizes.push(window.size());
        }
        assert_eq!(sizes, [4000, 2000, 1000, 1000, 1000]);
    }
}
