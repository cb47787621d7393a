//! Why a topic was not followed, or a message not published.

use crate::{MAX_TOPICS, MessageId};
use sinew_core::{Blame, Culpable};
use sinew_identity::SigningError;
use sinew_runtime::Ended;
use thiserror::Error;

/// Why a topic was not followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// As many topics are followed as may be.
    #[error("{MAX_TOPICS} topics are followed already")]
    TooMany,
    /// [`Config::filter`](crate::Config) is against the topic.
    #[error("the topic may not be followed here")]
    Filtered,
    /// The node has ended.
    #[error("the node has ended")]
    Ended,
}

impl Culpable for SubscribeError {
    fn blame(&self) -> Blame {
        match self {
            Self::TooMany => Blame::Limit,
            Self::Filtered | Self::Ended => Blame::Local,
        }
    }
}

/// Why a message was not published.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The node's key did not sign it.
    #[error("the node's key cannot sign: {0}")]
    Signing(#[from] SigningError),
    /// It is longer than peers would read: its RPC than [`Config::max_rpc`](crate::Config), or its data than its topic allows.
    #[error("a message of {len} bytes where at most {max} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// One of the same id was published or received of late.
    #[error("message {0} is known already")]
    Duplicate(MessageId),
    /// The node has ended.
    #[error("the node has ended")]
    Ended,
}

impl From<Ended> for PublishError {
    fn from(_: Ended) -> Self {
        Self::Ended
    }
}

impl Culpable for PublishError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}
