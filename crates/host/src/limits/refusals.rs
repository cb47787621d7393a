//! What was refused: counted always, logged at a bounded rate.

use super::{meter::Meter, whose::Whose};
use sinew_core::{LimitExceeded, Refusals as Count, Resource, ScopeKind};
use sinew_runtime::now;
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Of one kind of scope and one resource, at most one refusal is logged in this time: a flood of refusals must not
/// become a flood of lines.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// A limit that stands in the way, and the kind of scope whose it is.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) kind: ScopeKind,
    pub(crate) error: LimitExceeded,
}

impl Refused {
    /// The limit of `whose` on what `meter` counts.
    pub(crate) fn new(whose: Whose, meter: Meter, asked: u64, used: u64, limit: u64) -> Self {
        let (kind, resource) = (whose.kind(), meter.resource());
        let error = LimitExceeded::new(Limit(meter, whose), resource, asked, used, limit);
        Self { kind, error }
    }

    /// Whether `asked` more fits beside `used` under `limit`; if not, the limit of `whose` stands in the way.
    pub(crate) fn unless_fits(
        whose: impl FnOnce() -> Whose,
        meter: Meter,
        asked: u64,
        used: u64,
        limit: u64,
    ) -> Result<(), Self> {
        if used.checked_add(asked).is_some_and(|sum| sum <= limit) {
            return Ok(());
        }
        Err(Self::new(whose(), meter, asked, used, limit))
    }
}

/// What is limited, and whose it is.
pub(super) struct Limit<T>(pub(super) T, pub(super) Whose);

impl<T: fmt::Display> fmt::Display for Limit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.0, self.1)
    }
}

/// The refusals of a host since it started.
#[derive(Default, Debug)]
pub(crate) struct Refusals {
    tallies: [[Tally; Resource::ALL.len()]; ScopeKind::ALL.len()],
}

#[derive(Default, Debug)]
struct Tally {
    count: AtomicU64,
    /// When one was last logged, in nanoseconds and one more; zero is never.
    logged: AtomicU64,
}

impl Refusals {
    /// Counts a refusal, and logs it unless one like it was logged a moment ago.
    pub(crate) fn record(&self, refused: &Refused, dry_run: bool) {
        let tally = self.tally(refused.kind, refused.error.resource);
        let count = tally.count.fetch_add(1, Ordering::Relaxed) + 1;
        if tally.may_log() {
            let LimitExceeded {
                scope,
                resource,
                asked,
                used,
                limit,
                ..
            } = &refused.error;
            if *resource == Resource::Unread {
                // Nothing was refused: the connection waits for its readers.
                tracing::debug!(%scope, asked, used, limit, count, dry_run, "over its share of unread bytes");
            } else {
                tracing::warn!(%scope, %resource, asked, used, limit, count, dry_run, "limit reached");
            }
        }
    }

    /// Everything that was counted.
    pub(crate) fn counts(&self) -> Vec<Count> {
        let of = |kind: ScopeKind| {
            Resource::ALL.map(move |resource| {
                let count = self.tally(kind, resource).count.load(Ordering::Relaxed);
                Count::new(kind, resource, count)
            })
        };
        let all = ScopeKind::ALL.into_iter().flat_map(of);
        all.filter(|refusals| refusals.count > 0).collect()
    }

    fn tally(&self, kind: ScopeKind, resource: Resource) -> &Tally {
        let index = |found: Option<usize>| found.expect("every kind and resource is in ALL");
        let kind = index(ScopeKind::ALL.iter().position(|known| *known == kind));
        let resource = index(Resource::ALL.iter().position(|known| *known == resource));
        &self.tallies[kind][resource]
    }
}

impl Tally {
    fn may_log(&self) -> bool {
        let interval = u64::try_from(LOG_INTERVAL.as_nanos()).unwrap_or(u64::MAX);
        let (now, last) = (now().0 + 1, self.logged.load(Ordering::Relaxed));
        let due = last == 0 || now.saturating_sub(last) >= interval;
        // Of several at once, one logs.
        due && self
            .logged
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}
