//! Why a ping failed.

use crate::exchange::Failure;
use sinew_core::{Blame, Culpable, NegotiationError, OpenError, PeerId};
use std::{io, time::Duration};
use thiserror::Error;

/// Why a ping failed. The connection it went over is none the worse for it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PingError {
    /// No stream was opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The peer does not speak the protocol.
    #[error("{0} does not answer pings")]
    Unsupported(PeerId),
    /// No echo came in time.
    #[error("no echo of {peer} within {after:?}")]
    TimedOut {
        /// The peer.
        peer: PeerId,
        /// How long it had.
        after: Duration,
    },
    /// Something else came back than was sent.
    #[error("{0} sent back something else")]
    WrongEcho(PeerId),
    /// The stream failed or ended.
    #[error("ping stream to {peer}: {error}")]
    Stream {
        /// The peer.
        peer: PeerId,
        /// Why.
        #[source]
        error: io::Error,
    },
}

impl PingError {
    pub(crate) fn new(peer: PeerId, failure: Failure, after: Duration) -> Self {
        match failure {
            Failure::TimedOut => Self::TimedOut { peer, after },
            Failure::WrongEcho => Self::WrongEcho(peer),
            Failure::Io(error) if is_refusal(&error) => Self::Unsupported(peer),
            Failure::Io(error) => Self::Stream { peer, error },
        }
    }
}

/// Whether the peer refused the protocol: that shows at the first read of a stream.
fn is_refusal(error: &io::Error) -> bool {
    let negotiation = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(negotiation, Some(NegotiationError::Unsupported(_)))
}

impl Culpable for PingError {
    fn blame(&self) -> Blame {
        match self {
            Self::Open(error) => error.blame(),
            Self::Unsupported(_) | Self::WrongEcho(_) => Blame::Peer,
            Self::TimedOut { .. } | Self::Stream { .. } => Blame::Network,
        }
    }
}
