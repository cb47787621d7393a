//! The formats that every libp2p protocol is written in: unsigned varints, length-prefixed frames and
//! bounded protobuf messages, and the buffer that bytes wait in until they are whole or sent.
//!
//! Follows the multiformats [unsigned-varint] specification and the framing that the libp2p
//! specifications share ("messages are prefixed with their length in bytes, as an unsigned varint").
//! Everything is a pure function of bytes: nothing here reads a socket, and nothing allocates from a
//! length that was announced before its bytes have arrived.
//!
//! ```
//! use bytes::BytesMut;
//! use sinew_wire::Frames;
//!
//! let frames = Frames::new(1024);
//! let mut buffer = BytesMut::new();
//! frames.encode(b"hello", &mut buffer)?;
//!
//! let mut half = buffer.split_to(3); // only a part has arrived
//! assert_eq!(frames.decode(&mut half)?, None);
//! half.unsplit(buffer);
//! assert_eq!(frames.decode(&mut half)?.as_deref(), Some(&b"hello"[..]));
//! # Ok::<(), sinew_wire::FrameError>(())
//! ```
//!
//! What it deliberately does not do: read or write streams (that is `sinew-runtime`), or know any
//! message of any protocol. Multiaddrs are in `sinew-addr`, which needs peer ids, which need this crate.
//!
//! [unsigned-varint]: https://github.com/multiformats/unsigned-varint

mod buffer;
mod frame;
mod gather;
pub mod protobuf;
mod spare;
pub mod varint;

pub use buffer::Buffer;
pub use frame::{FrameError, Frames};
pub use gather::Gather;
