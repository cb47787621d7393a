//! How often something may happen.

use std::time::Duration;

/// How often something may happen: so many times at once, and once more each time the interval has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Rate {
    /// How many times at once.
    pub burst: u32,
    /// After how many milliseconds it may happen once more. With zero, it always may.
    pub refill_ms: u32,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self::new(u32::MAX, 0);

    /// `burst` times at once, and once more each `refill_ms` milliseconds.
    #[must_use]
    pub const fn new(burst: u32, refill_ms: u32) -> Self {
        Self { burst, refill_ms }
    }

    /// After how long it may happen once more.
    pub(crate) fn refill(self) -> Duration {
        Duration::from_millis(self.refill_ms.into())
    }
}
