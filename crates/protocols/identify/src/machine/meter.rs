//! How often one peer may ask: as often as anybody needs, and no flood.

use sinew_machine::Instant;
use std::time::Duration;

/// What one request costs: 32 a second are free for ever. One a connection is what peers make.
const COST: Duration = Duration::from_nanos(1_000_000_000 / 32);

/// How much a peer may owe: 256 requests at once.
const BURST: Duration = Duration::from_secs(8);

/// The requests of one peer, as a debt that time pays off.
#[derive(Default, Debug)]
pub struct Meter {
    debt: Duration,
    counted: Instant,
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It is answered.
    Answer,
    /// Too many came.
    Refuse,
    /// As many again came: whoever sends them should not stay.
    Flood,
}

impl Meter {
    /// Counts a request.
    pub fn ask(&mut self, now: Instant) -> Admission {
        self.debt = self.left(now) + COST;
        self.counted = now;
        match self.debt {
            debt if debt <= BURST => Admission::Answer,
            debt if debt <= BURST * 2 => Admission::Refuse,
            _ => Admission::Flood,
        }
    }

    /// Whether nothing is left that a new meter would not know.
    pub fn is_forgettable(&self, now: Instant) -> bool {
        self.left(now).is_zero()
    }

    fn left(&self, now: Instant) -> Duration {
        self.debt.saturating_sub(now - self.counted)
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, Meter};
    use sinew_machine::Instant;
    use std::time::Duration;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(1000) + Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_is_answered_more_is_refused_and_a_flood_is_called_one() {
        let mut meter = Meter::default();
        let asked: Vec<_> = (0..600).map(|_| meter.ask(at(0))).collect();
        assert!(
            asked[..256]
                .iter()
                .all(|admission| *admission == Admission::Answer)
        );
        assert!(
            asked[256..512]
                .iter()
                .all(|admission| *admission == Admission::Refuse)
        );
        assert!(
            asked[512..]
                .iter()
                .all(|admission| *admission == Admission::Flood)
        );
    }

    #[test]
    fn time_pays_off() {
        let mut meter = Meter::default();
        assert!((0..10_000).all(|n| meter.ask(at(n * 32)) == Admission::Answer));
        let now = 10_000 * 32;
        assert!(!meter.is_forgettable(at(now - 10)));
        assert!(meter.is_forgettable(at(now + 1000)));
    }
}
