//! Which topics are followed, here and by peers.

use crate::{MAX_TOPICS, Topic};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// Which topics may be followed: what peers say of others is passed over, and so are topics of one peer beyond a number.
///
/// ```
/// use sinew_floodsub::{SubscriptionFilter, Topic};
///
/// # fn filters() -> Result<(), sinew_floodsub::TopicError> {
/// let two = SubscriptionFilter::only([Topic::new("blocks")?, Topic::new("votes")?]);
/// let mine = SubscriptionFilter::matching(|topic| topic.as_str().starts_with("/mine/")).max_per_peer(100);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SubscriptionFilter {
    allows: Arc<dyn Fn(&Topic) -> bool + Send + Sync>,
    max_per_peer: usize,
}

impl Default for SubscriptionFilter {
    /// All topics, [`MAX_TOPICS`] of each peer.
    fn default() -> Self {
        Self::matching(|_| true)
    }
}

impl SubscriptionFilter {
    /// The topics for which `allows` says so; it has to be quick.
    pub fn matching(allows: impl Fn(&Topic) -> bool + Send + Sync + 'static) -> Self {
        Self {
            allows: Arc::new(allows),
            max_per_peer: MAX_TOPICS,
        }
    }

    /// Those topics and no others.
    pub fn only(topics: impl IntoIterator<Item = Topic>) -> Self {
        let topics: BTreeSet<_> = topics.into_iter().collect();
        Self::matching(move |topic| topics.contains(topic))
    }

    /// How many topics of one peer are known; more are passed over. [`MAX_TOPICS`] unless told.
    #[must_use]
    pub fn max_per_peer(mut self, topics: usize) -> Self {
        self.max_per_peer = topics;
        self
    }

    /// Whether a topic may be followed.
    #[must_use]
    pub fn allows(&self, topic: &Topic) -> bool {
        (self.allows)(topic)
    }

    /// Whether one more topic may be of a peer that follows so many.
    pub(crate) fn has_room(&self, topics: usize) -> bool {
        topics < self.max_per_peer
    }
}

impl fmt::Debug for SubscriptionFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionFilter")
            .field("max_per_peer", &self.max_per_peer)
            .finish_non_exhaustive()
    }
}
