//! Messages on their way through verification and validation: each once, a few at a time, peers in turn.
//!
//! ```text
//!  arrive ---> waiting (of its peer) ---> running ---> settled: accepted, ignored, rejected (seen from then on)
//!    |                                       |
//!    +--> the same bytes: one more sender    +-------> forged (its id is as unknown as before)
//! ```
//!
//! The id of a message is a claim until its signature is verified: bytes with the id of another message must not take its
//! place. Copies with the same bytes share a fate, others are verified by themselves, one of each peer: however many send
//! forged ones, an honest one finds room.

use super::Received;
use crate::MessageId;
use sinew_identity::PeerId;
use sinew_machine::Token;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Messages that are verified and validated at once: as many as go-libp2p has validations.
pub const MAX_RUNNING: usize = 1024;

/// Bytes of messages that are verified and validated at once; one message may exceed it. A validator may take its time, and a
/// thousand of the longest messages are a gibibyte.
pub const MAX_RUNNING_BYTES: usize = 64 << 20;

/// Bytes of messages of one peer that wait for that; more are dropped.
pub const MAX_WAITING: usize = 4 << 20;

/// What a message that waits costs besides its bytes.
const OVERHEAD: usize = 256;

/// The messages that wait to be verified and validated, or are.
#[derive(Default, Debug)]
pub struct Checks {
    candidates: BTreeMap<Token, Candidate>,
    by_id: BTreeMap<MessageId, Vec<Token>>,
    waiting: BTreeMap<PeerId, Waiting>,
    /// The peers of which something waits.
    turns: VecDeque<PeerId>,
    /// With what each costs. Some of them may have been settled meanwhile.
    running: BTreeMap<Token, usize>,
    running_bytes: usize,
}

/// A message, and who sent it.
#[derive(Debug)]
pub struct Candidate {
    /// The message, and who sent it first.
    pub received: Arc<Received>,
    /// All who sent it so far.
    pub senders: Vec<PeerId>,
}

#[derive(Default, Debug)]
struct Waiting {
    queue: VecDeque<(Token, usize)>,
    bytes: usize,
}

impl Checks {
    /// Whether the very same message is here already; its sender is noted then.
    pub fn is_duplicate(&mut self, peer: PeerId, id: &MessageId, bytes: &[u8]) -> bool {
        let tokens = self.by_id.get(id).into_iter().flatten();
        let same = |token: &&Token| {
            self.candidates
                .get(token)
                .is_some_and(|known| known.received.message.as_bytes() == bytes)
        };
        let Some(token) = tokens.copied().find(|token| same(&token)) else {
            return false;
        };
        if let Some(candidate) = self.candidates.get_mut(&token)
            && !candidate.senders.contains(&peer)
        {
            candidate.senders.push(peer);
        }
        true
    }

    /// Whether a message of that id is here that nobody signed. Its id is what it says, so there is no other to wait for.
    #[must_use]
    pub fn has_unsigned(&self, id: &MessageId) -> bool {
        let mut versions = self.versions(id);
        versions.any(|candidate| candidate.received.message.signature().is_none())
    }

    /// Whether a message of that id is here that a peer sent.
    fn has_version(&self, id: &MessageId, peer: &PeerId) -> bool {
        let mut versions = self.versions(id);
        versions.any(|candidate| candidate.senders.contains(peer))
    }

    fn versions(&self, id: &MessageId) -> impl Iterator<Item = &Candidate> {
        let tokens = self.by_id.get(id).into_iter().flatten();
        tokens.filter_map(|token| self.candidates.get(token))
    }

