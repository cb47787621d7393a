//! Who asks, and how often.

use crate::{Admission, Meter};
use sinew_core::PeerId;
use sinew_machine::Instant;
use sinew_runtime::now;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How often peers that owe nothing are looked for: they are small.
const SWEEP: Duration = Duration::from_secs(10);

/// The peers that asked of late.
#[derive(Default)]
pub(crate) struct Askers {
    meters: Mutex<Meters>,
}

#[derive(Default)]
struct Meters {
    by_peer: HashMap<PeerId, Meter>,
    swept: Instant,
}

impl Askers {
    /// Counts a request of `peer`.
    pub(crate) fn ask(&self, peer: PeerId) -> Admission {
        let (now, mut meters) = (now(), self.meters.lock().unwrap_or_else(PoisonError::into_inner));
        if now - meters.swept > SWEEP {
            meters.swept = now;
            meters.by_peer.retain(|_, meter| !meter.is_forgettable(now));
        }
        meters.by_peer.entry(peer).or_default().ask(now)
    }
}
