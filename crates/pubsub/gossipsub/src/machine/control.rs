//! What peers tell each other besides messages: announcements, requests, meshes, and what they can.

use super::{Effects, Job, Machine, Version, outbox::Link};
use sinew_floodsub::{Control, IHave, MessageId, OtherPeer, Prune, Rpc, SubOpts, Topic};
use sinew_identity::PeerId;
use sinew_machine::{Effect, Instant};
use std::{collections::BTreeSet, time::Duration};

/// Peers that we were told of and connect to at once: as in go-libp2p.
const MAX_CONNECTING: usize = 8;

/// The longest back-off that a peer may ask for, in back-offs of our own.
const MAX_BACKOFF: u32 = 60;

impl Machine {
    pub(super) fn control(&mut self, now: Instant, id: PeerId, control: Control, out: &mut Effects) {
        let Control {
            ihave,
            iwant,
            graft,
            prune,
            idontwant,
            extensions: _,
        } = control;
        self.idontwants(id, idontwant);
        self.ihaves(now, id, &ihave, out);
        self.iwants(now, id, &iwant, out);
        for topic in graft {
            self.grafted_by(now, id, &topic, out);
        }
        for prune in prune {
            self.pruned_by(now, id, prune, out);
        }
    }

    /// A peer announces messages: we ask for those that we lack.
    fn ihaves(&mut self, now: Instant, id: PeerId, ihaves: &[IHave], out: &mut Effects) {
        if ihaves.is_empty() {
            return;
        }
        // spec: gossipsub 1.1, Score Thresholds: gossip of a peer below the threshold is ignored
        let is_ignored = self.scores.of(&id) < self.thresholds().gossip;
        let Some(mut room) = self.ihave_room(&id).filter(|_| !is_ignored) else {
            return self.charge(now, id, out);
        };
        let mut wanted = BTreeSet::new();
        for ihave in ihaves.iter().filter(|ihave| self.mesh.contains_key(&ihave.topic)) {
            for message in &ihave.ids {
                if !self.seen.contains(now, message) && !self.checks.has_unsigned(message) {
                    wanted.insert(message.clone());
                }
            }
        }
        let mut wanted: Vec<_> = wanted.into_iter().collect();
        self.rng.shuffle(&mut wanted);
        wanted.truncate(room);
        room = wanted.len();
        if let Some(peer) = self.links.get_mut(&id) {
            peer.heartbeat.asked += room;
            self.counts.iwant_sent += room as u64;
            peer.outbox.iwant(wanted);
        }
    }

    /// A frame has left. What a peer promised it has to send from now on: that it had to wait for our line is not its fault.
    pub(super) fn asked(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        let due = now + self.params.iwant_followup;
        for promised in peer.outbox.take_asked() {
            // It may have come from others meanwhile.
            if !self.seen.contains(now, &promised) {
                self.promises.add(promised, id, due);
            }
        }
    }

    /// How many messages a peer may still be asked for within this heartbeat; `None` if it announced too often.
    // spec: gossipsub 1.1, Spam Protection Measures: announcements and their ids are capped for each heartbeat
    fn ihave_room(&mut self, id: &PeerId) -> Option<usize> {
        let done = &mut self.links.get_mut(id)?.heartbeat;
        done.ihaves += 1;
        (done.ihaves <= self.params.max_ihave_messages)
            .then(|| self.params.max_ihave_length.saturating_sub(done.asked))
    }

    /// A peer asks for messages.
    fn iwants(&mut self, now: Instant, id: PeerId, wanted: &[MessageId], out: &mut Effects) {
        if wanted.is_empty() {
            return;
        }
        if self.scores.of(&id) < self.thresholds().gossip {
            return self.charge(now, id, out);
        }
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        let mut is_in_vain = true;
        for message_id in wanted.iter().filter(|id| !peer.unwanted.contains_key(*id)) {
            let Some((message, times)) = self.cache.take(message_id, id) else {
                continue;
            };
            // spec: gossipsub 1.1, Spam Protection Measures: a limited number of times
            if times > self.params.gossip_retransmission {
                continue;
            }
            is_in_vain = false;
            let expires = now + self.params.forward_expiry;
            let frame = self.pool.frame(message.rpc());
            peer.outbox
                .forwarded
                .push(now, message_id.clone(), &frame, expires);
        }
        self.make_room(now, out);
        if is_in_vain {
            self.charge(now, id, out);
        }
    }

