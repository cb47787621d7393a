//! The bytes that streams carry, and what they earn the remote: the right to open some in vain.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use sinew_core::Instant;
use sinew_machine::{Budget, Spent};

/// Bytes of all streams of a connection so far, and the budget for streams that come to nothing.
#[derive(Debug)]
pub(crate) struct Payload {
    read: AtomicU64,
    written: AtomicU64,
    budget: Mutex<Earning>,
}

#[derive(Debug)]
struct Earning {
    budget: Budget,
    /// Bytes that have earned already.
    counted: u64,
}

impl Payload {
    pub(crate) fn new(now: Instant) -> Self {
        let budget = Budget::new(now);
        Self {
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            budget: Mutex::new(Earning { budget, counted: 0 }),
        }
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// So many more were read; how many it are now.
    pub(crate) fn add_read(&self, bytes: usize) -> u64 {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64
    }

    /// So many more were written.
    pub(crate) fn add_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Pays for a stream that came to nothing. What bytes have earned meanwhile counts first: adding it before each payment
    /// is the same as adding it at once.
    pub(crate) fn charge(&self, now: Instant) -> Result<(), Spent> {
        let bytes = self.read() + self.written();
        let mut earning = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let new = bytes.saturating_sub(earning.counted);
        earning.counted = earning.counted.max(bytes);
        earning.budget.useful(usize::try_from(new).unwrap_or(usize::MAX));
        earning.budget.charge(now, 1)
    }
}

#[cfg(test)]
mod tests {
    use sinew_machine::BUDGET;

    use super::*;

    fn spend(payload: &Payload) -> u64 {
        std::iter::from_fn(|| payload.charge(Instant::ZERO).ok()).count() as u64
    }

    #[test]
    fn bytes_of_both_directions_earn_once() {
        let payload = Payload::new(Instant::ZERO);
        assert_eq!(spend(&payload), BUDGET);
        assert_eq!(payload.add_read(2560), 2560);
        payload.add_written(1280);
        assert_eq!(spend(&payload), 15);
        assert_eq!(spend(&payload), 0);
    }
}
