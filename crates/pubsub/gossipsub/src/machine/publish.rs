//! Publishing: our own messages, one or many at once, and how each message is sent.

use super::{Effects, Machine, Trace, messages::Fate};
use sinew_floodsub::{Frame, Message, MessageId, Topic};
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::sync::Arc;

/// Whose a message is: ours go before those of others, and wait longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    Own,
    Others,
}

/// A message on its way.
pub(super) struct Outgoing<'a> {
    pub(super) id: MessageId,
    pub(super) message: &'a Message,
    /// With which it goes, to all peers the same.
    pub(super) frame: Arc<Frame>,
    pub(super) origin: Origin,
}

/// One of our own, and to whom.
struct Spread<'a> {
    outgoing: Outgoing<'a>,
    peers: Vec<PeerId>,
    /// To how many it goes.
    sent: usize,
}

impl Machine {
    pub(super) fn publish(&mut self, now: Instant, message: &Message, out: &mut Effects) -> Option<usize> {
        let sent = self.publish_batch(now, std::slice::from_ref(message), out);
        sent.into_iter().next().flatten()
    }

    /// Publishes messages: first each to one peer, and each peer another, then each to a second, and so on. So every message is
    /// soon with somebody who can hand it on, however slowly we write.
    pub(super) fn publish_batch(
        &mut self,
        now: Instant,
        messages: &[Message],
        out: &mut Effects,
    ) -> Vec<Option<usize>> {
        let mut spreads: Vec<_> = messages
            .iter()
            .map(|message| self.prepare(now, message))
            .collect();
        for (n, spread) in spreads.iter_mut().flatten().enumerate() {
            let step = n % spread.peers.len().max(1);
            spread.peers.rotate_left(step);
        }
        let longest = spreads.iter().flatten().map(|spread| spread.peers.len()).max();
        for round in 0..longest.unwrap_or_default() {
            for spread in spreads.iter_mut().flatten() {
                if let Some(to) = spread.peers.get(round) {
                    let sent = self.send(now, &spread.outgoing, to, out);
                    spread.sent += usize::from(sent);
                }
            }
        }
        let sent = spreads.into_iter().map(|spread| spread.map(|spread| spread.sent));
        let sent = sent.collect();
        self.make_room(now, out);
        sent
    }

    /// Takes a message of our own in; `None` if it is known.
    fn prepare<'a>(&mut self, now: Instant, message: &'a Message) -> Option<Spread<'a>> {
        let id = (self.message_id)(message);
        if self.seen.contains(now, &id) {
            return None;
        }
        let topic = message.topic().parse::<Topic>().ok()?;
        let fate = Fate::Accepted(now, Vec::new());
        self.seen.insert(now, id.clone(), fate);
        self.cache.put(topic.clone(), id.clone(), message.clone());
        self.tracer.add(|| Trace::PublishMessage {
            id: id.clone(),
            topic: topic.clone(),
        });
        let peers = self.publish_to(now, &topic);
        let outgoing = Outgoing {
            id,
            message,
            frame: self.pool.frame(message.rpc()),
            origin: Origin::Own,
        };
        Some(Spread {
            outgoing,
            peers,
            sent: 0,
        })
    }

    /// Sends a message to a peer, unless that is its author or does not want it. Whether it goes.
    pub(super) fn send(
        &mut self,
        now: Instant,
        outgoing: &Outgoing<'_>,
        to: &PeerId,
        out: &mut Effects,
    ) -> bool {
        let Outgoing {
            id,
            message,
            frame,
            origin,
        } = outgoing;
        let is_author = message.from() == Some(to.as_bytes());
        if is_author || self.gets_parts(to, message.topic()) {
            return false;
        }
        let (is_reachable, is_writable) = (self.links.is_reachable(to), self.links.is_writable(to));
        let Some(peer) = self.links.get_mut(to).filter(|_| is_reachable) else {
            self.counts.unsent += 1;
            return false;
        };
        // spec: gossipsub 1.2, IDONTWANT: the message is not relayed to who does not want it
        if peer.unwanted.contains_key(id) {
            return false;
        }
        if is_writable && peer.outbox.is_clear() {
            self.write_frame(to, frame.bytes().clone(), out);
            return true;
        }
        let (lane, wait) = match origin {
            Origin::Own => (&mut peer.outbox.own, self.params.publish_expiry),
            Origin::Others => (&mut peer.outbox.forwarded, self.params.forward_expiry),
        };
        let has_room = lane.push(now, id.clone(), frame, now + wait);
        self.write(now, to, out);
        has_room
    }
}
