//! The scores of peers: what each did, what is left of it, and what it adds up to.
// spec: gossipsub 1.1, The Score Function

use crate::{Params, ScoreParams, TopicScore};
use sinew_floodsub::Topic;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
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
    /// The peers behind each address; an IPv6 address counts together with its /64.
    addrs: BTreeMap<IpAddr, BTreeSet<PeerId>>,
    retained: BTreeSet<(Instant, PeerId)>,
    next_decay: Instant,
}

#[derive(Default, Debug)]
struct PeerStats {
    connected: bool,
    /// Until when it is remembered; counts while it is not connected.
    expires: Instant,
    topics: BTreeMap<Topic, TopicStats>,
    addrs: BTreeSet<IpAddr>,
    app: f64,
    behaviour: f64,
}

#[derive(Default, Debug)]
struct TopicStats {
    /// Since when it is in the mesh.
    grafted: Option<Instant>,
    time_in_mesh: Duration,
    first_deliveries: f64,
    mesh_deliveries: f64,
    /// Whether it is in the mesh for so long that missing messages count.
    active: bool,
    failure: f64,
    invalid: f64,
}

impl Scores {
    pub(super) fn new(params: Arc<Params>) -> Self {
        Self {
            params,
            peers: BTreeMap::new(),
            addrs: BTreeMap::new(),
            retained: BTreeSet::new(),
            next_decay: Instant::ZERO,
        }
    }

    /// The score of a peer.
    pub(super) fn of(&self, peer: &PeerId) -> f64 {
        match (&self.params.score, self.peers.get(peer)) {
            (Some(params), Some(stats)) => {
                self.topics(params, stats)
                    + stats.app * params.app_weight
                    + self.colocation(params, stats) * params.ip_weight
                    + squared(stats.behaviour - params.behaviour_threshold) * params.behaviour_weight
            }
            _ => 0.0,
        }
    }

    fn topics(&self, params: &ScoreParams, stats: &PeerStats) -> f64 {
        let scored = stats
            .topics
            .iter()
            .filter_map(|(topic, stats)| Some((self.params.score_of(topic)?, stats)));
        let sum = scored
            .map(|(topic, stats)| stats.score(topic) * topic.weight)
            .sum();
        if params.topic_cap > 0.0 {
            params.topic_cap.min(sum)
        } else {
            sum
        }
    }

    /// P6: for each address the square of how many peers it has too many.
    fn colocation(&self, params: &ScoreParams, stats: &PeerStats) -> f64 {
        let peers = stats.addrs.iter().filter_map(|addr| self.addrs.get(addr));
        peers
            .map(|peers| squared(number(peers.len()) - number(params.ip_threshold)))
            .sum()
    }

    /// A peer takes frames from now on.
    pub(super) fn connected(&mut self, peer: PeerId, ips: &[IpAddr]) {
        if self.params.score.is_none() {
            return;
        }
        let stats = self.peers.entry(peer).or_default();
        self.retained.remove(&(stats.expires, peer));
        stats.connected = true;
        self.set_addrs(peer, ips);
    }

    /// The addresses of a peer have changed.
    pub(super) fn set_addrs(&mut self, peer: PeerId, ips: &[IpAddr]) {
        let Some(stats) = self.peers.get_mut(&peer) else {
            return;
        };
        let new: BTreeSet<_> = ips.iter().flat_map(|ip| counted(*ip)).collect();
        let old = std::mem::replace(&mut stats.addrs, new.clone());
        for addr in old.difference(&new) {
            if let Some(peers) = self.addrs.get_mut(addr) {
                peers.remove(&peer);
                if peers.is_empty() {
                    self.addrs.remove(addr);
                }
            }
        }
        for addr in new {
            self.addrs.entry(addr).or_default().insert(peer);
        }
    }

    /// A peer takes no more frames. A positive score is forgotten, so that nobody gains by coming back; any other is remembered.
    pub(super) fn disconnected(&mut self, now: Instant, peer: PeerId) {
        let (score, params) = (self.of(&peer), self.params.clone());
        let Some(global) = params.score else { return };
        let Some(stats) = self.peers.get_mut(&peer).filter(|stats| stats.connected) else {
            return;
        };
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
        self.set_addrs(peer, &[]);
        if let Some(stats) = self.peers.remove(&peer) {
            self.retained.remove(&(stats.expires, peer));
        }
    }

