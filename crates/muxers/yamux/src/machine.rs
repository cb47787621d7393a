//! The byte machine: bytes in, bytes out, and whoever waits is told. No clock, no entropy, no input or output.
//!
//! A [`Connection`] is told what arrives ([`Connection::receive`]) and what time it is, and gathers what should
//! leave ([`Connection::transmit`]) into a [`Batch`]. Streams are numbers. `W` stands for somebody who waits for a
//! stream to move: a `Waker` in the shell, anything in a test; the machine only keeps it and hands it back.

mod batch;
mod budget;
mod clock;
mod connection;
mod frame;
mod inbox;
mod late;
mod outbox;
mod probe;
mod receive;
mod stream;
mod streams;
mod transmit;
mod window;

pub use batch::Batch;
pub use budget::BUDGET;
pub use connection::{Connection, End, Side};
pub use frame::{Flags, HEADER, Header, Kind};
pub use probe::{Invariant, probe};
pub use streams::{Refused, StreamError, Ticket};
pub use window::{INITIAL_WINDOW, Memory, Unbounded};

/// Bytes that a stream takes before it holds any payload.
#[cfg(test)]
pub(crate) const STREAM_SIZE: usize = size_of::<stream::Stream<std::task::Waker>>();
