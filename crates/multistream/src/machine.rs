//! multistream-select without input and output: bytes go in, bytes and a decision come out.
//!
//! Each machine has the same three calls, which [`Negotiation`] names: take what is to be sent, ask how many bytes
//! may be read without reading too far, and hand in what came.

mod dialer;
mod list;
mod listener;
mod message;
mod violation;

pub use dialer::{Choice, Dialer};
pub use list::ListQuery;
pub use listener::{Listener, Offer};
pub use message::{HEADER, MAX_BYTES, MAX_LIST, MAX_MESSAGE, MAX_MESSAGES};
pub use violation::{Unsendable, Violation};

use bytes::BytesMut;

/// One side of one negotiation.
pub trait Negotiation {
    /// What the negotiation comes to.
    type Outcome;

    /// Takes what is to be sent. Empty when there is nothing. What was queued before the outcome still has to leave
    /// after it.
    fn transmit(&mut self) -> BytesMut;

    /// How many bytes can be asked for such that none lies behind the end of the negotiation. Zero once it is over.
    fn wanted(&self) -> usize;

    /// Hands in bytes that came. Returns how many were taken, which is all of them unless the negotiation ended within
    /// them, and what it came to if it did.
    ///
    /// # Errors
    /// [`Violation`] at the first byte that cannot be right. Nothing but [`Negotiation::transmit`] may be called after it.
    fn receive(&mut self, input: &[u8]) -> Result<(usize, Option<Self::Outcome>), Violation>;
}
