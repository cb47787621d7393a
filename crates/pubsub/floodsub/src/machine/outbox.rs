//! What waits to be sent to one peer: what changed of our topics, then messages.

use super::{Frame, Told, Waiting};
use crate::{Rpc, SubOpts, Topic};
use bytes::Bytes;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

/// Bytes of messages that wait for one peer; who reads slower than that loses the newest.
pub const MAX_QUEUED: usize = 4 << 20;

/// Bytes of messages that wait for all peers together, each message once; who reads slowest loses what waits for it.
pub(super) const MAX_QUEUED_IN_ALL: usize = 64 << 20;

/// What waits to be sent to one peer.
#[derive(Default, Debug)]
pub(super) struct Outbox {
    pub(super) told: Told,
    messages: VecDeque<Waiting>,
    bytes: usize,
}

impl Outbox {
    /// Adds a message, if there is room.
    pub(super) fn push(&mut self, frame: &Arc<Frame>) -> bool {
        let waiting = frame.wait();
        if self.bytes + waiting.cost() > MAX_QUEUED {
            return false;
        }
        self.bytes += waiting.cost();
        self.messages.push_back(waiting);
        true
    }

    /// Bytes of messages that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops all messages; how many they were.
    pub(super) fn clear(&mut self) -> usize {
        self.bytes = 0;
        std::mem::take(&mut self.messages).len()
    }

    /// The next frame to send.
    pub(super) fn next(&mut self, topics: &BTreeSet<Topic>) -> Option<Bytes> {
        self.subscriptions(topics).or_else(|| {
            let waiting = self.messages.pop_front()?;
            self.bytes -= waiting.cost();
            Some(waiting.bytes().clone())
        })
    }

    fn subscriptions(&mut self, topics: &BTreeSet<Topic>) -> Option<Bytes> {
        let now = |topic: &Topic| SubOpts::new(topic.clone(), topics.contains(topic));
        let subscriptions = self.told.next(now);
        let rpc = Rpc {
            subscriptions,
            ..Rpc::default()
        };
        (!rpc.subscriptions.is_empty()).then(|| rpc.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_QUEUED, Outbox};
    use crate::{Rpc, Topic, machine::Pool};
    use bytes::Bytes;
    use std::collections::BTreeSet;

    fn topic(text: &str) -> Topic {
        text.parse().expect("a topic")
    }

    #[test]
    fn a_topic_is_told_as_it_is_when_there_is_room() {
        let mut topics = BTreeSet::from([topic("a"), topic("b")]);
        let mut outbox = Outbox::default();
        outbox.told.begin(topics.clone());
        assert!(outbox.push(&Pool::default().frame(Bytes::from_static(b"message"))));
        topics.remove("a");
        outbox.told.changed(&topic("a"));
        let hello = outbox.next(&topics).expect("a topic");
        let hello = Rpc::decode(&hello.slice(1..)).expect("an RPC");
        assert_eq!(
            hello.subscriptions.len(),
            1,
            "of the one that was left nobody knew"
        );
        assert_eq!(
            outbox.next(&topics).as_deref(),
            Some(&b"message"[..]),
            "after topics"
        );
        topics.insert(topic("a"));
        outbox.told.changed(&topic("a"));
        topics.remove("a");
        outbox.told.changed(&topic("a"));
        assert_eq!(outbox.next(&topics), None, "nothing changed in the end");
    }

    #[test]
    fn messages_wait_within_a_bound() {
        let (mut outbox, topics) = (Outbox::default(), BTreeSet::new());
        let (pool, place) = (Pool::default(), Pool::default().frame(Bytes::new()).wait().cost());
        let frame = pool.frame(vec![0; MAX_QUEUED / 2 - place].into());
        let empty = pool.frame(Bytes::new());
        assert!(outbox.push(&frame) && outbox.push(&frame));
        assert!(!outbox.push(&empty));
        assert!(outbox.next(&topics).is_some() && outbox.push(&empty));
        assert_eq!(
            (outbox.clear(), outbox.bytes(), outbox.next(&topics)),
            (2, 0, None)
        );
    }
}
