//! How a suite says what is wrong, and how its checks are run.

use std::{error::Error, fmt, future::Future, time::Duration};

use sinew_runtime::timeout;

/// A check that takes longer hangs. Sound checks take well under a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A rule that an implementation breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Breach {
    /// The check that found it.
    pub check: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

/// What went wrong in a check. Made of any error, so that `?` works in checks.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) String);

impl<E: Error> From<E> for Fault {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

impl Fault {
    /// Says what happened.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// The outcome of a check.
pub(crate) type Check = Result<(), Fault>;

/// Says what was being done when an error came.
pub(crate) trait During<T> {
    fn during(self, what: &str) -> Result<T, Fault>;
}

impl<T, E: Into<Fault>> During<T> for Result<T, E> {
    fn during(self, what: &str) -> Result<T, Fault> {
        self.map_err(|error| Fault(format!("{what}: {}", error.into().0)))
    }
}

/// Fails the check unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::fault::Fault(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

/// Runs the checks of a suite and gathers what they find.
#[derive(Default)]
pub(crate) struct Run {
    breaches: Vec<Breach>,
}

impl Run {
    /// Runs one check.
    pub(crate) async fn check(&mut self, check: &'static str, outcome: impl Future<Output = Check>) {
        let what = match timeout(PATIENCE, outcome).await {
            Ok(Ok(())) => return,
            Ok(Err(Fault(what))) => what,
            Err(_) => "hangs".to_owned(),
        };
        self.breaches.push(Breach { check, what });
    }

    /// What was found.
    pub(crate) fn breaches(self) -> Vec<Breach> {
        self.breaches
    }
}

/// Panics with all that was found.
pub(crate) fn assert_none(breaches: &[Breach]) {
    let lines: String = breaches.iter().map(|breach| format!("\n  {breach}")).collect();
    assert!(breaches.is_empty(), "{} breach(es):{lines}", breaches.len());
}
