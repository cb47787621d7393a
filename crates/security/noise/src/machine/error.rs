//! What can go wrong in the handshake and in the transport phase.

use std::io;

use sinew_identity::{KeyError, PeerId};
use sinew_machine::{Blame, Culpable};
use sinew_wire::protobuf::DecodeError;
use thiserror::Error;

/// Why a handshake did not end with a peer that proved who it is.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A handshake message announces more bytes than its place in the pattern can need.
    #[error("handshake message of {len} bytes where at most {max} are allowed")]
    TooLong {
        /// The announced length.
        len: usize,
        /// The maximum.
        max: usize,
    },
    /// A message has the wrong length, was not encrypted for us, or brings a public key of low order.
    #[error("noise: {0}")]
    Noise(#[from] snow::Error),
    /// The payload is not the protobuf message that it should be.
    #[error("payload: {0}")]
    Payload(#[from] DecodeError),
    /// The identity key is none, or none that is accepted.
    #[error("identity key: {0}")]
    Key(#[from] KeyError),
    /// The identity did not sign the static key that the handshake uses.
    #[error("the static key is not signed by the identity")]
    Signature,
    /// The other side proved to be somebody else.
    #[error("expected peer {expected}, but {actual} answered")]
    WrongPeer {
        /// Who was wanted.
        expected: PeerId,
        /// Who answered.
        actual: PeerId,
    },
    /// Both sides named the muxers that they speak, and no muxer is in both lists.
    #[error("no muxer in common")]
    NoCommonMuxer,
}

impl Culpable for HandshakeError {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// Why the transport phase cannot go on. Nothing more is sent or received after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame is too short to hold an authentication tag.
    #[error("noise frame of {0} bytes, too short for its authentication tag")]
    TooShort(usize),
    /// A frame was changed on the way, replayed, left out, or sealed with another key.
    #[error("noise frame is not authentic")]
    Forged,
    /// The peer sends frames without content and next to nothing else.
    #[error("too many empty noise frames")]
    EmptyFlood,
    /// The bytes end inside a frame.
    #[error("the connection ends inside a noise frame")]
    Truncated,
    /// As many messages were sealed or opened as one key may see.
    #[error("the noise key is used up")]
    Exhausted,
}

impl Culpable for FrameError {
    fn blame(&self) -> Blame {
        match self {
            Self::TooShort(_) | Self::Forged | Self::EmptyFlood => Blame::Peer,
            Self::Truncated => Blame::Network,
            Self::Exhausted => Blame::Limit,
        }
    }
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        let kind = match error {
            FrameError::Truncated => io::ErrorKind::UnexpectedEof,
            FrameError::Exhausted => io::ErrorKind::Other,
            FrameError::TooShort(_) | FrameError::Forged | FrameError::EmptyFlood => {
                io::ErrorKind::InvalidData
            }
        };
        Self::new(kind, error)
    }
}
