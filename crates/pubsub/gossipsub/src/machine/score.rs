//! The scores of peers: what each did, what is left of it, and what it adds up to.
// spec: gossipsub 1.1, The Score Function

mod colocation;
mod report;
mod stats;

pub(super) use colocation::subnet;
pub use report::{ScoreReport, TopicReport};

use crate::{Params, TopicScore};
use colocation::Colocation;
use sinew_floodsub::Topic;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use stats::{PeerStats, TopicStats, squared};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

/// The scores of peers that left and are remembered; the oldest are forgotten first.
const MAX_RETAINED: usize = 10_000;

/// The scores of peers. All are zero if nobody is judged.
#[derive(Debug)]
pub(super) struct Scores {
    params: Arc<Params>,
    peers: BTreeMap<PeerId, PeerStats>,
    /// What the application thinks of peers, here or not. Nobody else adds to it.
    app: BTreeMap<PeerId, f64>,
    /// How often something changed that may count for anybody: what was added up before is unknown.
    changes: u64,
    colocation: Colocation,
    retained: BTreeSet<(Instant, PeerId)>,
    next_decay: Instant,
}

impl Scores {
    pub(super) fn new(params: Arc<Params>) -> Self {
        Self {
            params,
            peers: BTreeMap::new(),
            app: BTreeMap::new(),
            changes: 0,
            colocation: Colocation::default(),
            retained: BTreeSet::new(),
            next_decay: Instant::ZERO,
        }
    }

    /// The score of a peer.
    pub(super) fn of(&self, peer: &PeerId) -> f64 {
        let Some(stats) = self.peers.get(peer) else {
            return 0.0;
        };
        match stats.score.get() {
            Some((changes, score)) if changes == self.changes => score,
            _ => {
                let score = self.sums(peer).map_or(0.0, |report| report.total());
                stats.score.set(Some((self.changes, score)));
                score
            }
        }
    }

    /// What a peer did, to be changed: its score is unknown then.
    fn stats_mut(&mut self, peer: &PeerId) -> Option<&mut PeerStats> {
        let stats = self.peers.get_mut(peer)?;
        stats.score.set(None);
        Some(stats)
    }

    /// The score of a peer by what it is made of; `None` if it is unknown, or nobody is judged.
    pub(super) fn report(&self, peer: &PeerId) -> Option<ScoreReport> {
        let topics = self.by_topic(self.peers.get(peer)?);
        Some(ScoreReport {
            by_topic: topics.map(|(topic, report)| (topic.clone(), report)).collect(),
            ..self.sums(peer)?
        })
    }

    /// A report without single topics.
    fn sums(&self, peer: &PeerId) -> Option<ScoreReport> {
        let (params, stats) = (self.params.score.as_ref()?, self.peers.get(peer)?);
        let topics = self.by_topic(stats).map(|(_, report)| report.total()).sum();
        let cap = if params.topic_cap > 0.0 {
            params.topic_cap
        } else {
            f64::INFINITY
        };
        // For each address the square of how many peers it has too many.
        let crowds = self.colocation.crowds(peer);
        let surplus = crowds.map(|peers| squared(number(peers) - number(params.ip_threshold)));
        Some(ScoreReport {
            topics: cap.min(topics),
            by_topic: BTreeMap::new(),
            app: self.app.get(peer).unwrap_or(&0.0) * params.app_weight,
            colocation: surplus.sum::<f64>() * params.ip_weight,
            behaviour: squared(stats.behaviour - params.behaviour_threshold) * params.behaviour_weight,
            slow_peer: (stats.slow - params.slow_peer_threshold).max(0.0) * params.slow_peer_weight,
        })
    }

