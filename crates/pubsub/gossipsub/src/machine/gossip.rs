//! Gossip: who is told of the last messages, and of which.

use super::Machine;
use sinew_floodsub::{Announcement, IHave, MessageId, Topic};
use sinew_identity::PeerId;

/// Bytes of ids in one announcement, or little more. Of many messages each peer is told in other announcements.
const MAX_BYTES: usize = 8 << 10;

impl Machine {
    /// Tells peers outside the mesh or the fanout of the last messages.
    // spec: gossipsub 1.1, Adaptive Gossip Dissemination
    pub(super) fn gossip(&mut self, topic: &Topic) {
        let announced = self.announcements(topic);
        if announced.is_empty() && self.params.partial_mode(topic.as_str()).is_none() {
            return;
        }
        let threshold = self.thresholds().gossip;
        let fits = |machine: &Self, peer: &PeerId| {
            let mesh = machine.mesh.get(topic).is_some_and(|mesh| mesh.contains(peer));
            let fanout = machine.fanout.get(topic);
            let is_close = mesh || fanout.is_some_and(|fanout| fanout.peers.contains(peer));
            !is_close && !machine.params.explicit.contains(peer) && machine.scores.of(peer) >= threshold
        };
        let mut peers = self.choose(topic, usize::MAX, fits);
        let share = (self.params.gossip_factor * peers.len() as f64) as usize;
        peers.truncate(share.max(self.params.lazy));
        let (partial, whole): (Vec<_>, Vec<_>) = peers
            .into_iter()
            .partition(|peer| self.gets_parts(peer, topic.as_str()));
        self.gossip_partials(topic, partial);
        whole
            .iter()
            .for_each(|peer| self.announce(peer, topic, &announced));
    }

    /// Tells a peer that comes into a mesh of the last messages: it was sent none of them, and gossip passes it over now.
    pub(super) fn catch_up(&mut self, topic: &Topic, id: &PeerId) {
        if !self.gets_parts(id, topic.as_str()) {
            let announced = self.announcements(topic);
            self.announce(id, topic, &announced);
        }
    }

    /// The last messages of a topic in any order, written once for all who are told.
    fn announcements(&mut self, topic: &Topic) -> Vec<Announcement> {
        let mut ids = self.cache.gossip(topic, self.params.history_gossip);
        self.rng.shuffle(&mut ids);
        let mut announcements = Vec::new();
        while !ids.is_empty() {
            let ids = ids.split_off(ids.len() - self.fit(&ids));
            let topic = topic.clone();
            announcements.push(Announcement::new(&IHave { topic, ids }));
        }
        announcements
    }

    /// How many of the last ids fit into one announcement.
    fn fit(&self, ids: &[MessageId]) -> usize {
        let mut bytes = 0;
        let ids = ids.iter().rev().take_while(|id| {
            let has_room = bytes < MAX_BYTES;
            bytes += id.as_bytes().len();
            has_room
        });
        ids.take(self.params.max_ihave_length.max(1)).count()
    }

    /// Announces as many messages to a peer as it may ask for; of more each peer is told others.
    fn announce(&mut self, id: &PeerId, topic: &Topic, all: &[Announcement]) {
        let Some(peer) = self.links.get_mut(id).filter(|_| !all.is_empty()) else {
            return;
        };
        let (before, after) = all.split_at(self.rng.below(all.len()));
        let (mut some, mut ids) = (Vec::new(), 0);
        for one in after.iter().chain(before) {
            if ids + one.ids() > self.params.max_ihave_length {
                break;
            }
            ids += one.ids();
            some.push(one.clone());
        }
        peer.outbox.ihave(topic, some);
        self.counts.ihave_sent += ids as u64;
    }
}
