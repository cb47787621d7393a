//! Messages: how they are taken in, judged and handed on.

use super::{
    Effects, Machine, Output, RejectReason, Trace, Version,
    publish::{Origin, Outgoing},
};
use bytes::Bytes;
use sinew_floodsub::{Candidate, Control, Message, MessageId, News, Received, Rpc, Topic, Validation};
use sinew_identity::PeerId;
use sinew_machine::{Effect, Instant, Token};

/// What became of a message that was seen.
#[derive(Debug)]
pub(super) enum Fate {
    /// It was accepted then; who brought it within the window is noted, if the topic has one.
    Accepted(Instant, Vec<PeerId>),
    Rejected,
    Ignored,
}

impl Machine {
    /// Takes in what a peer says over its newest stream.
    pub(super) fn rpc(&mut self, now: Instant, id: PeerId, mut rpc: Rpc, out: &mut Effects) {
        self.tracer.received(id, &rpc);
        if self.is_blocked(now, &id) {
            self.refused(id, &rpc.publish, RejectReason::BlockedPeer);
            return self.charge(now, id, out);
        }
        if rpc == Rpc::default() {
            return self.charge(now, id, out);
        }
        let subscriptions = std::mem::take(&mut rpc.subscriptions);
        self.subscriptions(now, id, subscriptions, out);
        self.hear_extensions(id, &rpc);
        let is_explicit = self.params.explicit.contains(&id);
        // spec: gossipsub 1.1, Score Thresholds: what a graylisted peer says is ignored
        if !is_explicit && self.scores.of(&id) < self.thresholds().graylist {
            self.counts.graylisted += 1;
            return self.charge(now, id, out);
        }
        for _ in 0..rpc.malformed {
            self.counts.unwanted += 1;
            self.charge(now, id, out);
        }
        let messages = std::mem::take(&mut rpc.publish);
        if !is_explicit && !messages.is_empty() && self.gater.refuses(now, &id, &mut self.rng) {
            self.counts.throttled += messages.len() as u64;
            self.refused(id, &messages, RejectReason::Throttled);
        } else {
            for message in messages {
                self.message(now, id, message, out);
            }
        }
        self.counts.heard(&rpc.control);
        self.control(now, id, rpc.control, out);
        if let Some(partial) = rpc.partial {
            self.partial(now, id, partial, out);
        }
        self.write(now, &id, out);
    }

    fn refused(&mut self, from: PeerId, messages: &[Message], reason: RejectReason) {
        for message in messages {
            self.tracer.rejected(from, message, reason);
        }
    }

    fn message(&mut self, now: Instant, peer: PeerId, message: Message, out: &mut Effects) {
        let Some((topic, _)) = self.mesh.get_key_value(message.topic()) else {
            self.counts.unwanted += 1;
            return self.charge(now, peer, out);
        };
        let topic = topic.clone();
        let max = self.params.topics.get(&topic).and_then(|topic| topic.max_data);
        let refused = match self.policy.of(message.topic()).admit(&message) {
            Err(error) => Some(RejectReason::of(&error)),
            Ok(()) => max
                .is_some_and(|max| message.data().len() > max)
                .then_some(RejectReason::TooLong),
        };
        if let Some(reason) = refused {
            self.counts.unwanted += 1;
            self.scores.delivered_invalid(&peer, &topic);
            self.gater.rejected(&peer);
            self.tracer.rejected(peer, &message, reason);
            return self.charge(now, peer, out);
        }
        if self.is_by_blocked(now, &message) {
            self.counts.unwanted += 1;
            self.gater.rejected(&peer);
            return self.tracer.rejected(peer, &message, RejectReason::BlockedSource);
        }
        let id = (self.message_id)(&message);
        self.promises.brought(&id, &peer);
        // What is known is known before its signature is looked at, and before it is copied. An echo of ours is no news
        // either, however late it comes.
        if message.from() == Some(self.local.as_bytes()) {
            self.counts.duplicates += 1;
            return self.tracer.rejected(peer, &message, RejectReason::SelfOrigin);
        }
        if self.is_duplicate(now, peer, &topic, (&id, &message)) {
            self.counts.duplicates += 1;
            self.gater.duplicate(&peer);
            self.withdraw(&peer, &id);
            let from = peer;
            return self.tracer.add(|| Trace::DuplicateMessage { id, topic, from });
        }
        if self.authors.is_old(&message) {
            self.counts.old += 1;
            self.promises.fulfilled(&id);
            self.gater.ignored(&peer);
            return self.tracer.rejected(peer, &message, RejectReason::Ignored);
        }
        self.validate(now, (peer, id, message), topic, out);
    }

