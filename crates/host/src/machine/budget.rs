//! What a connection may waste on negotiations that reach no handler.

use sinew_core::NegotiationError;
use sinew_machine::Instant;
use std::time::Duration;

/// Messages that may be wasted at once: as many as yamux allows useless frames.
const TOKENS: u64 = 1000;

/// One more may be wasted each time this has passed: 50 a second, as in yamux.
const A_TOKEN: Duration = Duration::from_millis(20);

/// Messages of a negotiation that was ended for being too long (`sinew-multistream`, `MAX_MESSAGES`).
const LONGEST: u64 = 64;

/// Messages of a negotiation that came to nothing otherwise: the header and a proposal.
const SHORT: u64 = 2;

/// A budget that fills up again with time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    tokens: u64,
    filled: Instant,
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            tokens: TOKENS,
            filled: now,
        }
    }

    /// Charges a negotiation that reached no handler; `false` when the budget is spent.
    pub(crate) fn charge(&mut self, now: Instant, error: &NegotiationError) -> bool {
        let tokens = u64::try_from((now - self.filled).as_nanos() / A_TOKEN.as_nanos()).unwrap_or(TOKENS);
        if self.tokens.saturating_add(tokens) >= TOKENS {
            *self = Self::new(now);
        } else {
            self.tokens += tokens;
            self.filled = self.filled + A_TOKEN * u32::try_from(tokens).expect("fewer than TOKENS");
        }
        let cost = match error {
            NegotiationError::TooLong(_) => LONGEST,
            // A reset is charged by the muxer.
            NegotiationError::Io(_) => 0,
            _ => SHORT,
        };
        let left = self.tokens.checked_sub(cost);
        self.tokens = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, SHORT, TOKENS};
    use sinew_core::NegotiationError;
    use sinew_machine::Instant;
    use std::time::Duration;

    #[test]
    fn endless_negotiations_spend_it_and_honest_mistakes_do_not() {
        let start = Instant::ZERO;
        let mut flooded = Budget::new(start);
        let charged = (0..100)
            .take_while(|_| flooded.charge(start, &NegotiationError::TooLong("messages")))
            .count();
        assert_eq!(charged, 15, "960 of 1,000 messages");
        let mut honest = Budget::new(start);
        let unsupported = NegotiationError::Unsupported(Vec::new());
        for second in 0..600u64 {
            let now = start + Duration::from_secs(second);
            assert!(
                (0..20).all(|_| honest.charge(now, &unsupported)),
                "second {second}"
            );
        }
        let mut burst = Budget::new(start);
        let charged = (0..TOKENS)
            .take_while(|_| burst.charge(start, &unsupported))
            .count();
        assert_eq!(charged as u64, TOKENS / SHORT);
    }
}
