//! The records that carry text once the handshake is done: sealed and opened in buffers of our own.
//!
//! rustls makes the keys; what it would do beyond that costs a buffer for every record and a copy of all that is opened.

mod error;
mod inbound;
mod incoming;
mod keys;
mod outbound;

pub use error::RecordError;
pub(crate) use inbound::{Inbound, Received};
pub(crate) use incoming::{MAX_TEXT, ROOM, end_of_record};
pub(crate) use keys::{Opening, Schedule, Sealing};
pub(crate) use outbound::Outbound;
