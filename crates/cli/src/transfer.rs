//! The file transfer of `sinew send` and `sinew receive`: `/sinew/transfer/1.0.0`.
//!
//! The sender offers a name, a size and perhaps a code; the receiver takes or refuses. Then come the bytes, exactly as
//! many, and their SHA-256; the receiver answers whether it holds. Messages are JSON behind a length of two bytes.

mod message;
mod receiver;
mod sender;
mod store;

pub(crate) use receiver::{Admission, End, Receiver, Taken};
pub(crate) use sender::send;

use sinew::ProtocolId;

/// The name of the protocol.
pub(crate) const PROTOCOL: ProtocolId = ProtocolId::from_static("/sinew/transfer/1.0.0");

/// How long the other side may take for a message, or for the next bytes.
pub(crate) const STALL: std::time::Duration = std::time::Duration::from_secs(30);
