//! Clocks: monotonic time since the process began to ask, and wall time for the wire.

use sinew_machine::{Instant, WallTime};
use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

/// When the process first asked for the time. Every [`Instant`] in it is told by its distance from that.
static FIRST: OnceLock<tokio::time::Instant> = OnceLock::new();

/// How long after the epoch of [`Instant`] the process first asked. Not zero, because moments before it exist: tests
/// run beside each other, and the paused clock of one may be far ahead of the others' when it asks first.
const FIRST_AFTER_EPOCH: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Monotonic time now. Stands still under a paused tokio clock.
#[must_use]
pub fn now() -> Instant {
    let now = tokio::time::Instant::now();
    from_tokio(now)
}

/// Wall time now, for what stands on the wire.
#[must_use]
pub fn wall_now() -> WallTime {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) fn from_tokio(at: tokio::time::Instant) -> Instant {
    let first = *FIRST.get_or_init(|| at);
    let since_epoch = (FIRST_AFTER_EPOCH + at.saturating_duration_since(first))
        .saturating_sub(first.saturating_duration_since(at));
    Instant(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) fn to_tokio(at: Instant) -> tokio::time::Instant {
    let current = tokio::time::Instant::now();
    current + at.saturating_duration_since(from_tokio(current))
}

#[cfg(test)]
mod tests {
    use super::from_tokio;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn moments_before_the_first_question_are_told_apart() {
        let now = tokio::time::Instant::now();
        let ahead = from_tokio(now + Duration::from_secs(3600));
        assert_eq!(ahead - from_tokio(now), Duration::from_secs(3600));
    }
}
