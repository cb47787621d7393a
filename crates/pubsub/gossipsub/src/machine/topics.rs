//! Topics: ours, as peers are told of them, and those of peers.

use super::{Effects, Machine};
use crate::{Params, PartialMode};
use sinew_floodsub::{MAX_TOPICS, News, SubOpts, Topic};
use sinew_identity::PeerId;
use sinew_machine::{Effect, Instant};
use std::collections::BTreeSet;

impl Machine {
    pub(super) fn follow(&mut self, now: Instant, topics: BTreeSet<Topic>, out: &mut Effects) {
        let topics: BTreeSet<_> = topics.into_iter().take(MAX_TOPICS).collect();
        let ours: BTreeSet<_> = self.mesh.keys().cloned().collect();
        for (_, peer) in self.links.iter_mut() {
            let changed = ours.symmetric_difference(&topics);
            changed.for_each(|topic| peer.outbox.told.changed(topic));
        }
        for topic in ours.difference(&topics) {
            self.leave(now, topic);
        }
        for topic in topics.difference(&ours) {
            // Those who came before us are news too.
            let followers = self.followers.of(topic.as_str());
            out.extend(followers.map(|peer| Effect::Emit(News::Joined(topic.clone(), peer).into())));
            self.join(now, topic);
        }
        self.write_all(now, out);
    }

    /// What a peer said is void.
    pub(super) fn void(&mut self, id: PeerId, out: &mut Effects) {
        if let Some(peer) = self.links.get_mut(&id) {
            peer.extensions = None;
            peer.partial_modes.clear();
            peer.inbox.clear();
        }
        self.groups.void(&id);
        for topic in self.followers.forget(id) {
            self.left(id, &topic, out);
        }
    }

    /// A peer does not follow a topic any more.
    pub(super) fn left(&mut self, id: PeerId, topic: &Topic, out: &mut Effects) {
        self.remove(topic, &id);
        if let Some(fanout) = self.fanout.get_mut(topic) {
            fanout.peers.remove(&id);
        }
        out.push(Effect::Emit(News::Left(topic.clone(), id).into()));
    }

    /// Takes in what a peer says of its topics. Who leaves pays for it, so that nobody comes and goes without end, and so does who
    /// says what was known or is too much.
    pub(super) fn subscriptions(
        &mut self,
        now: Instant,
        id: PeerId,
        subscriptions: Vec<SubOpts>,
        out: &mut Effects,
    ) {
        let (mut left, mut is_in_vain) = (0, false);
        for subscription in subscriptions {
            left += usize::from(!subscription.subscribe);
            is_in_vain |= !self.subscription(id, subscription, out);
        }
        for _ in 0..left + usize::from(is_in_vain) {
            self.charge(now, id, out);
        }
    }

    /// A peer joins a topic or leaves it; `false` if that changes nothing.
    pub(super) fn subscription(&mut self, id: PeerId, subscription: SubOpts, out: &mut Effects) -> bool {
        self.hear_mode(id, &subscription);
        let topic = subscription.topic;
        if !subscription.subscribe {
            let did = self.followers.leave(id, &topic);
            if did {
                self.left(id, &topic, out);
            }
            return did;
        }
        let joins = self.followers.join(id, &topic);
        if joins {
            out.push(Effect::Emit(News::Joined(topic, id).into()));
        }
        joins
    }
}

/// How peers are told of a topic that is ours, or was.
pub(super) fn sub_opts(params: &Params, topic: &Topic, subscribe: bool) -> SubOpts {
    let mode = params.partial_mode(topic.as_str()).filter(|_| subscribe);
    SubOpts {
        requests_partial: mode == Some(PartialMode::Request),
        supports_sending_partial: mode.is_some(),
        ..SubOpts::new(topic.clone(), subscribe)
    }
}
