//! The heartbeat: meshes are looked after, peers are told of messages, and what is old is forgotten.
// spec: gossipsub 1.0, Heartbeat; 1.1, Heartbeat Maintenance

use super::{Effects, Machine};
use crate::Mesh;
use sinew_floodsub::{OtherPeer, Topic};
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::collections::BTreeMap;

/// Heartbeats between two looks for back-offs that are over.
const SWEEP: u64 = 15;

/// Back-offs beyond which only those of connected peers are kept, so that peers which come, ask for long ones and go do not
/// fill the memory.
const MAX_BACKOFFS: usize = 1 << 16;

impl Machine {
    /// Does what is due.
    pub(super) fn beat(&mut self, now: Instant, out: &mut Effects) {
        if self.next_heartbeat.is_none_or(|due| due > now) {
            return;
        }
        // Those that were missed are not made up for.
        self.next_heartbeat = Some(now + self.params.heartbeat);
        self.scores.decay(now);
        self.gater.decay(now);
        self.roles.decay(now);
        self.ticks += 1;
        self.forget(now);
        self.unblock_over(now, out);
        if self.ticks % self.params.explicit_ticks == 1 % self.params.explicit_ticks {
            self.dial_explicit(out);
        }
        let topics: Vec<_> = self.mesh.keys().cloned().collect();
        for topic in &topics {
            self.maintain(now, topic, out);
            self.gossip(topic);
        }
        self.maintain_fanouts(now);
        self.cache.shift();
        self.write_all(now, out);
        if self.is_idle() {
            self.next_heartbeat = None;
            self.scores.rest();
            self.gater.rest();
        }
    }

    /// Whether there is nobody to look after, and nothing that is to be forgotten soon.
    fn is_idle(&self) -> bool {
        let mut peers = self.links.iter().map(|(peer, _)| peer);
        let is_alone = !peers.any(|peer| self.links.has_stream(peer));
        is_alone
            && self.params.explicit.is_empty()
            && self.fanout.is_empty()
            && self.cache.is_empty()
            && self.promises.is_empty()
            && self.groups.is_empty()
    }

    fn forget(&mut self, now: Instant) {
        for (_, peer) in self.links.iter_mut() {
            peer.tick();
        }
        self.groups.tick();
        for (peer, count) in self.promises.broken(now) {
            self.counts.broken_promises += u64::from(count);
            self.scores.penalise(&peer, count);
        }
        if self.ticks.is_multiple_of(SWEEP) {
            self.forget_backoffs(now);
        }
    }

    fn forget_backoffs(&mut self, now: Instant) {
        // spec: gossipsub 1.1, PRUNE Backoff: some slack, so that a graft never comes too early
        let slack = self.params.heartbeat * 2;
        let is_full = self.backoff.values().map(BTreeMap::len).sum::<usize>() > MAX_BACKOFFS;
        self.backoff.retain(|_, peers| {
            peers.retain(|peer, until| *until + slack > now && (!is_full || self.links.get(peer).is_some()));
            !peers.is_empty()
        });
    }

    fn dial_explicit(&mut self, out: &mut Effects) {
        let params = self.params.clone();
        for &peer in &params.explicit {
            if peer != self.local && !self.links.is_reachable(&peer) {
                self.dial(OtherPeer { peer, record: None }, out);
            }
        }
    }

    /// Looks after one mesh.
    fn maintain(&mut self, now: Instant, topic: &Topic, out: &mut Effects) {
        let mesh = self.params.mesh_of(topic);
        for peer in self.members(topic) {
            // spec: peers with a negative score are pruned, and told of nobody
            if self.scores.of(&peer) < 0.0 {
                self.expel(now, (topic, peer), false, out);
            }
        }
        let len = self.members(topic).len();
        if len < mesh.low {
            self.graft_some(now, topic, mesh.target - len, |_, _| true);
        }
        if len > mesh.high {
            for peer in self.superfluous(topic, mesh) {
                self.expel(now, (topic, peer), true, out);
            }
        }
        self.graft_outbound(now, topic, mesh);
        if self.ticks.is_multiple_of(self.params.opportunistic_graft_ticks) {
            self.graft_better(now, topic);
        }
    }

    fn members(&self, topic: &Topic) -> Vec<PeerId> {
        self.mesh.get(topic).into_iter().flatten().copied().collect()
    }

