//! Why a measurement failed.

use sinew_core::{Blame, Culpable, NegotiationError, OpenError, PeerId};
use std::{io, time::Duration};
use thiserror::Error;

/// Why a measurement failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PerfError {
    /// No stream was opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The peer does not speak the protocol: it is switched on by hand everywhere.
    #[error("{0} does not serve measurements")]
    Unsupported(PeerId),
    /// Nothing moved for too long.
    #[error("nothing moved to or from {peer} for {after:?}")]
    Stalled {
        /// The peer.
        peer: PeerId,
        /// How long.
        after: Duration,
    },
    /// The peer sent more or less than it was asked for.
    #[error("{peer} sent {got} bytes where {wanted} were asked for")]
    WrongLength {
        /// The peer.
        peer: PeerId,
        /// What was asked for.
        wanted: u64,
        /// What came.
        got: u64,
    },
    /// The stream failed or ended.
    #[error("measurement with {peer}: {error}")]
    Stream {
        /// The peer.
        peer: PeerId,
        /// Why.
        #[source]
        error: io::Error,
    },
}

impl PerfError {
    /// A failed read or write; a refused protocol shows at the first read.
    pub(crate) fn stream(peer: PeerId, error: io::Error) -> Self {
        let negotiation = error.get_ref().and_then(|inner| inner.downcast_ref());
        match negotiation {
            Some(NegotiationError::Unsupported(_)) => Self::Unsupported(peer),
            _ => Self::Stream { peer, error },
        }
    }
}

impl Culpable for PerfError {
    fn blame(&self) -> Blame {
        match self {
            Self::Open(error) => error.blame(),
            Self::Unsupported(_) | Self::WrongLength { .. } => Blame::Peer,
            Self::Stalled { .. } | Self::Stream { .. } => Blame::Network,
        }
    }
}