    /// A peer does not want messages: those that wait for it are dropped.
    fn idontwants(&mut self, id: PeerId, ids: Vec<MessageId>) {
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        // spec: gossipsub 1.2: the number for each heartbeat is limited
        let room = self
            .params
            .max_idontwant
            .saturating_sub(peer.heartbeat.idontwants);
        for id in ids.into_iter().take(room) {
            peer.heartbeat.idontwants += 1;
            self.counts.idontwants += 1;
            self.counts.withdrawn += u64::from(peer.outbox.forwarded.remove(&id));
            peer.unwanted.insert(id, self.params.idontwant_ttl);
        }
    }

    /// A peer takes us into its mesh: we take it into ours, or out of its again.
    fn grafted_by(&mut self, now: Instant, id: PeerId, topic: &Topic, out: &mut Effects) {
        let Some(mesh) = self.mesh.get(topic) else {
            // spec: gossipsub 1.1, Spam Protection Measures: for unknown topics it is ignored
            return self.charge(now, id, out);
        };
        if mesh.contains(&id) {
            return;
        }
        let is_full = mesh.len() >= self.params.mesh_of(topic).high;
        let Some(peer) = self.links.get(&id) else { return };
        // spec: gossipsub 1.1, Outbound Mesh Quotas: a full mesh takes only those that we dialled
        let no_room = is_full && !peer.outbound;
        // spec: gossipsub 1.1, Explicit Peering Agreements: an explicit peer is in no mesh
        let is_unfit = self.params.explicit.contains(&id) || !peer.has_mesh();
        let is_early = !is_unfit && self.punish_early(now, id, topic);
        let is_bad = self.scores.of(&id) < 0.0;
        if is_early || is_unfit {
            self.charge(now, id, out);
        }
        if is_unfit || is_early || is_bad || no_room {
            let others = !is_unfit && !is_early && !is_bad;
            return self.expel(now, (topic, id), others, out);
        }
        // Who takes us into its mesh follows the topic, told or not (rust): a mesh is of followers alone.
        if !self.followers.contains(topic.as_str(), &id) {
            self.subscription(id, SubOpts::new(topic.clone(), true), out);
        }
        if self.followers.contains(topic.as_str(), &id) {
            self.insert(now, topic, id);
        } else {
            // It follows too many.
            self.expel(now, (topic, id), false, out);
        }
    }

    /// Whether a peer comes back before its time; it is punished then.
    // spec: gossipsub 1.1, PRUNE Backoff: a graft within the back-off is pruned, extends it, and may be penalised
    fn punish_early(&mut self, now: Instant, id: PeerId, topic: &Topic) -> bool {
        let until = self.backoff.get(topic).and_then(|peers| peers.get(&id).copied());
        let Some(until) = until.filter(|until| *until > now) else {
            return false;
        };
        let since = self.params.prune_backoff.saturating_sub(until - now);
        self.scores
            .penalise(&id, 1 + u32::from(since < self.params.graft_flood));
        true
    }

    /// Takes a peer out of a mesh, if it is in it, and tells it; of others too if that is wanted.
    pub(super) fn expel(
        &mut self,
        now: Instant,
        (topic, id): (&Topic, PeerId),
        others: bool,
        out: &mut Effects,
    ) {
        self.remove(topic, &id);
        let backoff = self.params.prune_backoff;
        self.set_backoff(now, topic, id, backoff);
        let others = if others && self.params.exchange_peers {
            let count = self.params.prune_peers;
            // spec: gossipsub 1.1, Score Thresholds: only peers whose score is not negative are exchanged
            self.choose(topic, count, |machine, peer| {
                *peer != id && machine.scores.of(peer) >= 0.0
            })
        } else {
            Vec::new()
        };
        if others.is_empty() {
            return self.tell_pruned(now, (topic, id), Vec::new(), out);
        }
        let job = Job::Records(others);
        let token = self.token();
        self.pruning.insert(token, (topic.clone(), id));
        out.push(Effect::Run { token, job });
    }

