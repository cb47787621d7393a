//! Why a peer was not identified.

use crate::{MessageError, WrongKey};
use sinew_core::{Blame, Culpable, DialError, OpenError, PeerId};
use std::{io, time::Duration};
use thiserror::Error;

/// Why a peer was not identified.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentifyError {
    /// There is no connection and none came about.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// No stream was opened, or the peer does not speak the protocol.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The peer did not say all in time.
    #[error("{peer} did not identify itself within {after:?}")]
    TimedOut {
        /// The peer.
        peer: PeerId,
        /// How long it had.
        after: Duration,
    },
    /// The stream failed.
    #[error("identify stream to {peer}: {error}")]
    Stream {
        /// The peer.
        peer: PeerId,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// What the peer said is no message of identify.
    #[error("{peer} sent something else: {error}")]
    Message {
        /// The peer.
        peer: PeerId,
        /// What is wrong with it.
        #[source]
        error: MessageError,
    },
    /// The peer claims a key that is not the one it proved to have. The connection was closed.
    #[error(transparent)]
    WrongKey(#[from] WrongKey),
}

impl Culpable for IdentifyError {
    fn blame(&self) -> Blame {
        match self {
            Self::Dial(error) => error.blame(),
            Self::Open(error) => error.blame(),
            Self::TimedOut { .. } | Self::Stream { .. } => Blame::Network,
            Self::Message { error, .. } => error.blame(),
            Self::WrongKey(error) => error.blame(),
        }
    }
}