    fn by_topic<'a>(&'a self, stats: &'a PeerStats) -> impl Iterator<Item = (&'a Topic, TopicReport)> {
        let topics = stats.topics.iter();
        topics.filter_map(|(topic, stats)| Some((topic, stats.report(self.params.score_of(topic)?))))
    }

    /// A peer takes frames from now on.
    pub(super) fn connected(&mut self, now: Instant, peer: PeerId, ips: &[IpAddr]) {
        if self.params.score.is_none() {
            return;
        }
        self.forget_expired(now);
        let stats = self.peers.entry(peer).or_default();
        self.retained.remove(&(stats.expires, peer));
        stats.connected = true;
        self.set_addrs(peer, ips);
    }

    /// The addresses of a peer have changed.
    pub(super) fn set_addrs(&mut self, peer: PeerId, ips: &[IpAddr]) {
        if self.peers.contains_key(&peer) {
            self.colocation.set(peer, ips);
            // Those who share an address count as well.
            self.changes += 1;
        }
    }

    /// A peer takes no more frames. A positive score is forgotten, so that nobody gains by coming back; any other is remembered.
    pub(super) fn disconnected(&mut self, now: Instant, peer: PeerId) {
        let (score, params) = (self.of(&peer), self.params.clone());
        let Some(global) = params.score else { return };
        let Some(stats) = self.peers.get_mut(&peer).filter(|stats| stats.connected) else {
            return;
        };
        stats.score.set(None);
        stats.connected = false;
        stats.expires = now + global.retain;
        for (topic, stats) in &mut stats.topics {
            stats.first_deliveries = 0.0;
            params
                .score_of(topic)
                .into_iter()
                .for_each(|topic| stats.left_mesh(topic));
        }
        self.retained.insert((stats.expires, peer));
        if score > 0.0 {
            self.forget(peer);
        }
        if self.retained.len() > MAX_RETAINED
            && let Some((_, oldest)) = self.retained.first().copied()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, peer: PeerId) {
        self.colocation.set(peer, &[]);
        self.changes += 1;
        if let Some(stats) = self.peers.remove(&peer) {
            self.retained.remove(&(stats.expires, peer));
        }
    }

    fn forget_expired(&mut self, now: Instant) {
        while let Some((_, peer)) = self.retained.first().filter(|(expires, _)| *expires <= now) {
            self.forget(*peer);
        }
    }

    /// P5: what the application thinks of a peer, from now on and however often it comes back; `false` if nobody is judged, or
    /// this counts as no finite number.
    pub(super) fn set_app(&mut self, peer: PeerId, value: f64) -> bool {
        let weight = self.params.score.map(|score| score.app_weight);
        if !weight.is_some_and(|weight| (value * weight).is_finite()) {
            return false;
        }
        self.stats_mut(&peer);
        if value == 0.0 {
            self.app.remove(&peer);
        } else {
            self.app.insert(peer, value);
        }
        true
    }

    /// P7: a peer misbehaved.
    pub(super) fn penalise(&mut self, peer: &PeerId, times: u32) {
        if let Some(stats) = self.stats_mut(peer) {
            stats.behaviour += f64::from(times);
        }
    }

    /// A peer did not take messages in time.
    pub(super) fn was_slow(&mut self, peer: &PeerId, messages: usize) {
        if let Some(stats) = self.stats_mut(peer) {
            stats.slow += number(messages);
        }
    }

    pub(super) fn grafted(&mut self, now: Instant, peer: &PeerId, topic: &Topic) {
        self.with(peer, topic, |stats, _| {
            stats.grafted = Some(now);
            stats.time_in_mesh = Duration::ZERO;
            stats.active = false;
        });
    }

    pub(super) fn pruned(&mut self, peer: &PeerId, topic: &Topic) {
        self.with(peer, topic, TopicStats::left_mesh);
    }

    /// P2 and P3: a peer was the first to bring a message that was accepted.
    pub(super) fn delivered_first(&mut self, peer: &PeerId, topic: &Topic) {
        self.with(peer, topic, |stats, params| {
            let cap = params.first_message_deliveries_cap;
            stats.first_deliveries = cap.min(stats.first_deliveries + 1.0);
            stats.delivered(params);
        });
    }

    /// P3: a peer brought a copy nearly as soon as the first.
    pub(super) fn delivered(&mut self, peer: &PeerId, topic: &Topic) {
        self.with(peer, topic, TopicStats::delivered);
    }

    /// P4: a peer brought a message that is none.
    pub(super) fn delivered_invalid(&mut self, peer: &PeerId, topic: &Topic) {
        self.with(peer, topic, |stats, _| stats.invalid += 1.0);
    }

    fn with(&mut self, peer: &PeerId, topic: &Topic, change: impl FnOnce(&mut TopicStats, &TopicScore)) {
        let params = self.params.clone();
        let Some(params) = params.score_of(topic) else {
            return;
        };
        if let Some(stats) = self.stats_mut(peer) {
            change(stats.topics.entry(topic.clone()).or_default(), params);
        }
    }

    /// Lets what was done fade, each decay interval once.
    pub(super) fn decay(&mut self, now: Instant) {
        let params = self.params.clone();
        let Some(global) = &params.score else { return };
        self.forget_expired(now);
        if self.next_decay == Instant::ZERO {
            self.next_decay = now + global.decay_interval;
        }
        while self.next_decay <= now {
            self.next_decay = self.next_decay + global.decay_interval;
            // Of peers that left nothing fades: who comes back is who it was.
            for stats in self.peers.values_mut().filter(|stats| stats.connected) {
                stats.decay(now, &params, global);
            }
            self.changes += 1;
        }
    }

    /// Nobody is here to decay: the next interval begins with who comes.
    pub(super) fn rest(&mut self) {
        self.next_decay = Instant::ZERO;
    }
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests;
