//! What muxers share that lay streams over bytes: the driver of a session, the streams as users hold them, and the
//! queues between the two.
//!
//! A muxer brings a [`machine::Machine`]: bytes in, bytes out, streams by number. [`mux`] puts the shell around it: one
//! driver future a connection, and handles that share the machine behind a lock. `sinew-yamux` and `sinew-mplex` are
//! such muxers; QUIC, which has streams of its own, needs none of this.
//!
//! [`machine`] also holds the parts that machines are made of: the queues of a stream, frames on their way out, the
//! budget for useless frames.
//!
//! It deliberately knows no frame of any protocol.

mod buffers;
mod driver;
mod handle;
pub mod machine;
mod output;
mod shared;
mod spare;
mod stream;

pub use handle::mux;
