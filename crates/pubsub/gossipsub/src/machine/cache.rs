//! The messages of the last heartbeats: announced for some, and sent to peers that ask for them.
// spec: gossipsub 1.0, Message Cache

use sinew_floodsub::{Message, MessageId, Topic};
use sinew_identity::PeerId;
use std::collections::{BTreeMap, VecDeque};

/// What a message costs besides its bytes.
const OVERHEAD: usize = 256;

/// The messages of the last heartbeats, within a bound of bytes.
#[derive(Debug)]
pub(super) struct Cache {
    messages: BTreeMap<MessageId, Cached>,
    /// By topic; the newest heartbeat first.
    history: VecDeque<BTreeMap<Topic, Vec<MessageId>>>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Cached {
    message: Message,
    /// How often each peer asked.
    asked: BTreeMap<PeerId, u32>,
}

impl Cache {
    pub(super) fn new(heartbeats: usize, max_bytes: usize) -> Self {
        Self {
            messages: BTreeMap::new(),
            history: (0..heartbeats).map(|_| BTreeMap::new()).collect(),
            bytes: 0,
            max_bytes,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Keeps a message, if there is room.
    pub(super) fn put(&mut self, topic: Topic, id: MessageId, message: Message) {
        let cost = message.as_bytes().len() + OVERHEAD;
        let Some(newest) = self.history.front_mut() else {
            return;
        };
        if self.bytes + cost > self.max_bytes || self.messages.contains_key(&id) {
            return;
        }
        self.bytes += cost;
        newest.entry(topic).or_default().push(id.clone());
        let asked = BTreeMap::new();
        self.messages.insert(id, Cached { message, asked });
    }

    /// A message for a peer that asks for it, and how often it did.
    pub(super) fn take(&mut self, id: &MessageId, peer: PeerId) -> Option<(&Message, u32)> {
        let cached = self.messages.get_mut(id)?;
        let times = cached.asked.entry(peer).or_default();
        *times = times.saturating_add(1);
        Some((&cached.message, *times))
    }

    /// The messages of a topic within the last `heartbeats`.
    pub(super) fn gossip(&self, topic: &Topic, heartbeats: usize) -> Vec<MessageId> {
        let recent = self.history.iter().take(heartbeats);
        let of_topic = recent.filter_map(|topics| topics.get(topic));
        of_topic.flatten().cloned().collect()
    }

    /// A heartbeat is over.
    pub(super) fn shift(&mut self) {
        let oldest = self.history.pop_back().unwrap_or_default();
        for id in oldest.into_values().flatten() {
            if let Some(cached) = self.messages.remove(&id) {
                self.bytes -= cached.message.as_bytes().len() + OVERHEAD;
            }
        }
        self.history.push_front(BTreeMap::new());
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, OVERHEAD};
    use sinew_floodsub::{Message, MessageId, Topic};
    use sinew_identity::PeerId;

    fn message(data: &str) -> (Topic, MessageId, Message) {
        let topic: Topic = "a".parse().expect("a topic");
        let message = Message::anonymous(&topic, data.to_owned());
        (topic, MessageId::of(&message), message)
    }

    #[test]
    fn a_message_is_announced_for_some_heartbeats_and_kept_for_more() {
        let mut cache = Cache::new(3, 1 << 20);
        let (topic, id, message) = message("hello");
        cache.put(topic.clone(), id.clone(), message.clone());
        cache.put(topic.clone(), id.clone(), message);
        let peer = PeerId::random();
        for (heartbeat, announced) in [1, 1, 0].into_iter().enumerate() {
            assert_eq!(cache.gossip(&topic, 2).len(), announced, "{heartbeat}");
            let times = cache.take(&id, peer).map(|(_, times)| times);
            assert_eq!(times, u32::try_from(heartbeat + 1).ok());
            cache.shift();
        }
        assert!(cache.take(&id, peer).is_none() && cache.messages.is_empty());
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn no_more_is_kept_than_fits() {
        let (topic, id, first) = message("1");
        let mut cache = Cache::new(2, first.as_bytes().len() + OVERHEAD);
        cache.put(topic.clone(), id.clone(), first);
        let (_, other, second) = message("2");
        cache.put(topic.clone(), other.clone(), second);
        assert_eq!(cache.gossip(&topic, 2), [id]);
        assert!(cache.take(&other, PeerId::random()).is_none());
    }
}
