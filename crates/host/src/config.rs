//! Limits and deadlines of a host.

mod capacity;
mod limits;
mod rate;
mod watermarks;

use crate::machine::idle::Idle;
pub use limits::Limits;
pub use rate::Rate;
use std::time::Duration;
pub use watermarks::Watermarks;

/// How long things may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Timeouts {
    /// An inbound connection agrees on its security protocol.
    pub inbound_first: Duration,
    /// An inbound connection is established.
    pub inbound: Duration,
    /// An inbound connection is established, while more than half of the pending places are taken.
    pub inbound_crowded: Duration,
    /// One address of a dial.
    pub outbound: Duration,
    /// An inbound stream agrees on its protocol.
    pub negotiation: Duration,
    /// A connection that nobody uses: no handle, no stream, no protection.
    pub idle: Duration,
    /// A connection that nobody uses, beside a better one to the same peer.
    pub spare: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            inbound_first: Duration::from_secs(5),
            inbound: Duration::from_secs(10),
            inbound_crowded: Duration::from_secs(3),
            outbound: Duration::from_secs(10),
            negotiation: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            spare: Duration::from_secs(10),
        }
    }
}

/// The least time that an unused connection stays: it is also how often a connection looks whether it is used.
const LEAST_IDLE: Duration = Duration::from_millis(100);

impl Timeouts {
    pub(crate) fn idle_policy(&self) -> Idle {
        Idle {
            last: self.idle.max(LEAST_IDLE),
            spare: self.spare.min(self.idle).max(LEAST_IDLE),
        }
    }
}
