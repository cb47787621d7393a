//! Why a request came to nothing.

use crate::{codec::CodecError, exchange::MessageError};
use sinew_core::{Blame, Culpable, OpenError, PeerId};
use std::time::Duration;

/// Why a request came to nothing: which peer, at which step, and whose fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No stream was opened: not connected, not dialled, or the peer does not speak the protocol.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The request has no form in the format.
    #[error("the request cannot be encoded: {0}")]
    Encode(#[source] CodecError),
    /// The request is longer than the maximum.
    #[error("the request of {length} bytes is longer than the {max} that are allowed")]
    TooLong {
        /// How long it is.
        length: usize,
        /// How long it may be.
        max: usize,
    },
    /// The request did not leave, or its answer did not come whole, or is not of the format.
    #[error("request to {peer}: {error}")]
    Message {
        /// The peer.
        peer: PeerId,
        /// Why.
        #[source]
        error: MessageError,
    },
    /// There was no answer in time.
    #[error("request to {peer}: no answer within {after:?}")]
    Timeout {
        /// The peer.
        peer: PeerId,
        /// The time that it had.
        after: Duration,
    },
}

impl Culpable for RequestError {
    fn blame(&self) -> Blame {
        match self {
            Self::Open(error) => error.blame(),
            Self::Encode(_) | Self::TooLong { .. } => Blame::Local,
            Self::Message { error, .. } => error.blame(),
            Self::Timeout { .. } => Blame::Network,
        }
    }
}
