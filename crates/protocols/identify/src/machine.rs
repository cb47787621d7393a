//! The timed decisions of identify and identify/push, without clock or input and output.

mod inbox;
mod meter;
mod outbox;

pub use inbox::{Arrival, Inbox, MAX_REFUSED, MAX_WAITING};
pub use meter::{Admission, Meter};
pub use outbox::{GATHER, MAX_AT_ONCE, Outbox};

use std::time::Duration;

/// The least time between two pushes that are taken from one peer, and between two that are sent to all. A change of
/// addresses or protocols is no matter of milliseconds, and a second of them costs each peer one exchange.
pub const PUSH_INTERVAL: Duration = Duration::from_secs(1);
