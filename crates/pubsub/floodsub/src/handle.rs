//! The handle: following topics and publishing.

use crate::{
    Author, Command, Counts, Machine, MessageId, PublishError, Reply, SubscribeError, Subscription, Topic,
    Topics, Validator,
};
use bytes::Bytes;
use sinew_core::PeerId;
use sinew_runtime::Caller;
use std::{fmt, sync::Arc};

/// Follows topics and publishes. Cheap to clone.
#[derive(Clone)]
pub struct Floodsub {
    author: Arc<Author>,
    caller: Caller<Machine>,
    topics: Arc<Topics>,
}

/// A message that was published.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Published {
    /// By what it is known again.
    pub id: MessageId,
    /// How many peers it goes to. None is no error: nobody else may follow the topic.
    pub peers: usize,
}

impl Published {
    /// A message that goes to so many peers.
    #[must_use]
    pub fn new(id: MessageId, peers: usize) -> Self {
        Self { id, peers }
    }
}

impl Floodsub {
    pub(crate) fn new(author: Author, caller: Caller<Machine>, topics: Arc<Topics>) -> Self {
        Self {
            author: Arc::new(author),
            caller,
            topics,
        }
    }

    /// Follows a topic from now on, also before the node runs. Several subscriptions to one topic have the same events, each
    /// from its own beginning.
    ///
    /// # Errors
    /// [`SubscribeError`] when too many topics are followed, the filter is against it, or the node has ended.
    pub fn subscribe(&self, topic: &Topic) -> Result<Subscription, SubscribeError> {
        self.topics.subscribe(topic)
    }

    /// Publishes to all connected peers that follow a topic. It need not be followed here, and our own subscriptions do not
    /// hear of it.
    ///
    /// # Errors
    /// [`PublishError`].
    ///
    /// # Cancel safety
    /// Dropping the future may or may not undo it.
    pub async fn publish(
        &self,
        topic: &Topic,
        data: impl Into<Bytes> + Send,
    ) -> Result<Published, PublishError> {
        let (id, message) = self.author.message(topic, data.into())?;
        match self.caller.call(Command::Publish(message)).await? {
            Reply::Published(Some(peers)) => Ok(Published::new(id, peers)),
            _ => Err(PublishError::Duplicate(id)),
        }
    }

    /// Has the messages of a topic judged from now on, in place of what judged them before.
    pub fn set_validator(&self, topic: &Topic, validator: impl Validator) {
        self.topics.set_validator(topic, Arc::new(validator));
    }

    /// Has the messages of a topic accepted without being judged; `false` if they were.
    pub fn remove_validator(&self, topic: &Topic) -> bool {
        self.topics.remove_validator(topic)
    }

    /// The connected peers that follow a topic, in order; none if the node has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn peers(&self, topic: &Topic) -> Vec<PeerId> {
        match self.caller.call(Command::Followers(topic.clone())).await {
            Ok(Reply::Followers(peers)) => peers,
            _ => Vec::new(),
        }
    }

    /// Waits until at least `count` connected peers follow a topic: whoever publishes then is heard by so many.
    ///
    /// # Errors
    /// [`SubscribeError::Ended`] when the node ends meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_for_peers(&self, topic: &Topic, count: usize) -> Result<(), SubscribeError> {
        self.topics.wait(count, || self.peers(topic)).await
    }

    /// What was counted since the node started; `None` if it has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn counts(&self) -> Option<Counts> {
        match self.caller.call(Command::Counts).await {
            Ok(Reply::Counts(counts)) => Some(counts),
            _ => None,
        }
    }
}

impl fmt::Debug for Floodsub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Floodsub")
            .field("author", &self.author)
            .finish_non_exhaustive()
    }
}
