//! What waits to be sent to one peer: what changed of our topics, then messages.

use super::Told;
use crate::{Rpc, SubOpts, Topic};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};

/// Bytes of messages that wait for one peer; who reads slower than that loses the newest.
pub const MAX_QUEUED: usize = 4 << 20;

/// What a message that waits costs besides its bytes.
const OVERHEAD: usize = 64;

/// What waits to be sent to one peer.
#[derive(Default, Debug)]
pub(super) struct Outbox {
    pub(super) told: Told,
    messages: VecDeque<Bytes>,
    bytes: usize,
}

impl Outbox {
    /// Adds a message, if there is room.
    pub(super) fn push(&mut self, frame: Bytes) -> bool {
        let cost = frame.len() + OVERHEAD;
        if self.bytes + cost > MAX_QUEUED {
            return false;
        }
        self.bytes += cost;
        self.messages.push_back(frame);
        true
    }

    /// The next frame to send.
    pub(super) fn next(&mut self, topics: &BTreeSet<Topic>) -> Option<Bytes> {
        self.subscriptions(topics).or_else(|| {
            let frame = self.messages.pop_front()?;
            self.bytes -= frame.len() + OVERHEAD;
            Some(frame)
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
    use super::{MAX_QUEUED, OVERHEAD, Outbox};
    use crate::{Rpc, Topic};
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
        assert!(outbox.push(Bytes::from_static(b"message")));
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
        let frame = Bytes::from(vec![0; MAX_QUEUED / 2 - OVERHEAD]);
        assert!(outbox.push(frame.clone()) && outbox.push(frame));
        assert!(!outbox.push(Bytes::new()));
        assert!(outbox.next(&topics).is_some() && outbox.push(Bytes::new()));
    }
}