    pub(super) fn tell_pruned(
        &mut self,
        now: Instant,
        (topic, id): (&Topic, PeerId),
        peers: Vec<OtherPeer>,
        out: &mut Effects,
    ) {
        // It may have come back meanwhile.
        if self.mesh.get(topic).is_some_and(|mesh| mesh.contains(&id)) {
            return;
        }
        let is_ours = self.mesh.contains_key(topic);
        let backoff = if is_ours {
            self.params.prune_backoff
        } else {
            self.params.unsubscribe_backoff
        };
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        let link = match peer.version {
            Some(version) if version >= Version::V11 => Link::Prune {
                peers,
                backoff: Some(backoff.as_secs()),
            },
            // A peer of 1.0 knows neither.
            _ => Link::Prune {
                peers: Vec::new(),
                backoff: None,
            },
        };
        peer.outbox.link(topic.clone(), link);
        self.write(now, &id, out);
    }

    /// A peer takes us out of its mesh: so do we, and perhaps look at others.
    fn pruned_by(&mut self, now: Instant, id: PeerId, prune: Prune, out: &mut Effects) {
        if !self.mesh.contains_key(&prune.topic) {
            return;
        }
        self.remove(&prune.topic, &id);
        let ours = self.params.prune_backoff;
        let asked = prune.backoff.filter(|secs| *secs > 0).map(Duration::from_secs);
        self.set_backoff(
            now,
            &prune.topic,
            id,
            asked.unwrap_or(ours).min(ours * MAX_BACKOFF),
        );
        // spec: gossipsub 1.1, Score Thresholds: others are taken only from a peer with a good enough score
        if self.params.score.is_none() || self.scores.of(&id) >= self.thresholds().accept_px {
            self.connect(prune.peers, out);
        }
    }

    /// Connects to some of the peers that we were told of.
    fn connect(&mut self, mut peers: Vec<OtherPeer>, out: &mut Effects) {
        peers.retain(|other| other.peer != self.local && !self.links.is_reachable(&other.peer));
        self.rng.shuffle(&mut peers);
        let room = MAX_CONNECTING.saturating_sub(self.connecting.len());
        peers.truncate(self.params.prune_peers.min(room));
        for other in peers {
            self.dial(other, out);
        }
    }

    pub(super) fn dial(&mut self, other: OtherPeer, out: &mut Effects) {
        let token = self.token();
        self.connecting.insert(token);
        let job = Job::Connect(other);
        out.push(Effect::Run { token, job });
    }

    pub(super) fn set_backoff(&mut self, now: Instant, topic: &Topic, id: PeerId, backoff: Duration) {
        let peers = self.backoff.entry(topic.clone()).or_default();
        let until = peers.entry(id).or_insert(now);
        *until = (*until).max(now + backoff);
    }

    /// Takes in what a peer says it can: once, in the first RPC of its stream.
    // spec: gossipsub 1.3, The Extensions Control Message
    pub(super) fn hear_extensions(&mut self, id: PeerId, rpc: &Rpc) {
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        let said = rpc.control.extensions;
        if peer.extensions.is_none() {
            peer.extensions = Some(said.unwrap_or_default());
            self.meet_extensions(id);
        } else if said.is_some() {
            self.scores.penalise(&id, 1);
        }
        self.counts.test_extensions += u64::from(rpc.test_extension);
    }

    /// What is to be done once both sides know what the other can.
    // spec: gossipsub, test extension: if both peers support it, each sends its message
    pub(super) fn meet_extensions(&mut self, id: PeerId) {
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        let theirs = peer.extensions.is_some_and(|theirs| theirs.test_extension);
        if theirs && self.params.test_extension && peer.version >= Some(Version::V13) {
            peer.outbox.test_extension = true;
        }
    }
}
