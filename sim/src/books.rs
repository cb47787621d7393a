//! The world of pubsub nodes, which keeps the books: what was published, who got it when and how, and what went wrong.

use crate::{
    actor::{Actor, protocols},
    message::{is_forged, place, tag},
    network::World,
    scenario::Behaviour,
};
use bytes::Bytes;
use sinew_floodsub::{Rpc, SignatureError, Validation};
use sinew_gossipsub::{Job, News, Notice, Output};
use sinew_machine::{CloseCode, Instant, code};
use sinew_wire::varint;
use std::time::Duration;

/// What is known of all nodes and messages.
pub(crate) struct Books {
    /// What each node does.
    pub(crate) behaviours: Vec<Behaviour>,
    /// The messages, by tag.
    pub(crate) published: Vec<Published>,
    /// What was counted.
    pub(crate) tally: Tally,
    verify: Duration,
    /// By message, then by node.
    heard: Vec<Heard>,
    /// When each node came up the last time.
    started: Vec<Instant>,
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    /// When.
    pub(crate) at: Instant,
    /// By which node.
    pub(crate) author: usize,
}

/// How a message came to a node.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Heard {
    /// How long after it was published, in microseconds.
    pub(crate) after_us: u32,
    /// Over how many connections; zero if it did not come.
    pub(crate) hops: u8,
}

/// What was counted of honest nodes.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    /// Bytes of frames that carry no message.
    pub(crate) control_bytes: u64,
    /// Copies of messages that arrived somewhere.
    pub(crate) copies: u64,
    /// When the last copy arrived.
    pub(crate) last_copy: Instant,
    /// Invalid messages that an honest node sent.
    pub(crate) forged_sent: u64,
    /// Invalid messages, and such that were never published, that an honest node accepted.
    pub(crate) forged_accepted: u64,
    /// Messages that a node accepted that had accepted them.
    pub(crate) accepted_twice: u64,
    /// Streams of honest nodes that honest nodes reset.
    pub(crate) honest_cut: u64,
}

impl Books {
    /// Books of nodes that do this, and need so long to verify a message.
    #[must_use]
    pub(crate) fn new(behaviours: Vec<Behaviour>, verify: Duration) -> Self {
        Self {
            started: vec![Instant::ZERO; behaviours.len()],
            behaviours,
            published: Vec::new(),
            tally: Tally::default(),
            verify,
            heard: Vec::new(),
        }
    }

    /// A message is published. Its tag is how many there were before.
    pub(crate) fn publish(&mut self, message: Published) {
        self.published.push(message);
        let places = self.published.len() * self.behaviours.len();
        self.heard.resize(places, Heard::default());
    }

    /// How a message came to a node.
    #[must_use]
    pub(crate) fn heard(&self, tag: usize, node: usize) -> Heard {
        self.heard[tag * self.behaviours.len() + node]
    }

    /// A node starts, and knows nothing.
    pub(crate) fn start(&mut self, now: Instant, node: usize) {
        self.started[node] = now;
    }

    fn accepted(&mut self, now: Instant, node: usize, received: &sinew_floodsub::Received) {
        let tag = tag(&received.message).filter(|tag| *tag < self.published.len());
        let Some(tag) = tag.filter(|_| !is_forged(&received.message)) else {
            self.tally.forged_accepted += 1;
            return;
        };
        let Published { at, author } = self.published[tag];
        let from = place(&received.peer);
        let hops = if from == author {
            0
        } else {
            self.heard(tag, from).hops
        };
        let heard = &mut self.heard[tag * self.behaviours.len() + node];
        let after = |moment: Instant| u32::try_from((moment - at).as_micros()).unwrap_or(u32::MAX);
        if heard.hops == 0 {
            *heard = Heard {
                after_us: after(now),
                hops: hops.saturating_add(1),
            };
        } else if heard.after_us > after(self.started[node]) {
            self.tally.accepted_twice += 1;
        }
    }
}

impl World<Actor> for Books {
    fn agree(&self, opener: usize, other: usize) -> Option<(usize, usize)> {
        let list = |node: usize| protocols(self.behaviours[node] == Behaviour::Floodsub);
        let theirs = list(other);
        let mut spoken = list(opener).iter().enumerate();
        spoken.find_map(|(index, protocol)| Some((index, theirs.iter().position(|other| other == protocol)?)))
    }

