//! Partial messages: who is told of which groups, and what comes of them.

use super::{
    Effects, Job, Machine, Output,
    groups::{self, GroupKey, Heard, Refusal},
    peer::Peer,
};
use crate::{Partial, PartialMode, ReceivedPartial};
use bytes::Bytes;
use sinew_floodsub::{MAX_WAITING, PartialMessage, Rpc, SubOpts, Topic};
use sinew_identity::PeerId;
use sinew_machine::{Effect, Instant};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

/// What a partial message that waits costs besides its bytes.
const OVERHEAD: usize = 256;

/// What a peer sent and the application has not judged yet: one after the other, so that it is judged in its order.
#[derive(Default, Debug)]
pub(super) struct Inbox {
    waiting: VecDeque<Arc<ReceivedPartial>>,
    bytes: usize,
    judging: bool,
}

impl Inbox {
    /// Adds one, if there is room.
    fn push(&mut self, received: ReceivedPartial) -> bool {
        let cost = cost(&received);
        let has_room = self.bytes + cost <= MAX_WAITING;
        if has_room {
            self.bytes += cost;
            self.waiting.push_back(Arc::new(received));
        }
        has_room
    }

    /// The next that is to be judged, if none is.
    fn start(&mut self) -> Option<Arc<ReceivedPartial>> {
        if self.judging {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.bytes -= cost(&next);
        self.judging = true;
        Some(next)
    }

    /// What the peer said is void.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}

fn cost(received: &ReceivedPartial) -> usize {
    let partial = &received.partial;
    let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    len(&partial.message) + len(&partial.metadata) + partial.group.len() + OVERHEAD
}

impl Machine {
    /// Notes what a peer wants of a topic in which there are partial messages.
    pub(super) fn hear_mode(&mut self, id: PeerId, said: &SubOpts) {
        if self.params.partial_mode(said.topic.as_str()).is_none() {
            return;
        }
        let mode = match said {
            SubOpts { subscribe: false, .. } => None,
            // Who asks for parts is able to send them, whatever it says: as in go
            SubOpts {
                requests_partial: true,
                ..
            } => Some(PartialMode::Request),
            SubOpts {
                supports_sending_partial,
                ..
            } => supports_sending_partial.then_some(PartialMode::Send),
        };
        if let Some(peer) = self.links.get_mut(&id) {
            match mode {
                Some(mode) => peer.partial_modes.insert(said.topic.clone(), mode),
                None => peer.partial_modes.remove(&said.topic),
            };
        }
    }

    /// Whether a peer is sent parts of a topic, and no whole messages.
    pub(super) fn gets_parts(&self, id: &PeerId, topic: &str) -> bool {
        let is_ours = self.params.partial_mode(topic).is_some();
        is_ours && self.peer_mode(id, topic) == Some(PartialMode::Request)
    }

    /// Whether a peer sends us parts of a topic, and no whole messages.
    pub(super) fn gives_parts(&self, id: &PeerId, topic: &str) -> bool {
        let asks = self.params.partial_mode(topic) == Some(PartialMode::Request);
        asks && self.peer_mode(id, topic).is_some()
    }

    fn peer_mode(&self, id: &PeerId, topic: &str) -> Option<PartialMode> {
        let peer = self.links.get(id).filter(|peer| peer.speaks_partial())?;
        peer.partial_modes.get(topic).copied()
    }

    /// Takes in what a peer says of a group.
    pub(super) fn partial(&mut self, now: Instant, id: PeerId, said: PartialMessage, out: &mut Effects) {
        let params = self.params.clone();
        let Some(partial) = &params.partial else {
            return;
        };
        let said = said.detached();
        let speaks = self.links.get(&id).is_some_and(Peer::speaks_partial);
        let is_empty = said.message.is_none() && said.metadata.is_none();
        if !speaks || is_empty || !partial.topics.contains_key(&said.topic) {
            self.counts.unwanted += 1;
            return self.charge(now, id, out);
        }
        // As gossip of a peer below the threshold is ignored.
        if self.scores.of(&id) < self.thresholds().gossip {
            return self.charge(now, id, out);
        }
        match self.groups.hear(partial, id, &said) {
            Ok(Heard::Judge) => self.await_judgement(id, said, out),
            Ok(Heard::Answer) => self.offer(now, &groups::key(&said), [id], out),
            Ok(Heard::Nothing) => {
                self.counts.duplicates += 1;
                self.charge(now, id, out);
            }
            Err(Refusal::TooMany) => {
                self.counts.dropped += 1;
                self.charge(now, id, out);
            }
            Err(Refusal::Invalid) => self.blame_partial(now, id, &said.topic, out),
        }
    }

    fn await_judgement(&mut self, id: PeerId, partial: PartialMessage, out: &mut Effects) {
        let received = ReceivedPartial { peer: id, partial };
        let peer = self.links.get_mut(&id);
        if peer.is_some_and(|peer| peer.inbox.push(received)) {
            self.judge_next(&id, out);
        } else {
            self.counts.dropped += 1;
        }
    }

    fn judge_next(&mut self, id: &PeerId, out: &mut Effects) {
        if let Some(peer) = self.links.get_mut(id)
            && let Some(received) = peer.inbox.start()
        {
            let token = self.token();
            self.judging.insert(token, received.clone());
            let job = Job::Partial(received);
            out.push(Effect::Run { token, job });
        }
    }

    /// The application has judged what a peer said of a group.
    pub(super) fn judged_partial(
        &mut self,
        now: Instant,
        received: &ReceivedPartial,
        output: Option<Output>,
        out: &mut Effects,
    ) {
        let (id, said) = (received.peer, &received.partial);
        if let Some(peer) = self.links.get_mut(&id) {
            peer.inbox.judging = false;
        }
        match output {
            Some(Output::Partial(Ok(Some(ours)))) => self.got(now, received, ours, out),
            Some(Output::Partial(Err(_))) => self.blame_partial(now, id, &said.topic, out),
            _ => {
                self.counts.ignored += 1;
                // What it said of itself counts, though.
                self.offer(now, &groups::key(said), [id], out);
            }
        }
        self.judge_next(&id, out);
    }

    fn got(&mut self, now: Instant, received: &ReceivedPartial, ours: Arc<dyn Partial>, out: &mut Effects) {
        let (id, said) = (received.peer, &received.partial);
        let key = groups::key(said);
        self.counts.partials += 1;
        let is_new = self.update(&key, ours);
        if let Some(parts) = &said.message {
            if self.groups.got(&key, id, parts).is_err() {
                self.blame_partial(now, id, &said.topic, out);
            } else if let Some(peer) = self.links.get_mut(&id).filter(|_| is_new) {
                peer.budget.useful(parts.len());
            }
        }
        let peers = self.partial_audience(&key);
        self.offer(now, &key, peers, out);
    }

    fn update(&mut self, key: &GroupKey, ours: Arc<dyn Partial>) -> bool {
        let params = self.params.partial.as_ref();
        params.is_some_and(|params| self.groups.update(params, key, ours))
    }

    /// Tells peers what we have of a group: those that are named, or those that are close. How many there are; `None` if there are
    /// no partial messages in the topic.
    pub(super) fn publish_partial(
        &mut self,
        now: Instant,
        (key, ours): (&GroupKey, Arc<dyn Partial>),
        to: BTreeSet<PeerId>,
        out: &mut Effects,
    ) -> Option<usize> {
        let topic = &key.0;
        self.params.partial_mode(topic.as_str())?;
        self.update(key, ours);
        let peers = if to.is_empty() {
            if !self.mesh.contains_key(topic) {
                self.fill_fanout(now, topic);
            }
            self.partial_audience(key)
        } else {
            let speak = |peer: &PeerId| self.links.get(peer).is_some_and(Peer::speaks_partial);
            to.into_iter().filter(speak).collect()
        };
        let count = peers.len();
        self.offer(now, key, peers, out);
        Some(count)
    }

    /// Who is told what we have of a group: the mesh or the fanout, explicit peers, and who spoke of it.
    fn partial_audience(&self, key: &GroupKey) -> BTreeSet<PeerId> {
        let mut peers = self.close_for_partials(&key.0);
        peers.extend(self.groups.peers(key));
        peers
    }

    fn close_for_partials(&self, topic: &Topic) -> BTreeSet<PeerId> {
        let close = self.forward_to(topic).into_iter();
        let topic = topic.as_str();
        let exchanges = |peer: &PeerId| self.gets_parts(peer, topic) || self.gives_parts(peer, topic);
        close.filter(exchanges).collect()
    }

    /// Has peers told of a group, each as soon as it takes a frame and as it is then.
    fn offer(
        &mut self,
        now: Instant,
        key: &GroupKey,
        peers: impl IntoIterator<Item = PeerId>,
        out: &mut Effects,
    ) {
        for id in peers {
            if self.links.is_reachable(&id)
                && let Some(peer) = self.links.get_mut(&id)
            {
                peer.outbox.groups.insert(key.clone());
                self.write(now, &id, out);
            }
        }
    }

    /// At a heartbeat: tells peers of the groups that they know nothing of; those that came close since, and some others.
    pub(super) fn gossip_partials(&mut self, topic: &Topic, others: impl IntoIterator<Item = PeerId>) {
        if self.params.partial_mode(topic.as_str()).is_none() {
            return;
        }
        let mut peers = self.close_for_partials(topic);
        peers.extend(others);
        for id in peers {
            let untold = self.groups.untold(topic, &id);
            if let Some(peer) = self.links.get_mut(&id) {
                peer.outbox.groups.extend(untold);
            }
        }
    }

    /// The next frame of partial messages for a peer.
    pub(super) fn next_partial(&mut self, now: Instant, id: &PeerId, out: &mut Effects) -> Option<Bytes> {
        let max_parts = self.params.partial.as_ref()?.max_parts;
        while let Some(key) = self.links.get_mut(id)?.outbox.groups.pop_first() {
            let room = self.gets_parts(id, key.0.as_str()).then_some(max_parts);
            match self.groups.word(&key, *id, room) {
                Ok(Some(word)) => {
                    if word.more {
                        self.links.get_mut(id)?.outbox.groups.insert(key);
                    }
                    let rpc = Rpc {
                        partial: Some(word.message),
                        ..Rpc::default()
                    };
                    return Some(rpc.encode());
                }
                Ok(None) => {}
                Err(_) => self.blame_partial(now, *id, &key.0, out),
            }
        }
        None
    }

    /// P4, and the budget, of who sends parts or metadata that are none.
    fn blame_partial(&mut self, now: Instant, id: PeerId, topic: &Topic, out: &mut Effects) {
        self.counts.rejected += 1;
        self.scores.delivered_invalid(&id, topic);
        self.charge(now, id, out);
    }
}
