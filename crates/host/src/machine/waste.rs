//! What a connection may waste on negotiations that reach no handler.

use sinew_core::NegotiationError;
use sinew_machine::Instant;
use std::time::Duration;

/// Messages that may be wasted at once: as many as yamux allows useless frames.
const TOKENS: u64 = 1000;

/// One more may be wasted each time this has passed: 50 a second, as in yamux.
const A_TOKEN: Duration = Duration::from_millis(20);

/// What a negotiation costs that was ended for being too long, in few messages or many (`sinew-multistream`,
/// `MAX_MESSAGES`).
const LONGEST: u64 = 64;

/// The least that a negotiation costs which came to nothing: the header and a proposal.
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

    /// Charges a negotiation that reached no handler, in which `answered` proposals and lists were answered; `false`
    /// when the budget is spent.
    pub(crate) fn charge(&mut self, now: Instant, answered: u64, error: &NegotiationError) -> bool {
        let tokens = u64::try_from((now - self.filled).as_nanos() / A_TOKEN.as_nanos()).unwrap_or(TOKENS);
        if self.tokens.saturating_add(tokens) >= TOKENS {
            *self = Self::new(now);
        } else {
            self.tokens += tokens;
            self.filled = self.filled + A_TOKEN * u32::try_from(tokens).expect("fewer than TOKENS");
        }
        let cost = match error {
            NegotiationError::TooLong(_) => LONGEST,
            // A reset before any payload is charged by the muxer.
            NegotiationError::Io(_) if answered == 0 => 0,
            _ => (1 + answered).max(SHORT),
        };
        let left = self.tokens.checked_sub(cost);
        self.tokens = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, TOKENS};
    use sinew_core::NegotiationError;
    use sinew_machine::Instant;
    use std::time::Duration;

    /// How many negotiations in a row one budget pays for.
    fn paid(answered: u64, error: &NegotiationError) -> u64 {
        let mut budget = Budget::new(Instant::ZERO);
        (0..TOKENS)
            .take_while(|_| budget.charge(Instant::ZERO, answered, error))
            .count() as u64
    }

    #[test]
    fn every_message_of_a_negotiation_that_comes_to_nothing_is_paid_for() {
        let unsupported = NegotiationError::Unsupported(Vec::new());
        let reset = NegotiationError::Io(std::io::ErrorKind::ConnectionReset.into());
        for (answered, error, expected) in [
            (64, &NegotiationError::TooLong("messages"), TOKENS / 64),
            (2, &NegotiationError::TooLong("bytes"), TOKENS / 64),
            (0, &unsupported, TOKENS / 2),
            (1, &unsupported, TOKENS / 2),
            (62, &unsupported, TOKENS / 63),
            (62, &reset, TOKENS / 63),
            (0, &reset, TOKENS),
        ] {
            assert_eq!(paid(answered, error), expected, "{answered} {error}");
        }
    }

    #[test]
    fn honest_mistakes_do_not_spend_it() {
        let (start, mut honest) = (Instant::ZERO, Budget::new(Instant::ZERO));
        let unsupported = NegotiationError::Unsupported(Vec::new());
        for second in 0..600u64 {
            let now = start + Duration::from_secs(second);
            assert!(
                (0..20).all(|_| honest.charge(now, 1, &unsupported)),
                "second {second}"
            );
        }
    }
}
