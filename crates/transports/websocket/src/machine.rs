//! The frames of RFC 6455 as a stream of bytes: pure, without clock or entropy.
//!
//! Borders of messages mean nothing to libp2p. Content is therefore handed on as it arrives, in the buffer that it was
//! read into, and no message is ever gathered: how long one is, and in how many fragments it comes, costs nothing.

mod error;
mod header;
mod inbound;
mod mask;
mod outbound;

pub use error::FrameError;
pub use header::{MAX_CONTROL, MAX_FRAME};
pub use inbound::Inbound;
pub use outbound::{MAX_MESSAGE, Outbound};
pub use sinew_machine::BUDGET;
