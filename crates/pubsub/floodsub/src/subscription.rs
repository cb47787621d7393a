//! A topic that is followed, as its application holds it.

use crate::{Event, Topic, Topics};
use sinew_core::Lagged;
use std::{fmt, sync::Arc};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// What happens on a topic: messages in order, and who joins and leaves in order. The topic is left when its last subscription is
/// dropped.
pub struct Subscription {
    topic: Topic,
    events: Events,
    topics: Arc<Topics>,
}

/// Messages, and news of peers: in queues of their own, so that a peer which comes and goes displaces no message.
pub(crate) struct Events {
    pub(crate) messages: Receiver<Event>,
    pub(crate) peers: Receiver<Event>,
}

impl Subscription {
    pub(crate) fn new(topic: Topic, events: Events, topics: Arc<Topics>) -> Self {
        Self {
            topic,
            events,
            topics,
        }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Waits for the next event. `Ok(None)` when the node has ended, or was dropped before it began. Of peers that join and
    /// leave the newest 256 are told of; the handle says who follows the topic now.
    ///
    /// # Errors
    /// The number of messages that were lost because they were not fetched in time (256 are kept); the next call goes on after
    /// them.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Event>, Lagged> {
        loop {
            let next = tokio::select! {
                biased;
                message = self.events.messages.recv() => message,
                peer = self.events.peers.recv() => match peer {
                    Err(RecvError::Lagged(_)) => continue,
                    other => other,
                },
            };
            return match next {
                Ok(event) => Ok(Some(event)),
                Err(RecvError::Closed) => Ok(None),
                Err(RecvError::Lagged(lost)) => Err(Lagged(lost)),
            };
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.topics.leave(&self.topic);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