    /// Adds a message that is not here yet, if there is room, and its sender did not send another of that id.
    pub fn add(&mut self, token: Token, received: Received) -> bool {
        let (peer, id) = (received.peer, received.id.clone());
        let cost = received.message.as_bytes().len() + OVERHEAD;
        let waits = self.waiting.get(&peer).map_or(0, |waiting| waiting.bytes);
        if waits + cost > MAX_WAITING || self.has_version(&id, &peer) {
            return false;
        }
        self.by_id.entry(id).or_default().push(token);
        let waiting = self.waiting.entry(peer).or_default();
        if waiting.queue.is_empty() {
            self.turns.push_back(peer);
        }
        waiting.queue.push_back((token, cost));
        waiting.bytes += cost;
        let candidate = Candidate {
            received: Arc::new(received),
            senders: vec![peer],
        };
        self.candidates.insert(token, candidate);
        true
    }

    /// The next message whose turn it is, if not too many are running. It runs until it is forged or settled.
    pub fn start(&mut self) -> Option<(Token, Arc<Received>)> {
        while self.running.len() < MAX_RUNNING && self.running_bytes < MAX_RUNNING_BYTES {
            let (token, cost) = self.pop()?;
            if let Some(candidate) = self.candidates.get(&token) {
                self.running.insert(token, cost);
                self.running_bytes += cost;
                return Some((token, candidate.received.clone()));
            }
        }
        None
    }

    /// Takes out a message that was found to be forged; other versions of it go on. `None` if another was found to be the
    /// message meanwhile.
    pub fn forged(&mut self, token: Token) -> Option<Candidate> {
        self.ran(token);
        let candidate = self.candidates.remove(&token)?;
        if let Some(versions) = self.by_id.get_mut(&candidate.received.id) {
            versions.retain(|version| *version != token);
            if versions.is_empty() {
                self.by_id.remove(&candidate.received.id);
            }
        }
        Some(candidate)
    }

    /// Takes out the message, and all other versions of it. `None` as for [`Checks::forged`].
    pub fn settled(&mut self, token: Token) -> Option<Candidate> {
        self.ran(token);
        let candidate = self.candidates.remove(&token)?;
        for version in self.by_id.remove(&candidate.received.id).into_iter().flatten() {
            self.candidates.remove(&version);
        }
        Some(candidate)
    }

    fn ran(&mut self, token: Token) {
        self.running_bytes -= self.running.remove(&token).unwrap_or_default();
    }

    /// The first that waits of the peer whose turn it is, and what it costs.
    fn pop(&mut self) -> Option<(Token, usize)> {
        let peer = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&peer)?;
        let (token, cost) = waiting.queue.pop_front()?;
        waiting.bytes -= cost;
        if waiting.queue.is_empty() {
            self.waiting.remove(&peer);
        } else {
            self.turns.push_back(peer);
        }
        Some((token, cost))
    }
}

#[cfg(test)]
mod tests {
    use super::{Checks, MAX_RUNNING, MAX_RUNNING_BYTES, MAX_WAITING, OVERHEAD};
    use crate::{Message, MessageId, machine::Received};
    use sinew_identity::PeerId;
    use sinew_machine::Token;

    fn received(peer: PeerId, id: u32, data: &[u8]) -> Received {
        Received {
            peer,
            id: id.to_be_bytes().to_vec().into(),
            message: Message::anonymous(&"t".parse().expect("a topic"), data.to_vec()),
        }
    }

    fn id(n: u32) -> MessageId {
        n.to_be_bytes().to_vec().into()
    }

    #[test]
    fn peers_have_their_turns() {
        let (mut checks, a, b) = (Checks::default(), PeerId::random(), PeerId::random());
        for n in 0..3 {
            assert!(checks.add(Token(u64::from(n)), received(a, n, b"")));
        }
        assert!(checks.add(Token(9), received(b, 9, b"")));
        let order: Vec<_> = std::iter::from_fn(|| checks.start().map(|(token, _)| token.0)).collect();
        assert_eq!(order, [0, 9, 1, 2]);
        assert!(checks.waiting.is_empty() && checks.turns.is_empty());
    }

