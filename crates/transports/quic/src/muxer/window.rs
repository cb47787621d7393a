//! How the window of a connection grows: with what is read of it, measured against the round-trip time.

use std::time::Duration;

use sinew_core::Instant;

/// A receive window that doubles while it holds its sender up.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    max: u64,
    /// When the count began.
    since: Instant,
    /// Bytes read since then.
    read: u64,
}

impl Window {
    pub(crate) fn new(size: u64, max: u64, now: Instant) -> Self {
        Self {
            size,
            max: max.max(size),
            since: now,
            read: 0,
        }
    }

    /// Now.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// So many bytes were read. The size to grow to, if the window is what holds the sender up: more than half of it
    /// is used up faster than in two round trips. The measure is go-libp2p's.
    pub(crate) fn read(&mut self, now: Instant, bytes: u64, rtt: Duration) -> Option<u64> {
        self.read = self.read.saturating_add(bytes);
        if self.read <= self.size / 2 {
            return None;
        }
        let allowed = 4 * rtt.as_nanos() * u128::from(self.read) / u128::from(self.size.max(1));
        let quick = (now - self.since).as_nanos() < allowed;
        (self.since, self.read) = (now, 0);
        (quick && self.size < self.max).then(|| self.max.min(self.size.saturating_mul(2)))
    }

    /// Memory for it was found.
    pub(crate) fn grow(&mut self, size: u64) {
        self.size = size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_window_doubles_while_it_is_emptied_quickly() {
        let mut window = Window::new(1000, 3000, Instant::ZERO);
        assert_eq!(window.read(Instant::ZERO + MS, 500, 10 * MS), None, "half of it");
        assert_eq!(window.read(Instant::ZERO + 2 * MS, 1, 10 * MS), Some(2000));
        // Without memory it stays, and is asked for again.
        assert_eq!(window.read(Instant::ZERO + 3 * MS, 600, 10 * MS), Some(2000));
        window.grow(2000);
        assert_eq!(window.read(Instant::ZERO + 4 * MS, 1001, 10 * MS), Some(3000));
        window.grow(3000);
        assert_eq!(
            window.read(Instant::ZERO + 5 * MS, 9000, 10 * MS),
            None,
            "no more"
        );
        assert_eq!(window.size(), 3000);
    }

    #[test]
    fn a_slow_reader_gets_no_larger_window() {
        let mut window = Window::new(1000, 8000, Instant::ZERO);
        let mut now = Instant::ZERO;
        for _ in 0..100 {
            now = now + 50 * MS;
            assert_eq!(window.read(now, 600, 10 * MS), None);
        }
    }
}
