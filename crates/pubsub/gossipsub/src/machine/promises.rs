//! Messages that peers announced and were asked for: who does not send them misbehaves.
// spec: gossipsub 1.1, Spam Protection Measures: of each announcement that is followed up one message is tracked at random

use sinew_floodsub::MessageId;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::collections::BTreeMap;

/// The messages that were asked for, with who promised them and until when.
#[derive(Default, Debug)]
pub(super) struct Promises {
    by_id: BTreeMap<MessageId, BTreeMap<PeerId, Instant>>,
}

impl Promises {
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// A peer has been asked for a message, which it has to send until `due`.
    pub(super) fn add(&mut self, id: MessageId, peer: PeerId, due: Instant) {
        self.by_id.entry(id).or_default().entry(peer).or_insert(due);
    }

    /// A peer sent something of that id: the promise is neither kept nor broken until it was verified.
    pub(super) fn brought(&mut self, id: &MessageId, peer: &PeerId) {
        if let Some(due) = self.by_id.get_mut(id).and_then(|peers| peers.get_mut(peer)) {
            *due = Instant(u64::MAX);
        }
    }

    /// What a peer sent was dropped unseen: it did its part.
    pub(super) fn released(&mut self, id: &MessageId, peer: &PeerId) {
        if let Some(peers) = self.by_id.get_mut(id) {
            peers.remove(peer);
        }
    }

    /// What peers sent was not the message.
    pub(super) fn unkept(&mut self, now: Instant, id: &MessageId, senders: &[PeerId]) {
        let Some(peers) = self.by_id.get_mut(id) else {
            return;
        };
        for sender in senders {
            if let Some(due) = peers.get_mut(sender) {
                *due = now;
            }
        }
    }

    /// Somebody sent the message: nobody else can any more.
    pub(super) fn fulfilled(&mut self, id: &MessageId) {
        self.by_id.remove(id);
    }

    /// Takes out the promises that were not kept, by peer.
    pub(super) fn broken(&mut self, now: Instant) -> BTreeMap<PeerId, u32> {
        let mut broken = BTreeMap::new();
        self.by_id.retain(|_, peers| {
            peers.retain(|peer, due| {
                let kept = *due > now;
                if !kept {
                    *broken.entry(*peer).or_default() += 1;
                }
                kept
            });
            !peers.is_empty()
        });
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::Promises;
    use sinew_floodsub::MessageId;
    use sinew_identity::PeerId;
    use sinew_machine::Instant;

    #[test]
    fn a_promise_is_broken_once() {
        let (mut promises, a, b) = (Promises::default(), PeerId::random(), PeerId::random());
        let id = |text: &[u8]| MessageId::from(text);
        promises.add(id(b"1"), a, Instant(5));
        promises.add(id(b"1"), b, Instant(9));
        promises.add(id(b"2"), a, Instant(5));
        promises.add(id(b"3"), a, Instant(5));
        promises.fulfilled(&id(b"3"));
        assert!(promises.broken(Instant(4)).is_empty());
        assert_eq!(promises.broken(Instant(5)), [(a, 2)].into());
        assert_eq!(promises.broken(Instant(9)), [(b, 1)].into());
        assert!(promises.by_id.is_empty());
    }

    #[test]
    fn what_was_sent_is_judged_first() {
        let (mut promises, a, b) = (Promises::default(), PeerId::random(), PeerId::random());
        let id = MessageId::from(&b"1"[..]);
        promises.add(id.clone(), a, Instant(5));
        promises.add(id.clone(), b, Instant(5));
        promises.brought(&id, &a);
        promises.brought(&id, &b);
        promises.released(&id, &b);
        assert!(promises.broken(Instant(9)).is_empty());
        promises.unkept(Instant(9), &id, &[a, b]);
        assert_eq!(promises.broken(Instant(9)), [(a, 1)].into());
        assert!(promises.by_id.is_empty());
    }
}
