//! Tags: what peers are worth to the services of a node, when connections have to be closed.

use std::time::Duration;

/// A reason to keep the connections to a peer. Of the peers that are not protected, those whose values add up to least
/// lose theirs first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Tag {
    /// Its name, one for each reason.
    pub name: &'static str,
    /// How its value changes with time.
    pub decay: Decay,
}

/// How the value of a tag goes back to zero by itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Decay {
    /// It stays until it is changed.
    #[default]
    Never,
    /// A step towards zero each time the interval has passed.
    Linear {
        /// How far.
        step: u32,
        /// How often.
        every: Duration,
    },
    /// Half of it is left each time the interval has passed.
    Halve {
        /// How often.
        every: Duration,
    },
}

impl Tag {
    /// A tag whose value stays.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let decay = Decay::Never;
        Self { name, decay }
    }

    /// Takes a step towards zero each time `every` has passed.
    #[must_use]
    pub const fn linear(mut self, step: u32, every: Duration) -> Self {
        self.decay = Decay::Linear { step, every };
        self
    }

    /// Is halved each time `every` has passed.
    #[must_use]
    pub const fn halved(mut self, every: Duration) -> Self {
        self.decay = Decay::Halve { every };
        self
    }
}

impl From<&'static str> for Tag {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl Decay {
    /// What is left of `value` when `elapsed` has passed, and how much of that time has had its effect: the rest counts
    /// towards the next interval.
    #[must_use]
    pub fn apply(self, value: i32, elapsed: Duration) -> (i32, Duration) {
        let (Self::Linear { every, .. } | Self::Halve { every }) = self else {
            return (value, elapsed);
        };
        let intervals = elapsed.as_nanos().checked_div(every.as_nanos()).unwrap_or(0);
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        let left = match self {
            Self::Linear { step, .. } => {
                let lost = i64::from(step).saturating_mul(i64::from(intervals));
                let size = i64::from(value).abs().saturating_sub(lost).max(0);
                i64::from(value).signum() * size
            }
            _ => i64::from(value) / 2_i64.pow(intervals.min(32)),
        };
        let left = i32::try_from(left).expect("nearer to zero than it was");
        (left, every.saturating_mul(intervals))
    }
}

#[cfg(test)]
mod tests {
    use super::{Decay, Tag};
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn values_go_back_to_zero_and_not_beyond() {
        let linear = Tag::new("t").linear(3, SECOND).decay;
        let halved = Tag::new("t").halved(SECOND).decay;
        for (decay, value, millis, left) in [
            (Decay::Never, 7, 1_000_000, 7),
            (linear, 7, 999, 7),
            (linear, 7, 2_500, 1),
            (linear, 7, 3_000, 0),
            (linear, -7, 2_000, -1),
            (linear, i32::MIN, u64::MAX, 0),
            (halved, 8, 1_999, 4),
            (halved, 8, 4_000, 0),
            (halved, -8, 1_000, -4),
            (halved, i32::MAX, 1_000_000_000, 0),
        ] {
            let after = decay.apply(value, Duration::from_millis(millis));
            assert_eq!(after.0, left, "{decay:?} of {value} after {millis} ms");
        }
        assert_eq!(
            linear.apply(7, Duration::from_millis(2_500)).1,
            2 * SECOND,
            "half a second is left"
        );
        assert_eq!(Tag::new("t").halved(Duration::ZERO).decay.apply(8, SECOND).0, 8);
    }
}
