//! The byte machine: bytes in, bytes out, and whoever waits is told. No clock, no entropy, no input or output.
//!
//! A [`Connection`] is told what arrives ([`Connection::receive`]) and what time it is, and gathers what should
//! leave ([`Connection::transmit`]) into a [`Batch`]. Streams are numbers. `W` stands for somebody who waits for a
//! stream to move: a `Waker` in the shell, anything in a test; the machine only keeps it and hands it back.

mod clock;
mod connection;
mod frame;
mod growth;
mod probe;
mod receive;
mod stream;
mod streams;
mod transmit;
mod window;

pub use connection::{Connection, Side};
pub use frame::{Flags, HEADER, Header, Kind};
pub use probe::{Invariant, probe};
pub use sinew_session::machine::{BUDGET, Batch, Ticket};
pub use window::{INITIAL_WINDOW, Memory, Unbounded};

use crate::Fault;

/// Why a connection has ended.
pub type End = sinew_session::machine::End<Fault>;

/// Why a stream cannot be read or written.
pub type StreamError = sinew_session::machine::StreamError<Fault>;

/// Why no stream was opened.
pub type Refused = sinew_session::machine::Refused<Fault>;

/// Bytes that a stream takes before it holds any payload.
#[cfg(test)]
pub(crate) const STREAM_SIZE: usize = size_of::<stream::Stream<std::task::Waker>>();