    #[test]
    fn versions_of_an_id_are_verified_each_by_itself() {
        let (mut checks, a, b) = (Checks::default(), PeerId::random(), PeerId::random());
        assert!(checks.add(Token(0), received(a, 1, b"forged")));
        let honest = received(b, 1, b"honest");
        let bytes = honest.message.as_bytes().clone();
        assert!(!checks.is_duplicate(b, &id(1), &bytes));
        assert!(checks.add(Token(1), honest));
        assert!(checks.is_duplicate(a, &id(1), &bytes), "the same again");
        assert!(checks.start().is_some() && checks.start().is_some());
        assert_eq!(checks.forged(Token(0)).expect("known").senders, [a]);
        let c = PeerId::random();
        assert!(
            checks.is_duplicate(c, &id(1), &bytes),
            "the other version is known as before"
        );
        assert_eq!(checks.settled(Token(1)).expect("known").senders, [b, a, c]);
        assert!(checks.by_id.is_empty() && checks.candidates.is_empty() && checks.running.is_empty());
    }

    #[test]
    fn no_peer_keeps_the_message_of_another_out() {
        let (mut checks, bad) = (Checks::default(), PeerId::random());
        assert!(checks.add(Token(0), received(bad, 1, b"forged")));
        assert!(!checks.add(Token(1), received(bad, 1, b"forged otherwise")));
        let others = 2..20;
        for n in others.clone() {
            let forged = received(PeerId::random(), 1, &n.to_string().into_bytes());
            assert!(checks.add(Token(n), forged));
        }
        assert!(checks.add(Token(99), received(PeerId::random(), 1, b"honest")));
        assert!(checks.forged(Token(0)).is_some());
        assert!(
            checks.add(Token(100), received(bad, 1, b"another")),
            "one at a time"
        );
    }

    #[test]
    fn what_was_settled_settles_its_other_versions() {
        let mut checks = Checks::default();
        for n in 0..3 {
            assert!(checks.add(Token(n), received(PeerId::random(), 1, &n.to_be_bytes())));
        }
        assert!(checks.start().is_some() && checks.start().is_some());
        assert!(checks.settled(Token(0)).is_some());
        assert!(checks.settled(Token(1)).is_none() && checks.start().is_none());
        assert!(checks.running.is_empty() && checks.waiting.is_empty());
    }

    #[test]
    fn bounds() {
        let (mut checks, a, b) = (Checks::default(), PeerId::random(), PeerId::random());
        assert!(checks.add(Token(90), received(a, 1, b"")));
        let large = vec![0; MAX_WAITING - 2 * OVERHEAD];
        assert!(!checks.add(Token(91), received(a, 2, &large)), "beside the other");
        assert!(checks.add(Token(92), received(b, 2, &large)));
        let mut checks = Checks::default();
        for n in 0..=MAX_RUNNING as u32 {
            assert!(checks.add(Token(u64::from(n)), received(a, n, b"")));
        }
        assert_eq!(std::iter::from_fn(|| checks.start()).count(), MAX_RUNNING);
        assert!(checks.settled(Token(0)).is_some() && checks.start().is_some());
    }

    #[test]
    fn long_messages_run_a_few_at_once() {
        let mut checks = Checks::default();
        let large = vec![0; MAX_WAITING - 2 * OVERHEAD];
        let many = MAX_RUNNING_BYTES / large.len() + 2;
        for n in 0..many as u32 {
            assert!(checks.add(Token(u64::from(n)), received(PeerId::random(), n, &large)));
        }
        let started: Vec<_> = std::iter::from_fn(|| checks.start().map(|(token, _)| token)).collect();
        assert_eq!(started.len(), many - 1, "one exceeds the bound");
        assert!(checks.forged(started[0]).is_some() && checks.settled(started[1]).is_some());
        assert!(checks.start().is_some() && checks.start().is_none());
        started
            .into_iter()
            .skip(2)
            .for_each(|token| drop(checks.forged(token)));
        assert!(checks.settled(Token(many as u64 - 1)).is_some() && checks.running_bytes == 0);
    }
}
