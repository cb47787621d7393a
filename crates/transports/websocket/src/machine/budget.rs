//! The budget of a connection for frames without content.

use sinew_machine::Instant;

use super::FrameError;

/// Tokens that a connection starts with and can hold at most, as yamux allows useless frames. Honest peers send a ping every
/// twenty seconds or none.
pub const BUDGET: u64 = 1_000;

/// A token in units of the bucket: 20 ms, so that time refills 50 tokens a second.
const TOKEN: u64 = 20_000_000;

/// Units that one byte of content earns: 256 of them are a token.
const BYTE: u64 = TOKEN / 256;

/// A bucket of tokens, refilled by time and by content.
#[derive(Debug)]
pub(super) struct Budget {
    units: u64,
    filled: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            units: BUDGET * TOKEN,
            filled: now,
        }
    }

    /// Earns what `bytes` of content are worth.
    pub(super) fn earn(&mut self, bytes: usize) {
        let earned = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(BYTE);
        self.units = self.units.saturating_add(earned).min(BUDGET * TOKEN);
    }

    /// Pays for a frame without content.
    pub(super) fn charge(&mut self, now: Instant) -> Result<(), FrameError> {
        let passed = now.0.saturating_sub(self.filled.0);
        self.filled = self.filled.max(now);
        self.units = self.units.saturating_add(passed).min(BUDGET * TOKEN);
        self.units = self.units.checked_sub(TOKEN).ok_or(FrameError::Flood)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spend(budget: &mut Budget, now: Instant) -> u64 {
        std::iter::from_fn(|| budget.charge(now).ok()).count() as u64
    }

    #[test]
    fn a_thousand_then_fifty_a_second_and_one_for_256_bytes() {
        let mut budget = Budget::new(Instant::ZERO);
        assert_eq!(spend(&mut budget, Instant::ZERO), BUDGET);
        assert_eq!(budget.charge(Instant::ZERO), Err(FrameError::Flood));
        let later = Instant::ZERO + Duration::from_secs(2);
        assert_eq!(spend(&mut budget, later), 100);
        budget.earn(255);
        assert_eq!(spend(&mut budget, later), 0);
        budget.earn(1);
        assert_eq!(spend(&mut budget, later), 1);
        budget.earn(usize::MAX);
        assert_eq!(spend(&mut budget, later), BUDGET);
    }
}