    /// A peer has a message, for it sent it: it is not sent it any more.
    fn withdraw(&mut self, peer: &PeerId, id: &MessageId) {
        if let Some(peer) = self.links.get_mut(peer) {
            self.counts.withdrawn += u64::from(peer.outbox.forwarded.remove(id));
        }
    }

    /// A message is new: it is verified and judged when its turn comes.
    fn validate(
        &mut self,
        now: Instant,
        (peer, id, message): (PeerId, MessageId, Message),
        topic: Topic,
        out: &mut Effects,
    ) {
        if message.signature().is_none() {
            // The id is what it says and cannot be another's: others need not send it.
            self.promises.fulfilled(&id);
            self.tell_idontwant(now, (&id, &message), &[peer], out);
        }
        let token = self.token();
        let message = message.detached();
        let (from, reason) = (peer, RejectReason::QueueFull);
        let known = id.clone();
        if self.checks.add(token, Received { peer, id, message }) {
            return self.gater.validates();
        }
        self.counts.dropped += 1;
        self.promises.released(&known, &peer);
        self.gater.throttles(now);
        self.tracer.add(|| Trace::RejectMessage {
            id: known,
            topic,
            from,
            reason,
        });
    }

    fn is_duplicate(
        &mut self,
        now: Instant,
        peer: PeerId,
        topic: &Topic,
        (id, message): (&MessageId, &Message),
    ) -> bool {
        let Some(fate) = self.seen.get_mut(now, id) else {
            return self.checks.is_duplicate(peer, id, message.as_bytes());
        };
        match fate {
            Fate::Accepted(since, brought) => {
                let params = self.params.score_of(topic);
                let window = params.map(|params| params.mesh_message_deliveries_window);
                if window.is_some_and(|window| now - *since <= window) && !brought.contains(&peer) {
                    brought.push(peer);
                    self.scores.delivered(&peer, topic);
                }
            }
            Fate::Rejected => self.scores.delivered_invalid(&peer, topic),
            Fate::Ignored => {}
        }
        true
    }

    pub(super) fn ran(&mut self, now: Instant, token: Token, output: Option<Output>, out: &mut Effects) {
        if self.connecting.remove(&token) {
            return;
        }
        if let Some((topic, to)) = self.pruning.remove(&token) {
            let peers = match output {
                Some(Output::Records(peers)) => peers,
                _ => Vec::new(),
            };
            return self.tell_pruned(now, (&topic, to), peers, out);
        }
        if let Some(received) = self.judging.remove(&token) {
            return self.judged_partial(now, &received, output, out);
        }
        match output {
            Some(Output::Checked(Err(_))) => self.forged(now, token, out),
            Some(Output::Checked(Ok(validation))) => self.settled(now, token, validation, out),
            // A validator that panicked has said nothing.
            _ => self.settled(now, token, Validation::Ignore, out),
        }
    }

    fn forged(&mut self, now: Instant, token: Token, out: &mut Effects) {
        let Some(candidate) = self.checks.forged(token) else {
            return;
        };
        self.counts.forged += 1;
        self.promises
            .unkept(now, &candidate.received.id, &candidate.senders);
        self.blame(now, &candidate, RejectReason::InvalidSignature, out);
    }

    /// P4, and the budget, of all who sent a message that is none.
    fn blame(&mut self, now: Instant, candidate: &Candidate, reason: RejectReason, out: &mut Effects) {
        let Received { peer, message, .. } = &*candidate.received;
        self.tracer.rejected(*peer, message, reason);
        let Ok(topic) = message.topic().parse() else {
            return;
        };
        for peer in &candidate.senders {
            self.scores.delivered_invalid(peer, &topic);
            self.gater.rejected(peer);
            self.charge(now, *peer, out);
        }
    }

