//! The records that carry text once the handshake is done: sealed and opened in buffers of our own.
//!
//! rustls makes the keys and the ciphers; what it would do beyond that costs a second buffer for every record.

mod error;
mod inbound;
mod incoming;
mod keys;
mod outbound;

pub use error::RecordError;
pub(crate) use inbound::{Inbound, Received};
pub(crate) use incoming::{buffer, end_of_record};
pub(crate) use keys::{Opening, Schedule, Sealing};
pub(crate) use outbound::Outbound;
