//! What became of those who connected to the target: why the attackers' connections ended is read from it.

use serde_json::{Value, json};
use sinew_core::{CloseReason, ConnectionInfo, Meter, UpgradeError};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Counts what became of inbound connections, and why established ones ended.
#[derive(Clone, Default, Debug)]
pub(crate) struct Counted(Arc<Mutex<Counts>>);

#[derive(Default, Debug)]
struct Counts {
    accepted: BTreeMap<String, u64>,
    closed: BTreeMap<String, u64>,
}

impl Counted {
    /// The numbers so far.
    pub(crate) fn told(&self) -> Value {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        json!({ "accepted": counts.accepted, "closed": counts.closed })
    }

    fn count(&self, change: impl FnOnce(&mut Counts) -> &mut u64) {
        *change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)) += 1;
    }
}

impl Meter for Counted {
    fn accepted(&self, _: &'static str, _: Duration, outcome: Result<(), &UpgradeError>) {
        let became = match outcome {
            Ok(()) => "established".to_owned(),
            Err(UpgradeError::Evicted) => "evicted".to_owned(),
            Err(UpgradeError::Limit(_)) => "over a limit".to_owned(),
            Err(UpgradeError::Timeout { layer, .. }) => format!("{layer} too late"),
            Err(error) => format!("{} failed", error.layer()),
        };
        self.count(|counts| counts.accepted.entry(became).or_default());
    }

    fn connection_closed(&self, _: &ConnectionInfo, reason: &CloseReason) {
        let reason = match reason {
            CloseReason::Lost(_) => "lost".to_owned(),
            reason => reason.to_string(),
        };
        self.count(|counts| counts.closed.entry(reason).or_default());
    }
}
