//! The last numbers of authors: a message whose number is not above is an old one, however long ago it was seen.

use sinew_floodsub::Message;
use sinew_identity::PeerId;
use std::collections::{BTreeMap, BTreeSet};

/// The number of the last message of each author that was accepted. Those who wrote nothing for longest are forgotten first.
#[derive(Default, Debug)]
pub(super) struct Authors {
    max: usize,
    last: BTreeMap<PeerId, Last>,
    /// In the order of what they wrote last.
    order: BTreeSet<(u64, PeerId)>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    seqno: u64,
    order: u64,
}

impl Authors {
    /// As many are known as that; none, and nothing is old, if it is zero.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    /// Whether a message is not above the last of its author.
    pub(super) fn is_old(&self, message: &Message) -> bool {
        let Some((author, seqno)) = numbered(message) else {
            return false;
        };
        self.last.get(&author).is_some_and(|last| seqno <= last.seqno)
    }

    /// A message was verified and accepted.
    pub(super) fn accepted(&mut self, message: &Message) {
        let Some((author, seqno)) = numbered(message).filter(|_| self.max > 0) else {
            return;
        };
        let known = self.last.remove(&author);
        if let Some(known) = known {
            self.order.remove(&(known.order, author));
        } else if self.last.len() >= self.max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.last.remove(&oldest);
        }
        self.next += 1;
        let last = Last {
            seqno: known.map_or(seqno, |known| known.seqno.max(seqno)),
            order: self.next,
        };
        self.order.insert((last.order, author));
        self.last.insert(author, last);
    }
}

/// Author and number of a signed message. Of others anybody can say that they are somebody's.
fn numbered(message: &Message) -> Option<(PeerId, u64)> {
    message.signature()?;
    let author = PeerId::from_bytes(message.from()?).ok()?;
    let seqno = message.seqno()?.try_into().ok()?;
    Some((author, u64::from_be_bytes(seqno)))
}

#[cfg(test)]
mod tests {
    use super::Authors;
    use sinew_floodsub::{Message, Topic};
    use sinew_identity::Keypair;

    fn message(author: &Keypair, seqno: u64) -> Message {
        let topic: Topic = "a".parse().expect("a topic");
        Message::signed(author, seqno, &topic, "x").expect("signs")
    }

    #[test]
    fn numbers_go_up() {
        let (mut authors, author) = (Authors::new(8), Keypair::generate());
        assert!(!authors.is_old(&message(&author, 5)), "of who is new all is");
        authors.accepted(&message(&author, 5));
        assert!(authors.is_old(&message(&author, 5)) && authors.is_old(&message(&author, 4)));
        assert!(!authors.is_old(&message(&author, 6)));
        authors.accepted(&message(&author, 9));
        authors.accepted(&message(&author, 7));
        assert!(
            authors.is_old(&message(&author, 9)),
            "one that was verified later"
        );
        assert!(!authors.is_old(&message(&Keypair::generate(), 1)));
        let anonymous = Message::anonymous(&"a".parse().expect("a topic"), "x");
        authors.accepted(&anonymous);
        assert!(!authors.is_old(&anonymous));
    }

    #[test]
    fn the_longest_silent_author_is_forgotten() {
        let mut authors = Authors::new(2);
        let [a, b, c] = std::array::from_fn(|_| Keypair::generate());
        for author in [&a, &b, &a, &c] {
            authors.accepted(&message(author, 5));
        }
        assert!(authors.is_old(&message(&a, 5)) && authors.is_old(&message(&c, 5)));
        assert!(!authors.is_old(&message(&b, 5)));
        assert_eq!((authors.last.len(), authors.order.len()), (2, 2));
        let mut none = Authors::new(0);
        none.accepted(&message(&a, 5));
        assert!(!none.is_old(&message(&a, 5)) && none.last.is_empty());
    }
}
