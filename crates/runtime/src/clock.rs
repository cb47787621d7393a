//! Clocks: monotonic time since the process began to ask, and wall time for the wire.

use sinew_machine::{Instant, WallTime};
use std::{sync::OnceLock, time::SystemTime};

/// When the process first asked for the time: the epoch of every [`Instant`] in it.
static EPOCH: OnceLock<tokio::time::Instant> = OnceLock::new();

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
    let epoch = *EPOCH.get_or_init(|| at);
    Instant(u64::try_from(at.saturating_duration_since(epoch).as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) fn to_tokio(at: Instant) -> tokio::time::Instant {
    let current = tokio::time::Instant::now();
    current + at.saturating_duration_since(from_tokio(current))
}
