//! What an application does with parts that come.

use crate::{InvalidPartial, MAX_GROUP, Partial, ReceivedPartial};
use futures_util::future::BoxFuture;
use sinew_core::{Blame, Culpable};
use sinew_runtime::Ended;
use std::sync::Arc;
use thiserror::Error;

/// Takes in what peers send of groups. Experimental. Every closure from a [`ReceivedPartial`] to a future is a handler.
///
/// It is asked when parts come, and when a peer is the first to speak of a group; metadata alone is answered without it.
pub trait PartialHandler: Send + Sync + 'static {
    /// Judges what came, keeps it, and gives what there is of the group now; peers are told of it and sent what they lack, as by
    /// [`Gossipsub::publish_partial`](crate::Gossipsub::publish_partial). `None` leaves the group alone.
    ///
    /// What a peer sends comes in its order, one after the other. It is dropped, as after a panic, when it takes longer than
    /// [`Config::validation_timeout`](crate::Config).
    ///
    /// # Errors
    /// [`InvalidPartial`] when it is malformed or forged: it is held against the peer, as an invalid message is.
    fn receive(&self, received: Arc<ReceivedPartial>) -> BoxFuture<'static, Handled>;
}

/// What an application has of a group after something came.
pub type Handled = Result<Option<Arc<dyn Partial>>, InvalidPartial>;

impl<F, Fut> PartialHandler for F
where
    F: Fn(Arc<ReceivedPartial>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Handled> + Send + 'static,
{
    fn receive(&self, received: Arc<ReceivedPartial>) -> BoxFuture<'static, Handled> {
        Box::pin(self(received))
    }
}

/// Why parts were not published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PublishPartialError {
    /// The topic is not one of [`PartialParams::topics`](crate::PartialParams).
    #[error("there are no partial messages in the topic")]
    NotEnabled,
    /// The name of a group has so many bytes, more than [`MAX_GROUP`].
    #[error("a group of {0} bytes where at most {MAX_GROUP} are allowed")]
    TooLong(usize),
    /// The node has ended.
    #[error("the node has ended")]
    Ended,
}

impl From<Ended> for PublishPartialError {
    fn from(_: Ended) -> Self {
        Self::Ended
    }
}

impl Culpable for PublishPartialError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}