    fn graft_some(
        &mut self,
        now: Instant,
        topic: &Topic,
        count: usize,
        fits: impl Fn(&Self, &PeerId) -> bool,
    ) {
        let peers = self.choose(topic, count, |machine, peer| {
            machine.may_join(topic, peer) && fits(machine, peer)
        });
        for peer in peers {
            self.graft(now, topic, peer);
        }
    }

    /// Who has to go when there are too many: not the best by score, not those that we dialled if there are few of them, others
    /// at random.
    fn superfluous(&mut self, topic: &Topic, mesh: Mesh) -> Vec<PeerId> {
        let mut peers = self.members(topic);
        self.rng.shuffle(&mut peers);
        let scores: BTreeMap<_, _> = peers.iter().map(|peer| (*peer, self.scores.of(peer))).collect();
        peers.sort_by(|a, b| scores[b].total_cmp(&scores[a]));
        self.rng.shuffle(&mut peers[mesh.score..]);
        let dropped = peers.split_off(mesh.target);
        // spec: gossipsub 1.1, Heartbeat Maintenance: peers of the random part make room for outbound ones
        let kept_outbound = peers.iter().filter(|peer| self.is_outbound(peer)).count();
        let missing = mesh.outbound.saturating_sub(kept_outbound);
        let (rescued, mut gone): (Vec<_>, Vec<_>) =
            dropped.into_iter().partition(|peer| self.is_outbound(peer));
        let mut rescued = rescued.into_iter();
        let places: Vec<_> = (0..peers.len())
            .rev()
            .filter(|place| !self.is_outbound(&peers[*place]))
            .take(missing)
            .collect();
        for place in places {
            let Some(outbound) = rescued.next() else { break };
            gone.push(std::mem::replace(&mut peers[place], outbound));
        }
        gone.extend(rescued);
        gone
    }

    fn is_outbound(&self, peer: &PeerId) -> bool {
        self.links.get(peer).is_some_and(|peer| peer.outbound)
    }

    // spec: gossipsub 1.1, Outbound Mesh Quotas: a mesh that has enough peers gets more that we dialled, if it has too few
    fn graft_outbound(&mut self, now: Instant, topic: &Topic, mesh: Mesh) {
        let members = self.members(topic);
        let outbound = members.iter().filter(|peer| self.is_outbound(peer)).count();
        if members.len() >= mesh.low && outbound < mesh.outbound {
            self.graft_some(now, topic, mesh.outbound - outbound, Self::is_outbound);
        }
    }

    /// Takes in better peers where half of the mesh is not good enough.
    // spec: gossipsub 1.1, Opportunistic Grafting
    fn graft_better(&mut self, now: Instant, topic: &Topic) {
        let mut scores: Vec<_> = self
            .members(topic)
            .iter()
            .map(|peer| self.scores.of(peer))
            .collect();
        scores.sort_by(f64::total_cmp);
        let Some(median) = scores.get(scores.len() / 2).copied() else {
            return;
        };
        let judged = self.params.score.is_some();
        if judged && scores.len() > 1 && median < self.thresholds().opportunistic_graft {
            let count = self.params.opportunistic_graft_peers;
            self.graft_some(now, topic, count, |machine, peer| {
                machine.scores.of(peer) > median
            });
        }
    }

    // spec: gossipsub 1.0, Fanout Maintenance
    fn maintain_fanouts(&mut self, now: Instant) {
        let ttl = self.params.fanout_ttl;
        self.fanout.retain(|_, fanout| now - fanout.last <= ttl);
        let topics: Vec<_> = self.fanout.keys().cloned().collect();
        for topic in topics {
            let target = self.params.mesh_of(&topic).target;
            let known = self.fanout.get(&topic).map(|fanout| fanout.peers.clone());
            let mut peers = known.unwrap_or_default();
            peers.retain(|peer| self.followers.contains(topic.as_str(), peer) && self.fits_fanout(peer));
            let missing = target.saturating_sub(peers.len());
            let more = self.choose(&topic, missing, |machine, peer| {
                !peers.contains(peer) && machine.fits_fanout(peer)
            });
            peers.extend(more);
            if let Some(fanout) = self.fanout.get_mut(&topic) {
                fanout.peers = peers;
            }
            self.gossip(&topic);
        }
    }
}