    /// P5: what the application thinks of a peer that is connected or remembered; `false` if it is neither.
    pub(super) fn set_app(&mut self, peer: &PeerId, value: f64) -> bool {
        let stats = self.peers.get_mut(peer);
        stats.map(|stats| stats.app = value).is_some()
    }

    /// P7: a peer misbehaved.
    pub(super) fn penalise(&mut self, peer: &PeerId, times: u32) {
        if let Some(stats) = self.peers.get_mut(peer) {
            stats.behaviour += f64::from(times);
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
        let Some(params) = self.params.score_of(topic) else {
            return;
        };
        if let Some(stats) = self.peers.get_mut(peer) {
            change(stats.topics.entry(topic.clone()).or_default(), params);
        }
    }

    /// Lets what was done fade, each decay interval once.
    pub(super) fn decay(&mut self, now: Instant) {
        let params = self.params.clone();
        let Some(global) = &params.score else { return };
        while let Some((_, peer)) = self.retained.first().filter(|(expires, _)| *expires <= now) {
            self.forget(*peer);
        }
        if self.next_decay == Instant::ZERO {
            self.next_decay = now + global.decay_interval;
        }
        while self.next_decay <= now {
            self.next_decay = self.next_decay + global.decay_interval;
            // Of peers that left nothing fades: who comes back is who it was.
            for stats in self.peers.values_mut().filter(|stats| stats.connected) {
                stats.decay(now, &params, global);
            }
        }
    }
}

impl PeerStats {
    fn decay(&mut self, now: Instant, params: &Params, global: &ScoreParams) {
        let fade = |value: &mut f64, decay: f64| {
            *value *= decay;
            if *value < global.decay_to_zero {
                *value = 0.0;
            }
        };
        fade(&mut self.behaviour, global.behaviour_decay);
        for (topic, stats) in &mut self.topics {
            let Some(topic) = params.score_of(topic) else {
                continue;
            };
            fade(&mut stats.first_deliveries, topic.first_message_deliveries_decay);
            fade(&mut stats.mesh_deliveries, topic.mesh_message_deliveries_decay);
            fade(&mut stats.failure, topic.mesh_failure_penalty_decay);
            fade(&mut stats.invalid, topic.invalid_message_deliveries_decay);
            if let Some(grafted) = stats.grafted {
                stats.time_in_mesh = now - grafted;
                stats.active |= stats.time_in_mesh > topic.mesh_message_deliveries_activation;
            }
        }
    }
}

impl TopicStats {
    fn score(&self, topic: &TopicScore) -> f64 {
        let quanta = self.time_in_mesh.as_nanos() / topic.time_in_mesh_quantum.as_nanos().max(1);
        let time = topic.time_in_mesh_cap.min(quanta as f64);
        time * topic.time_in_mesh_weight
            + self.first_deliveries * topic.first_message_deliveries_weight
            + squared(self.deficit(topic)) * topic.mesh_message_deliveries_weight
            + self.failure * topic.mesh_failure_penalty_weight
            + self.invalid * self.invalid * topic.invalid_message_deliveries_weight
    }

    /// How many messages a peer of the mesh brought too few.
    fn deficit(&self, topic: &TopicScore) -> f64 {
        if self.active {
            topic.mesh_message_deliveries_threshold - self.mesh_deliveries
        } else {
            0.0
        }
    }

    fn delivered(&mut self, topic: &TopicScore) {
        if self.grafted.is_some() {
            let cap = topic.mesh_message_deliveries_cap;
            self.mesh_deliveries = cap.min(self.mesh_deliveries + 1.0);
        }
    }

