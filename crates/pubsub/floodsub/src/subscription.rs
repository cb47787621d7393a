//! A topic that is followed, as its application holds it.

use crate::{Event, Topic, Topics};
use sinew_core::Lagged;
use std::{fmt, sync::Arc};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// What happens on a topic, in order. The topic is left when its last subscription is dropped.
pub struct Subscription {
    topic: Topic,
    events: Receiver<Event>,
    topics: Arc<Topics>,
}

impl Subscription {
    pub(crate) fn new(topic: Topic, events: Receiver<Event>, topics: Arc<Topics>) -> Self {
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

    /// Waits for the next event. `Ok(None)` when the node has ended.
    ///
    /// # Errors
    /// The number of events that were lost because they were not fetched in time (256 are kept); the next call goes on after
    /// them.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Event>, Lagged> {
        match self.events.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(RecvError::Closed) => Ok(None),
            Err(RecvError::Lagged(lost)) => Err(Lagged(lost)),
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
