//! The handle: following topics, publishing, and looking at peers.

use crate::{
    Command, Counts, MAX_GROUP, Machine, Params, Partial, PublishPartialError, Reply, ScoreReport,
    TopicHandle,
};
use bytes::Bytes;
use sinew_core::PeerId;
use sinew_floodsub::{
    Author, Message, MessageId, PublishError, Published, SubscribeError, Subscription, Topic, Topics,
    Validator,
};
use sinew_runtime::Caller;
use std::{fmt, sync::Arc, time::Duration};

/// Follows topics and publishes. Cheap to clone.
#[derive(Clone)]
pub struct Gossipsub {
    author: Arc<Author>,
    params: Arc<Params>,
    caller: Caller<Machine>,
    topics: Arc<Topics>,
}

impl Gossipsub {
    pub(crate) fn new(author: Author, params: Params, caller: Caller<Machine>, topics: Arc<Topics>) -> Self {
        Self {
            author: Arc::new(author),
            params: Arc::new(params),
            caller,
            topics,
        }
    }

    /// One topic, for the part of an application that has to do with no other.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> TopicHandle {
        TopicHandle::new(self.clone(), topic)
    }

    /// Follows a topic from now on, also before the node runs. Several subscriptions to one topic have the same events, each
    /// from its own beginning.
    ///
    /// # Errors
    /// [`SubscribeError`] when too many topics are followed, the filter is against it, or the node has ended.
    pub fn subscribe(&self, topic: &Topic) -> Result<Subscription, SubscribeError> {
        self.topics.subscribe(topic)
    }

    /// Publishes to a topic. It need not be followed here, and our own subscriptions do not hear of it.
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
        let (id, message) = self.message(topic, data.into())?;
        match self.caller.call(Command::Publish(message)).await? {
            Reply::Published(Some(peers)) => Ok(Published::new(id, peers)),
            _ => Err(PublishError::Duplicate(id)),
        }
    }

    /// Waits until at least `peers` connected peers follow the topic, and publishes then.
    ///
    /// # Errors
    /// [`PublishError`]; [`PublishError::Ended`] also when the node ends meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future while it waits publishes nothing; after that it may or may not undo it.
    pub async fn publish_when(
        &self,
        peers: usize,
        topic: &Topic,
        data: impl Into<Bytes> + Send,
    ) -> Result<Published, PublishError> {
        let waited = self.wait_for_peers(topic, peers).await;
        waited.map_err(|_| PublishError::Ended)?;
        self.publish(topic, data).await
    }

    /// Publishes messages at once, so that all of them are soon with somebody who hands them on: each goes to one peer before any
    /// goes to a second. For parts of something larger, on a slow line. `None` for those that are known already.
    ///
    /// # Errors
    /// [`PublishError`]: if one of them cannot be made, none is published.
    ///
    /// # Cancel safety
    /// Dropping the future may or may not undo it, for all of them alike.
    pub async fn publish_batch(
        &self,
        messages: impl IntoIterator<Item = (Topic, Bytes)> + Send,
    ) -> Result<Vec<Option<Published>>, PublishError> {
        let made = messages
            .into_iter()
            .map(|(topic, data)| self.message(&topic, data))
            .collect::<Result<Vec<_>, _>>()?;
        let (ids, messages): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        let Reply::Batch(sent) = self.caller.call(Command::PublishBatch(messages)).await? else {
            return Err(PublishError::Ended);
        };
        let published = ids.into_iter().zip(sent);
        Ok(published
            .map(|(id, peers)| peers.map(|peers| Published::new(id, peers)))
            .collect())
    }

    /// A message of ours, within the bounds of its topic, and its id.
    fn message(&self, topic: &Topic, data: Bytes) -> Result<(MessageId, Message), PublishError> {
        let max = self.params.topics.get(topic).and_then(|topic| topic.max_data);
        match max.filter(|max| data.len() > *max) {
            Some(max) => Err(PublishError::TooLong { len: data.len(), max }),
            None => self.author.message(topic, data),
        }
    }

    /// Tells peers which parts we have of a group, and sends those that ask for parts what they lack; also after whatever they say
    /// of it later, until the group is forgotten. To be called again when we have more. How many peers are told. Experimental.
    ///
    /// Told are the peers of the mesh, or of the fanout where the topic is not followed, and all who spoke of the group; or those
    /// in `to` if there are any.
    ///
    /// # Errors
    /// [`PublishPartialError`].
    ///
    /// # Cancel safety
    /// Dropping the future may or may not undo it.
    pub async fn publish_partial(
        &self,
        topic: &Topic,
        group: impl Into<Bytes> + Send,
        partial: Arc<dyn Partial>,
        to: &[PeerId],
    ) -> Result<usize, PublishPartialError> {
        let group = group.into();
        if group.len() > MAX_GROUP {
            return Err(PublishPartialError::TooLong(group.len()));
        }
        let command = Command::PublishPartial {
            topic: topic.clone(),
            group,
            partial,
            to: to.iter().copied().collect(),
        };
        match self.caller.call(command).await? {
            Reply::Published(Some(peers)) => Ok(peers),
            _ => Err(PublishPartialError::NotEnabled),
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
        self.list(Command::Followers(topic.clone())).await
    }

    /// The peers in the mesh of a topic, in order; none if it is not followed, or the node has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn mesh(&self, topic: &Topic) -> Vec<PeerId> {
        self.list(Command::Mesh(topic.clone())).await
    }

    async fn list(&self, command: Command) -> Vec<PeerId> {
        match self.caller.call(command).await {
            Ok(Reply::Peers(peers)) => peers,
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

    /// The scores of the peers that speak the protocol, in order; all zero unless [`Params::score`](crate::Params) is set.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn scores(&self) -> Vec<(PeerId, f64)> {
        match self.caller.call(Command::Scores).await {
            Ok(Reply::Scores(scores)) => scores,
            _ => Vec::new(),
        }
    }

    /// Sets what the application thinks of a peer (P5), connected or not, until this is called again; zero takes it back. `false` if
    /// nobody is judged, or the value is not finite.
    ///
    /// # Cancel safety
    /// Dropping the future may or may not undo it.
    pub async fn judge(&self, peer: PeerId, value: f64) -> bool {
        let judged = self.caller.call(Command::Judge(peer, value)).await;
        matches!(judged, Ok(Reply::Judged(true)))
    }

    /// The scores of the peers that speak the protocol by what they are made of, in order; nothing unless
    /// [`Params::score`](crate::Params) is set.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn score_reports(&self) -> Vec<(PeerId, ScoreReport)> {
        match self.caller.call(Command::ScoreReports).await {
            Ok(Reply::ScoreReports(reports)) => reports,
            _ => Vec::new(),
        }
    }

    /// Takes nothing from a peer from now on, nor what it wrote and others bring; or does again.
    ///
    /// # Cancel safety
    /// Dropping the future may or may not undo it.
    pub async fn block(&self, peer: PeerId, on: bool) {
        self.block_for(peer, if on { Duration::MAX } else { Duration::ZERO })
            .await;
    }

    /// The same for a while, in place of what was said of the peer before.
    ///
    /// # Cancel safety
    /// Dropping the future may or may not undo it.
    pub async fn block_for(&self, peer: PeerId, wait: Duration) {
        // A node that has ended takes nothing from anybody.
        let _ = self.caller.call(Command::Block(peer, wait)).await;
    }

    /// What was counted since the node started; `None` if it has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn counts(&self) -> Option<Counts> {
        match self.caller.call(Command::Counts).await {
            Ok(Reply::Counts(counts)) => Some(*counts),
            _ => None,
        }
    }
}

impl fmt::Debug for Gossipsub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gossipsub")
            .field("author", &self.author)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}