    /// P3b: what is missing sticks.
    fn left_mesh(&mut self, topic: &TopicScore) {
        if self.grafted.take().is_some() {
            self.failure += squared(self.deficit(topic));
            self.time_in_mesh = Duration::ZERO;
            self.active = false;
        }
    }
}

/// The square of what is above zero.
fn squared(surplus: f64) -> f64 {
    surplus.max(0.0).powi(2)
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// By what an address is counted: itself, and the /64 of an IPv6 address. Loopback ones are this machine.
fn counted(ip: IpAddr) -> Vec<IpAddr> {
    match ip {
        ip if ip.is_loopback() => Vec::new(),
        IpAddr::V4(_) => vec![ip],
        IpAddr::V6(v6) => {
            let subnet = Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64));
            vec![ip, subnet.into()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scores;
    use crate::{Params, ScoreParams, TopicParams, TopicScore};
    use sinew_floodsub::Topic;
    use sinew_identity::PeerId;
    use sinew_machine::Instant;
    use std::{sync::Arc, time::Duration};

    fn topic() -> Topic {
        "a".parse().expect("a topic")
    }

    /// All weights are zero but those that `change` sets; half is left after each second.
    fn scores(change: impl FnOnce(&mut ScoreParams, &mut TopicScore)) -> (Scores, PeerId) {
        let mut global = ScoreParams {
            app_weight: 0.0,
            ip_weight: 0.0,
            behaviour_weight: 0.0,
            behaviour_decay: 0.5,
            topic_cap: 0.0,
            ..ScoreParams::default()
        };
        let mut topic_score = TopicScore {
            weight: 1.0,
            time_in_mesh_weight: 0.0,
            first_message_deliveries_weight: 0.0,
            invalid_message_deliveries_weight: 0.0,
            invalid_message_deliveries_decay: 0.5,
            ..TopicScore::default()
        };
        change(&mut global, &mut topic_score);
        let mut params = Params {
            score: Some(global),
            ..Params::default()
        };
        let scored = TopicParams {
            score: Some(topic_score),
            ..TopicParams::default()
        };
        params.topics.insert(topic(), scored);
        params.check().expect("sound");
        let (mut scores, peer) = (Scores::new(Arc::new(params)), PeerId::random());
        scores.connected(peer, &[]);
        scores.decay(at(1));
        (scores, peer)
    }

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn time_in_the_mesh_counts_up_to_a_cap() {
        let (mut scores, peer) = scores(|_, topic| {
            topic.time_in_mesh_weight = 2.0;
            topic.time_in_mesh_quantum = Duration::from_secs(2);
            topic.time_in_mesh_cap = 3.0;
        });
        scores.grafted(at(1), &peer, &topic());
        for (secs, score) in [(2, 0.0), (3, 2.0), (6, 4.0), (7, 6.0), (60, 6.0)] {
            scores.decay(at(secs));
            assert_eq!(scores.of(&peer), score, "after {secs} s");
        }
        scores.pruned(&peer, &topic());
        assert_eq!(scores.of(&peer), 0.0);
    }

    #[test]
    fn first_deliveries_count_up_to_a_cap_and_fade() {
        let (mut scores, peer) = scores(|_, topic| {
            topic.first_message_deliveries_weight = 1.0;
            topic.first_message_deliveries_cap = 8.0;
        });
        (0..10).for_each(|_| scores.delivered_first(&peer, &topic()));
        assert_eq!(scores.of(&peer), 8.0);
        scores.decay(at(3));
        assert_eq!(scores.of(&peer), 2.0);
        scores.decay(at(9));
        assert_eq!(scores.of(&peer), 0.0, "what is little is nothing");
    }

    #[test]
    fn a_peer_of_the_mesh_that_brings_too_little_is_punished_and_that_sticks() {
        let (mut scores, peer) = scores(|_, topic| {
            topic.mesh_message_deliveries_weight = -1.0;
            topic.mesh_message_deliveries_threshold = 4.0;
            topic.mesh_message_deliveries_activation = Duration::from_secs(2);
            topic.mesh_failure_penalty_weight = -10.0;
        });
        scores.delivered_first(&peer, &topic());
        scores.grafted(at(1), &peer, &topic());
        scores.decay(at(3));
        assert_eq!(scores.of(&peer), 0.0, "not yet");
        scores.decay(at(4));
        assert_eq!(scores.of(&peer), -16.0, "what it brought before does not count");
        (0..3).for_each(|_| scores.delivered(&peer, &topic()));
        assert_eq!(scores.of(&peer), -1.0);
        scores.pruned(&peer, &topic());
        assert_eq!(scores.of(&peer), -10.0);
        scores.pruned(&peer, &topic());
        assert_eq!(scores.of(&peer), -10.0, "once");
        scores.decay(at(5));
        assert_eq!(scores.of(&peer), -5.0);
    }

    #[test]
    fn invalid_messages_and_misbehaviour_count_as_squares() {
        let (mut scores, peer) = scores(|global, topic| {
            topic.invalid_message_deliveries_weight = -1.0;
            global.behaviour_weight = -2.0;
            global.behaviour_threshold = 1.0;
        });
        (0..4).for_each(|_| scores.delivered_invalid(&peer, &topic()));
        assert_eq!(scores.of(&peer), -16.0);
        scores.penalise(&peer, 3);
        assert_eq!(scores.of(&peer), -24.0);
        scores.decay(at(2));
        assert_eq!(scores.of(&peer), -4.5);
    }

    #[test]
    fn peers_behind_one_address_are_too_many() {
        let (mut scores, peer) = scores(|global, _| {
            global.ip_weight = -1.0;
            global.ip_threshold = 2;
        });
        let others = [PeerId::random(), PeerId::random(), PeerId::random()];
        let ip = |text: &str| text.parse().expect("an address");
        scores.set_addrs(peer, &[ip("2001:db8::1")]);
        for (n, other) in (2..).zip(others) {
            scores.connected(other, &[ip(&format!("2001:db8::{n}"))]);
        }
        assert_eq!(scores.of(&peer), -4.0, "four in one /64");
        scores.set_addrs(others[0], &[ip("192.0.2.1")]);
        assert_eq!((scores.of(&peer), scores.of(&others[0])), (-1.0, 0.0));
        [peer, others[1], others[2]]
            .iter()
            .for_each(|peer| scores.set_addrs(*peer, &[ip("127.0.0.1")]));
        assert_eq!(scores.of(&peer), 0.0);
        assert_eq!(scores.addrs.len(), 1);
    }

    #[test]
    fn topics_have_a_cap_and_the_application_has_a_say() {
        let (mut scores, peer) = scores(|global, topic| {
            global.topic_cap = 3.0;
            global.app_weight = 2.0;
            topic.first_message_deliveries_weight = 1.0;
        });
        (0..10).for_each(|_| scores.delivered_first(&peer, &topic()));
        assert_eq!(scores.of(&peer), 3.0);
        assert!(scores.set_app(&peer, -5.0) && !scores.set_app(&PeerId::random(), 1.0));
        assert_eq!(scores.of(&peer), -7.0);
    }

    #[test]
    fn a_bad_score_is_remembered_and_a_good_one_is_not() {
        let (mut scores, peer) = scores(|global, topic| {
            topic.invalid_message_deliveries_weight = -1.0;
            topic.first_message_deliveries_weight = 1.0;
            global.retain = Duration::from_secs(10);
        });
        scores.delivered_first(&peer, &topic());
        scores.disconnected(at(1), peer);
        assert!(scores.peers.is_empty() && scores.retained.is_empty());
        scores.connected(peer, &[]);
        (0..2).for_each(|_| scores.delivered_invalid(&peer, &topic()));
        scores.disconnected(at(1), peer);
        scores.decay(at(10));
        assert_eq!(scores.of(&peer), -4.0, "nothing fades meanwhile");
        scores.connected(peer, &[]);
        scores.disconnected(at(10), peer);
        scores.decay(at(19));
        assert_eq!(scores.of(&peer), -4.0);
        scores.decay(at(20));
        assert!(scores.peers.is_empty() && scores.retained.is_empty());
    }

    #[test]
    fn nobody_is_judged_unless_that_is_wanted() {
        let (mut scores, peer) = (Scores::new(Arc::new(Params::default())), PeerId::random());
        scores.connected(peer, &[]);
        scores.penalise(&peer, 9);
        scores.delivered_invalid(&peer, &topic());
        assert_eq!((scores.of(&peer), scores.peers.len()), (0.0, 0));
    }
}
