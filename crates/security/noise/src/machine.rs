//! Noise as pure functions and byte machines: bytes in, bytes out, no clock, no entropy, no input or output.
//!
//! [`Handshake`] leads to the [`Keys`] of the transport phase, with which [`Outbound`] seals and [`Inbound`]
//! opens. [`Xx`] and [`Payload`] are what the handshake is made of; they stand alone for tests and fuzzing.

mod cipher;
mod error;
mod handshake;
mod inbound;
mod muxer;
mod outbound;
mod payload;
mod primitives;
pub(crate) mod receive;
mod xx;

pub use error::{FrameError, HandshakeError};
pub use handshake::{Handshake, Next, Outcome, StaticKey};
pub use inbound::Inbound;
pub use outbound::{MAX_TEXT, Outbound};
pub use payload::{Payload, Proof};
pub use xx::{Keys, Xx};
