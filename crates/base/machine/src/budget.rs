//! The budget of a connection for useless frames.

use crate::Instant;

/// Tokens that a connection starts with and can hold at most. Floods of a thousand frames take milliseconds,
/// and ten minutes of ordinary traffic of other implementations spend under a tenth of it (measured).
pub const BUDGET: u64 = 1_000;

/// A token in units of the bucket: 20 ms, so that time refills 50 tokens a second one nanosecond at a time.
const TOKEN: u64 = 20_000_000;

/// Units that one useful byte earns: 256 of them are a token.
const BYTE: u64 = TOKEN / 256;

/// The budget is spent: the remote floods the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spent;

/// A bucket of tokens, refilled by time and by useful bytes.
#[derive(Debug)]
pub struct Budget {
    units: u64,
    filled: Instant,
}

impl Budget {
    /// A full one.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            units: BUDGET * TOKEN,
            filled: now,
        }
    }

    /// Earns what `bytes` of payload, in either direction, are worth.
    pub fn useful(&mut self, bytes: usize) {
        let earned = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(BYTE);
        self.units = self.units.saturating_add(earned).min(BUDGET * TOKEN);
    }

    /// Pays `tokens`: one for a useless frame, more for what costs more than that.
    ///
    /// # Errors
    /// [`Spent`] when fewer are left.
    pub fn charge(&mut self, now: Instant, tokens: u64) -> Result<(), Spent> {
        self.refill(now);
        self.units = self
            .units
            .checked_sub(tokens.saturating_mul(TOKEN))
            .ok_or(Spent)?;
        Ok(())
    }

    /// Whole tokens left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.units / TOKEN
    }

    fn refill(&mut self, now: Instant) {
        self.units = self
            .units
            .saturating_add(now.0.saturating_sub(self.filled.0))
            .min(BUDGET * TOKEN);
        self.filled = self.filled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::{BUDGET, Budget, Spent};
    use crate::Instant;
    use std::time::Duration;

    fn spend(budget: &mut Budget, now: Instant) -> u64 {
        std::iter::from_fn(|| budget.charge(now, 1).ok()).count() as u64
    }

    #[test]
    fn a_thousand_tokens_then_a_flood() {
        let mut budget = Budget::new(Instant::ZERO);
        assert_eq!(spend(&mut budget, Instant::ZERO), BUDGET);
        assert_eq!(budget.charge(Instant::ZERO, 1), Err(Spent));
    }

    #[test]
    fn fifty_a_second_and_one_for_256_bytes() {
        let mut budget = Budget::new(Instant::ZERO);
        spend(&mut budget, Instant::ZERO);
        assert_eq!(spend(&mut budget, Instant::ZERO + Duration::from_secs(2)), 100);
        budget.useful(255);
        assert_eq!(budget.left(), 0);
        budget.useful(1);
        assert_eq!(budget.left(), 1);
        budget.useful(usize::MAX);
        assert_eq!(budget.left(), BUDGET, "nothing is saved up beyond the start");
    }

    #[test]
    fn what_costs_more_than_there_is_is_not_paid() {
        let mut budget = Budget::new(Instant::ZERO);
        assert_eq!(budget.charge(Instant::ZERO, BUDGET - 3), Ok(()));
        assert_eq!(budget.charge(Instant::ZERO, 4), Err(Spent));
        assert_eq!(budget.charge(Instant::ZERO, 3), Ok(()));
        assert_eq!(budget.charge(Instant::ZERO, u64::MAX), Err(Spent));
    }
}