    fn settled(&mut self, now: Instant, token: Token, validation: Validation, out: &mut Effects) {
        let Some(candidate) = self.checks.settled(token) else {
            return;
        };
        let id = candidate.received.id.clone();
        self.promises.fulfilled(&id);
        match validation {
            Validation::Accept => self.accept(now, candidate, out),
            Validation::Reject => {
                self.counts.rejected += 1;
                self.seen.insert(now, id, Fate::Rejected);
                self.blame(now, &candidate, RejectReason::Failed, out);
            }
            Validation::Ignore => {
                let Received { peer, message, .. } = &*candidate.received;
                self.counts.ignored += 1;
                self.gater.ignored(peer);
                self.tracer.rejected(*peer, message, RejectReason::Ignored);
                self.seen.insert(now, id, Fate::Ignored);
            }
        }
    }

    fn accept(&mut self, now: Instant, candidate: Candidate, out: &mut Effects) {
        self.counts.accepted += 1;
        let Candidate { received, senders } = candidate;
        let (id, message) = (&received.id, &received.message);
        self.authors.accepted(message);
        senders.iter().for_each(|peer| self.roles.delivered(*peer));
        if let Some(peer) = self.links.get_mut(&received.peer) {
            peer.budget.useful(message.as_bytes().len());
        }
        if let Ok(topic) = message.topic().parse::<Topic>() {
            let is_judged = self.params.score_of(&topic).is_some();
            let brought = if is_judged { senders.clone() } else { Vec::new() };
            self.seen.insert(now, id.clone(), Fate::Accepted(now, brought));
            self.scores.delivered_first(&received.peer, &topic);
            self.gater.delivered(&received.peer, &topic);
            self.tracer.add(|| Trace::DeliverMessage {
                id: id.clone(),
                topic: topic.clone(),
                from: received.peer,
            });
            for peer in senders.iter().filter(|peer| **peer != received.peer) {
                self.scores.delivered(peer, &topic);
            }
            self.cache.put(topic.clone(), id.clone(), message.clone());
            if message.signature().is_some() {
                self.tell_idontwant(now, (id, message), &senders, out);
            }
            let outgoing = Outgoing {
                id: id.clone(),
                message,
                frame: self.pool.frame(message.rpc()),
                origin: Origin::Others,
            };
            let others = self.forward_to(&topic).into_iter();
            for to in others.filter(|peer| !senders.contains(peer)) {
                self.send(now, &outgoing, &to, out);
            }
            drop(outgoing);
            self.make_room(now, out);
        }
        out.push(Effect::Emit(News::Message(received).into()));
    }

    /// Tells the peers of a mesh that they need not send a message any more.
    // spec: gossipsub 1.2, Basic scenario
    fn tell_idontwant(
        &mut self,
        now: Instant,
        (id, message): (&MessageId, &Message),
        except: &[PeerId],
        out: &mut Effects,
    ) {
        if message.data().len() < self.params.idontwant_threshold {
            return;
        }
        let topic = message.topic();
        let mesh = self.mesh.get(topic).into_iter().flatten();
        let peers: Vec<_> = mesh.filter(|peer| !except.contains(peer)).copied().collect();
        let frame = dont_want(id);
        for to in &peers {
            // Who sends parts sends no whole message: as in go
            if self.gives_parts(to, topic) {
                continue;
            }
            let is_writable = self.links.is_writable(to);
            match self
                .links
                .get_mut(to)
                .filter(|peer| peer.version >= Some(Version::V12))
            {
                Some(peer) if is_writable && peer.outbox.is_silent() => {
                    self.write_frame(to, frame.clone(), out);
                }
                Some(peer) => {
                    peer.outbox.idontwant(id.clone());
                    self.write(now, to, out);
                }
                None => continue,
            }
            self.counts.idontwant_sent += 1;
        }
    }
}

fn dont_want(id: &MessageId) -> Bytes {
    let control = Control {
        idontwant: vec![id.clone()],
        ..Control::default()
    };
    let rpc = Rpc {
        control,
        ..Rpc::default()
    };
    rpc.encode()
}
