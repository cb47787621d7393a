//! Which peers follow which topics.

use crate::{SubscriptionFilter, Topic};
use sinew_identity::PeerId;
use std::collections::{BTreeMap, BTreeSet};

/// The most topics of our own, and of one peer unless told; more are passed over.
pub const MAX_TOPICS: usize = 1024;

/// Which peers follow which topics, ours and others.
#[derive(Default, Debug)]
pub struct Followers {
    filter: SubscriptionFilter,
    by_topic: BTreeMap<Topic, BTreeSet<PeerId>>,
    by_peer: BTreeMap<PeerId, BTreeSet<Topic>>,
}

impl Followers {
    /// Only of the topics that a filter allows.
    #[must_use]
    pub fn new(filter: SubscriptionFilter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// The peers of a topic, in order.
    pub fn of(&self, topic: &str) -> impl Iterator<Item = PeerId> {
        self.by_topic.get(topic).into_iter().flatten().copied()
    }

    /// Whether a peer follows a topic.
    #[must_use]
    pub fn contains(&self, topic: &str, peer: &PeerId) -> bool {
        self.by_topic.get(topic).is_some_and(|peers| peers.contains(peer))
    }

    /// A peer says that it follows a topic; `false` if it did, or the filter is against it.
    pub fn join(&mut self, peer: PeerId, topic: &Topic) -> bool {
        let count = self.by_peer.get(&peer).map_or(0, BTreeSet::len);
        if !self.filter.has_room(count) || !self.filter.allows(topic) {
            return false;
        }
        if !self.by_peer.entry(peer).or_default().insert(topic.clone()) {
            return false;
        }
        self.by_topic.entry(topic.clone()).or_default().insert(peer)
    }

    /// A peer says that it does not follow a topic any more; `false` if it did not.
    pub fn leave(&mut self, peer: PeerId, topic: &Topic) -> bool {
        let did = self
            .by_peer
            .get_mut(&peer)
            .is_some_and(|topics| topics.remove(topic));
        if did {
            self.unlist(peer, topic);
        }
        did
    }

    /// Forgets what a peer said. Which topics it followed, in order.
    pub fn forget(&mut self, peer: PeerId) -> BTreeSet<Topic> {
        let topics = self.by_peer.remove(&peer).unwrap_or_default();
        topics.iter().for_each(|topic| self.unlist(peer, topic));
        topics
    }

    fn unlist(&mut self, peer: PeerId, topic: &Topic) {
        if let Some(peers) = self.by_topic.get_mut(topic) {
            peers.remove(&peer);
            if peers.is_empty() {
                self.by_topic.remove(topic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Followers, MAX_TOPICS};
    use crate::{SubscriptionFilter, Topic};
    use sinew_identity::PeerId;

    #[test]
    fn nothing_is_left_of_who_left() {
        let (mut followers, a, b) = (Followers::default(), PeerId::random(), PeerId::random());
        let topics: Vec<Topic> = (0..=MAX_TOPICS)
            .map(|n| n.to_string().parse().expect("a topic"))
            .collect();
        assert_eq!(
            topics.iter().filter(|topic| followers.join(a, topic)).count(),
            MAX_TOPICS
        );
        assert!(!followers.join(a, &topics[0]) && followers.join(b, &topics[0]));
        assert!(followers.leave(a, &topics[0]) && !followers.leave(a, &topics[0]));
        assert_eq!(followers.of("0").collect::<Vec<_>>(), [b]);
        assert!(followers.contains("1", &a) && !followers.contains("0", &a));
        assert_eq!(followers.forget(a).len(), MAX_TOPICS - 1);
        assert!(followers.leave(b, &topics[0]));
        assert!(followers.by_topic.is_empty() && followers.forget(b).is_empty());
    }

    #[test]
    fn topics_that_are_filtered_take_no_room() {
        let topic = |text: &str| Topic::new(text).expect("a topic");
        let filter = SubscriptionFilter::only([topic("a"), topic("b"), topic("c")]).max_per_peer(2);
        let (mut followers, peer) = (Followers::new(filter), PeerId::random());
        assert!(!followers.join(peer, &topic("other")) && followers.by_peer.is_empty());
        assert!(followers.join(peer, &topic("a")) && followers.join(peer, &topic("b")));
        assert!(!followers.join(peer, &topic("c")), "it has two");
        assert!(followers.leave(peer, &topic("a")) && followers.join(peer, &topic("c")));
    }
}
