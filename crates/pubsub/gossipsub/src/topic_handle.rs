//! One topic, for the part of an application that has to do with no other.

use crate::Gossipsub;
use bytes::Bytes;
use sinew_core::PeerId;
use sinew_floodsub::{PublishError, Published, SubscribeError, Subscription, Topic, Validator};

/// One topic of a node ([`Gossipsub::topic`]). Cheap to clone. It is not followed for there being a handle, but for as long as
/// there are subscriptions.
///
/// ```
/// # async fn chat(gossipsub: &sinew_gossipsub::Gossipsub) -> Result<(), Box<dyn std::error::Error>> {
/// let chat = gossipsub.topic("chat".parse()?);
/// let mut events = chat.subscribe()?;
/// chat.publish_when(1, "hello").await?;
/// while let Some(event) = events.next().await? {
///     println!("{event:?}");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TopicHandle {
    gossipsub: Gossipsub,
    topic: Topic,
}

impl TopicHandle {
    pub(crate) fn new(gossipsub: Gossipsub, topic: Topic) -> Self {
        Self { gossipsub, topic }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// [`Gossipsub::subscribe`]: messages of others, and who joins and leaves.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&self) -> Result<Subscription, SubscribeError> {
        self.gossipsub.subscribe(&self.topic)
    }

    /// [`Gossipsub::publish`].
    ///
    /// # Errors
    /// [`PublishError`].
    ///
    /// # Cancel safety
    /// Dropping the future may or may not undo it.
    pub async fn publish(&self, data: impl Into<Bytes> + Send) -> Result<Published, PublishError> {
        self.gossipsub.publish(&self.topic, data).await
    }

    /// [`Gossipsub::publish_when`].
    ///
    /// # Errors
    /// [`PublishError`].
    ///
    /// # Cancel safety
    /// Dropping the future while it waits publishes nothing; after that it may or may not undo it.
    pub async fn publish_when(
        &self,
        peers: usize,
        data: impl Into<Bytes> + Send,
    ) -> Result<Published, PublishError> {
        self.gossipsub.publish_when(peers, &self.topic, data).await
    }

    /// [`Gossipsub::peers`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn peers(&self) -> Vec<PeerId> {
        self.gossipsub.peers(&self.topic).await
    }

    /// [`Gossipsub::mesh`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn mesh(&self) -> Vec<PeerId> {
        self.gossipsub.mesh(&self.topic).await
    }

    /// [`Gossipsub::wait_for_peers`].
    ///
    /// # Errors
    /// [`SubscribeError::Ended`] when the node ends meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_for_peers(&self, count: usize) -> Result<(), SubscribeError> {
        self.gossipsub.wait_for_peers(&self.topic, count).await
    }

    /// [`Gossipsub::set_validator`].
    pub fn set_validator(&self, validator: impl Validator) {
        self.gossipsub.set_validator(&self.topic, validator);
    }

    /// [`Gossipsub::remove_validator`].
    pub fn remove_validator(&self) -> bool {
        self.gossipsub.remove_validator(&self.topic)
    }
}
