//! Meshes: who comes in, who goes, and who is sent what.

use super::{Machine, Trace, outbox::Link};
use sinew_floodsub::Topic;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::collections::BTreeSet;

/// The peers that messages of a topic go to which we do not follow.
#[derive(Debug)]
pub(super) struct Fanout {
    pub(super) peers: BTreeSet<PeerId>,
    pub(super) last: Instant,
}

impl Machine {
    /// We follow a topic from now on.
    // spec: gossipsub 1.0, Topic membership: JOIN takes the peers of the fanout, and others up to `D`
    pub(super) fn join(&mut self, now: Instant, topic: &Topic) {
        let fanout = self.fanout.remove(topic).map(|fanout| fanout.peers);
        self.mesh.insert(topic.clone(), BTreeSet::new());
        self.tracer.add(|| Trace::Join { topic: topic.clone() });
        let target = self.params.mesh_of(topic).target;
        let known = fanout.unwrap_or_default();
        let known = known
            .into_iter()
            .filter(|peer| self.may_join(topic, peer))
            .take(target);
        let mut peers: Vec<_> = known.collect();
        let missing = target - peers.len();
        let more = self.choose(topic, missing, |machine, peer| {
            !peers.contains(peer) && machine.may_join(topic, peer)
        });
        peers.extend(more);
        for peer in peers {
            self.graft(now, topic, peer);
        }
    }

    /// We follow a topic no more.
    // spec: gossipsub 1.0, Topic membership: LEAVE prunes all; 1.1: with a shorter back-off
    pub(super) fn leave(&mut self, now: Instant, topic: &Topic) {
        let mesh = self.mesh.remove(topic).unwrap_or_default();
        let backoff = self.params.unsubscribe_backoff;
        self.tracer.add(|| Trace::Leave { topic: topic.clone() });
        for peer in mesh {
            self.pruned(topic, &peer);
            self.set_backoff(now, topic, peer, backoff);
            if let Some(state) = self.links.get_mut(&peer) {
                let backoff = (state.version >= Some(super::Version::V11)).then_some(backoff.as_secs());
                let peers = Vec::new();
                state.outbox.link(topic.clone(), Link::Prune { peers, backoff });
            }
        }
    }

    /// Takes a peer into a mesh, and tells it.
    pub(super) fn graft(&mut self, now: Instant, topic: &Topic, id: PeerId) {
        self.insert(now, topic, id);
        if let Some(peer) = self.links.get_mut(&id) {
            peer.outbox.link(topic.clone(), Link::Graft);
        }
    }

    /// Takes a peer into a mesh.
    pub(super) fn insert(&mut self, now: Instant, topic: &Topic, id: PeerId) {
        if self.mesh.get_mut(topic).is_some_and(|mesh| mesh.insert(id)) {
            self.counts.grafts += 1;
            self.scores.grafted(now, &id, topic);
            self.roles.grafted(id);
            self.tracer.add(|| Trace::Graft {
                peer: id,
                topic: topic.clone(),
            });
            self.catch_up(topic, &id);
        }
    }

    /// Takes a peer out of a mesh, if it is in it.
    pub(super) fn remove(&mut self, topic: &Topic, id: &PeerId) {
        if self.mesh.get_mut(topic).is_some_and(|mesh| mesh.remove(id)) {
            self.pruned(topic, id);
            if let Some(peer) = self.links.get_mut(id) {
                peer.outbox.take_back(topic);
            }
        }
    }

    /// Takes note that a peer is in a mesh no more.
    fn pruned(&mut self, topic: &Topic, id: &PeerId) {
        self.counts.prunes += 1;
        self.scores.pruned(id, topic);
        self.roles.pruned(*id);
        self.tracer.add(|| Trace::Prune {
            peer: *id,
            topic: topic.clone(),
        });
    }

    /// Whether a peer that is not in the mesh may be asked to come.
    pub(super) fn may_join(&self, topic: &Topic, peer: &PeerId) -> bool {
        let in_mesh = self.mesh.get(topic).is_some_and(|mesh| mesh.contains(peer));
        let backs_off = self
            .backoff
            .get(topic)
            .is_some_and(|peers| peers.contains_key(peer));
        !in_mesh && !backs_off && !self.params.explicit.contains(peer) && self.scores.of(peer) >= 0.0
    }

    /// Some peers of a topic that can be in a mesh, at random.
    pub(super) fn choose(
        &mut self,
        topic: &Topic,
        count: usize,
        fits: impl Fn(&Self, &PeerId) -> bool,
    ) -> Vec<PeerId> {
        let mut peers: Vec<_> = self
            .followers
            .of(topic.as_str())
            .filter(|peer| self.has_mesh(peer) && fits(self, peer))
            .collect();
        self.rng.shuffle(&mut peers);
        peers.truncate(count);
        peers
    }

    pub(super) fn has_mesh(&self, peer: &PeerId) -> bool {
        self.links.get(peer).is_some_and(super::Peer::has_mesh)
    }

    /// Who is sent a message of our own.
    pub(super) fn publish_to(&mut self, now: Instant, topic: &Topic) -> Vec<PeerId> {
        if self.params.flood_publish {
            // spec: gossipsub 1.1, Flood Publishing: all peers of the topic above the threshold
            let threshold = self.thresholds().publish;
            let followers = self.followers.of(topic.as_str());
            let fit = followers
                .filter(|peer| self.params.explicit.contains(peer) || self.scores.of(peer) >= threshold);
            return fit.collect();
        }
        if !self.mesh.contains_key(topic) {
            self.fill_fanout(now, topic);
        }
        self.forward_to(topic)
    }

    /// Who is sent a message: the mesh or the fanout, explicit peers, and those who have no mesh. Asked for every message: peers that
    /// merely follow the topic are not looked at.
    pub(super) fn forward_to(&self, topic: &Topic) -> Vec<PeerId> {
        let threshold = self.thresholds().publish;
        let fanout = self.fanout.get(topic).map(|fanout| &fanout.peers);
        let meshless = self.meshless.iter();
        let others = meshless
            .filter(|peer| self.scores.of(peer) >= threshold)
            .chain(&self.params.explicit)
            .filter(|peer| self.followers.contains(topic.as_str(), peer));
        let close = self.mesh.get(topic).or(fanout);
        let mut peers: Vec<_> = close.into_iter().flatten().chain(others).copied().collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    pub(super) fn fill_fanout(&mut self, now: Instant, topic: &Topic) {
        let fanout = self.fanout.get(topic).map(|fanout| fanout.peers.clone());
        let mut peers = fanout.unwrap_or_default();
        if peers.is_empty() {
            let target = self.params.mesh_of(topic).target;
            peers.extend(self.choose(topic, target, Self::fits_fanout));
        }
        self.fanout.insert(topic.clone(), Fanout { peers, last: now });
    }

    pub(super) fn fits_fanout(&self, peer: &PeerId) -> bool {
        !self.params.explicit.contains(peer) && self.scores.of(peer) >= self.thresholds().publish
    }
}
