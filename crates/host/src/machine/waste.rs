//! What streams cost that come to nothing, in tokens of their connection's budget: those that reach no handler, and those
//! that are reset for what came over them.

use sinew_core::NegotiationError;

/// For being too long, in few messages or many (`sinew-multistream`, `MAX_MESSAGES`).
const LONGEST: u64 = 64;

/// The least, however soon it ended: the header and a proposal. Who cancels a stream before its handler has it pays no
/// more, and may do so 25 times a second for ever.
const SHORT: u64 = 2;

/// What a stream costs that is reset because the remote broke a rule of its protocol, after all that was done for it: a hundred
/// at once, and five a second for ever. Whoever has only a fault comes again later than that.
pub(crate) const VIOLATION: u64 = 10;

/// What a negotiation costs in which `answered` proposals and lists were answered: a token a message.
pub(crate) fn cost(answered: u64, error: &NegotiationError) -> u64 {
    match error {
        NegotiationError::TooLong(_) => LONGEST,
        _ => (1 + answered).max(SHORT),
    }
}

#[cfg(test)]
mod tests {
    use super::{VIOLATION, cost};
    use sinew_core::NegotiationError;
    use sinew_machine::{Budget, Instant};
    use std::time::Duration;

    #[test]
    fn every_message_of_a_negotiation_that_comes_to_nothing_is_paid_for() {
        let unsupported = NegotiationError::Unsupported(Vec::new());
        let reset = NegotiationError::Io(std::io::ErrorKind::ConnectionReset.into());
        for (answered, error, expected) in [
            (64, &NegotiationError::TooLong("messages"), 64),
            (2, &NegotiationError::TooLong("bytes"), 64),
            (0, &unsupported, 2),
            (1, &unsupported, 2),
            (62, &unsupported, 63),
            (62, &reset, 63),
            (0, &reset, 2),
            (0, &NegotiationError::Ended, 2),
        ] {
            assert_eq!(cost(answered, error), expected, "{answered} {error}");
        }
    }

    #[test]
    fn honest_mistakes_do_not_spend_the_budget() {
        let mut honest = Budget::new(Instant::ZERO);
        let unsupported = NegotiationError::Unsupported(Vec::new());
        for second in 0..600 {
            let now = Instant::ZERO + Duration::from_secs(second);
            let paid = (0..20).all(|_| honest.charge(now, cost(1, &unsupported)).is_ok());
            assert!(paid, "second {second}");
        }
    }

    #[test]
    fn nor_does_a_fault_now_and_then() {
        let mut faulty = Budget::new(Instant::ZERO);
        for second in 0..600 {
            let now = Instant::ZERO + Duration::from_secs(second);
            let paid = (0..5).all(|_| faulty.charge(now, VIOLATION).is_ok());
            assert!(paid, "second {second}");
        }
    }
}