    fn decode(&mut self, now: Instant, (from, _): (usize, usize), frame: &Bytes) -> Option<Rpc> {
        let (_, prefix) = varint::decode(frame).ok()??;
        let rpc = Rpc::decode(&frame.slice(prefix..)).ok()?;
        if self.behaviours[from].is_honest() {
            if rpc.publish.is_empty() {
                self.tally.control_bytes += frame.len() as u64;
            } else {
                self.tally.copies += rpc.publish.len() as u64;
                self.tally.last_copy = now;
            }
            let forged = rpc.publish.iter().filter(|message| is_forged(message));
            self.tally.forged_sent += forged.count() as u64;
        }
        Some(rpc)
    }

    fn work(&mut self, node: usize, job: Job) -> (Output, Duration) {
        let Job::Check(received) = job else {
            // No scenario lets peers tell each other of others.
            return (Output::Done, Duration::ZERO);
        };
        let checked = if is_forged(&received.message) {
            Err(SignatureError::Invalid(received.peer))
        } else if self.behaviours[node] == Behaviour::Silent {
            Ok(Validation::Ignore)
        } else {
            Ok(Validation::Accept)
        };
        (Output::Checked(checked), self.verify)
    }

    fn emit(&mut self, now: Instant, node: usize, event: Notice) {
        if let Notice::News(News::Message(received)) = event {
            self.accepted(now, node, &received);
        }
    }

    fn reset(&mut self, node: usize, other: usize, code: CloseCode) {
        let honest = [node, other]
            .iter()
            .all(|node| self.behaviours[*node].is_honest());
        let is_blame = matches!(
            code,
            code::stream::RATE_LIMITED | code::stream::PROTOCOL_VIOLATION
        );
        self.tally.honest_cut += u64::from(honest && is_blame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{forged, message, peer};
    use sinew_floodsub::{Message, MessageId, Received, Topic};
    use sinew_machine::Rng;
    use std::sync::Arc;

    /// Two that are honest and one that is not, of which the first has published a message.
    fn books() -> (Books, Message) {
        let behaviours = vec![Behaviour::Gossipsub, Behaviour::Gossipsub, Behaviour::Spam];
        let mut books = Books::new(behaviours, Duration::ZERO);
        let at = Instant::ZERO;
        books.publish(Published { at, author: 0 });
        let topic: Topic = "t".parse().expect("a topic");
        (books, message(&peer(&mut Rng::new(1), 0), 0, &topic, 100))
    }

    fn accept(books: &mut Books, at: u64, message: Message) {
        let peer = peer(&mut Rng::new(1), 0);
        let received = Arc::new(Received {
            peer,
            id: MessageId::of(&message),
            message,
        });
        books.emit(Instant(at), 1, Notice::News(News::Message(received)));
    }

    #[test]
    fn who_forwards_an_invalid_message_is_found() {
        let (mut books, message) = books();
        let mut sent = |from, message: &Message| {
            let decoded = books.decode(Instant(1), (from, 1), &message.rpc());
            assert!(decoded.is_some());
            books.tally.forged_sent
        };
        let twin = forged(&message);
        assert_eq!([sent(0, &message), sent(2, &twin), sent(1, &twin)], [0, 0, 1]);
    }

    #[test]
    fn who_accepts_what_is_forged_or_known_is_found() {
        let (mut books, message) = books();
        accept(&mut books, 1_000, message.clone());
        assert_eq!((books.heard(0, 1).hops, books.tally.accepted_twice), (1, 0));
        accept(&mut books, 2_000, message.clone());
        assert_eq!((books.tally.forged_accepted, books.tally.accepted_twice), (0, 1));
        accept(&mut books, 3_000, forged(&message));
        assert_eq!(books.tally.forged_accepted, 1);
        // Who starts again knows nothing.
        books.start(Instant(5_000_000), 1);
        accept(&mut books, 6_000_000, message);
        assert_eq!(books.tally.accepted_twice, 1);
    }
}
