//! What can be wrong with frames.

use std::io;

use sinew_machine::{Blame, Culpable};
use thiserror::Error;

use super::header::{MAX_CONTROL, MAX_FRAME};

/// Why a WebSocket connection cannot go on. Nothing is read behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A reserved bit is set, though no extension was agreed on.
    #[error("a websocket frame has a reserved bit set")]
    ReservedBit,
    /// A kind of frame that does not exist.
    #[error("websocket frame of the unknown kind {0:#x}")]
    UnknownKind(u8),
    /// A text message: libp2p sends binary ones.
    #[error("a websocket message is text where libp2p is binary")]
    Text,
    /// A frame of a client that is not masked.
    #[error("a websocket client sent a frame without mask")]
    Unmasked,
    /// A frame of a server that is masked.
    #[error("a websocket server sent a frame with a mask")]
    Masked,
    /// A frame announces more bytes than are taken.
    #[error("websocket frame of {0} bytes where at most {MAX_FRAME} are allowed")]
    TooLong(u64),
    /// A length is written in more bytes than it needs.
    #[error("the length of a websocket frame is not in its shortest form")]
    Length,
    /// A frame goes on with a message that was not begun.
    #[error("a websocket frame continues a message that was not begun")]
    NothingToContinue,
    /// A message begins inside another one.
    #[error("a websocket message begins before the last one ended")]
    Interleaved,
    /// A control frame in fragments.
    #[error("a websocket control frame is fragmented")]
    FragmentedControl,
    /// A control frame with more bytes than it may have.
    #[error("websocket control frame of more than {MAX_CONTROL} bytes")]
    LongControl,
    /// A close frame with half of a code.
    #[error("a websocket close frame has half of a code")]
    HalfCode,
    /// The peer sends pings, pongs and empty frames, and next to nothing else.
    #[error("too many websocket frames without content")]
    Flood,
    /// The bytes end inside a frame.
    #[error("the connection ends inside a websocket frame")]
    Truncated,
}

impl Culpable for FrameError {
    fn blame(&self) -> Blame {
        match self {
            Self::Truncated => Blame::Network,
            _ => Blame::Peer,
        }
    }
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        let kind = match error {
            FrameError::Truncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
