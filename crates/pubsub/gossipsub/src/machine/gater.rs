//! The peer gater: while validation is overloaded, messages are dropped before it, at random, by what the address that they come
//! from has brought so far. As in go-libp2p.

use super::score::subnet;
use crate::{GaterParams, Params};
use sinew_floodsub::Topic;
use sinew_identity::PeerId;
use sinew_machine::{Instant, Rng};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// The numbers of addresses without a peer that are remembered; the oldest are forgotten first.
const MAX_RETAINED: usize = 10_000;

/// What was brought from where. Nothing is counted, and nobody is refused, unless [`Params::gater`] is set.
#[derive(Debug)]
pub(super) struct Gater {
    params: Arc<Params>,
    validated: f64,
    throttled: f64,
    last_throttled: Option<Instant>,
    sources: BTreeMap<Source, Stats>,
    /// The peers that take frames, each with the address that it had then.
    peers: BTreeMap<PeerId, Source>,
    /// Sources without a peer, by when they are forgotten.
    retained: BTreeSet<(Instant, Source)>,
    next_decay: Option<Instant>,
}

/// Whose messages are counted together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Source {
    /// All peers of an IPv4 address, or of an IPv6 /64.
    Addr(IpAddr),
    /// A peer whose address is not known, behind a relay for instance.
    Peer(PeerId),
}

#[derive(Default, Debug)]
struct Stats {
    peers: usize,
    /// When it is forgotten; counts while it has no peers.
    expires: Instant,
    delivered: f64,
    duplicate: f64,
    ignored: f64,
    rejected: f64,
}

impl Gater {
    pub(super) fn new(params: Arc<Params>) -> Self {
        Self {
            params,
            validated: 0.0,
            throttled: 0.0,
            last_throttled: None,
            sources: BTreeMap::new(),
            peers: BTreeMap::new(),
            retained: BTreeSet::new(),
            next_decay: None,
        }
    }

    /// A peer takes frames from now on.
    pub(super) fn connected(&mut self, peer: PeerId, ips: &[IpAddr]) {
        if self.params.gater.is_none() || self.peers.contains_key(&peer) {
            return;
        }
        let source = match ips.first() {
            Some(IpAddr::V6(v6)) => Source::Addr(subnet(*v6).into()),
            Some(ip) => Source::Addr(*ip),
            None => Source::Peer(peer),
        };
        self.peers.insert(peer, source);
        let stats = self.sources.entry(source).or_default();
        self.retained.remove(&(stats.expires, source));
        stats.peers += 1;
    }

    /// A peer takes no more frames. What its address did is remembered for a while.
    pub(super) fn disconnected(&mut self, now: Instant, peer: &PeerId) {
        let (Some(params), Some(source)) = (&self.params.gater, self.peers.remove(peer)) else {
            return;
        };
        let Some(stats) = self.sources.get_mut(&source) else {
            return;
        };
        stats.peers -= 1;
        if stats.peers == 0 {
            stats.expires = now + params.retain;
            self.retained.insert((stats.expires, source));
        }
        if self.retained.len() > MAX_RETAINED
            && let Some((_, oldest)) = self.retained.pop_first()
        {
            self.sources.remove(&oldest);
        }
    }

    /// A message goes to validation.
    pub(super) fn validates(&mut self) {
        self.validated += 1.0;
    }

    /// A message was dropped since too many wait for validation.
    pub(super) fn throttles(&mut self, now: Instant) {
        self.throttled += 1.0;
        self.last_throttled = Some(now);
    }

    /// A peer brought a message that was accepted.
    pub(super) fn delivered(&mut self, peer: &PeerId, topic: &Topic) {
        let params = self.params.clone();
        let weights = params.gater.as_ref().map(|params| &params.delivery_weights);
        let weight = weights.and_then(|weights| weights.get(topic).copied());
        self.with(peer, |stats| stats.delivered += weight.unwrap_or(1.0));
    }

    /// A peer brought a copy.
    pub(super) fn duplicate(&mut self, peer: &PeerId) {
        self.with(peer, |stats| stats.duplicate += 1.0);
    }

    /// A peer brought a message that was ignored.
    pub(super) fn ignored(&mut self, peer: &PeerId) {
        self.with(peer, |stats| stats.ignored += 1.0);
    }

    /// A peer brought a message that is none.
    pub(super) fn rejected(&mut self, peer: &PeerId) {
        self.with(peer, |stats| stats.rejected += 1.0);
    }

    fn with(&mut self, peer: &PeerId, change: impl FnOnce(&mut Stats)) {
        let source = self.peers.get(peer);
        if let Some(stats) = source.and_then(|source| self.sources.get_mut(source)) {
            change(stats);
        }
    }

    /// Whether messages that a peer sends now are dropped. The better its address did, the likelier they are not; they always
    /// may be taken, so that who was bad can become good.
    pub(super) fn refuses(&self, now: Instant, peer: &PeerId, rng: &mut Rng) -> bool {
        let Some(params) = self
            .params
            .gater
            .as_ref()
            .filter(|params| self.is_on(now, params))
        else {
            return false;
        };
        let source = self.peers.get(peer);
        let Some(stats) = source.and_then(|source| self.sources.get(source)) else {
            return false;
        };
        let total = stats.delivered
            + stats.duplicate * params.duplicate_weight
            + stats.ignored * params.ignore_weight
            + stats.rejected * params.reject_weight;
        rng.unit() >= (1.0 + stats.delivered) / (1.0 + total)
    }

    /// Whether validation is overloaded.
    fn is_on(&self, now: Instant, params: &GaterParams) -> bool {
        let of_late = self.last_throttled.is_some_and(|last| now - last <= params.quiet);
        of_late && self.throttled > 0.0 && self.throttled >= self.validated * params.threshold
    }

    /// Lets what was counted fade, each decay interval once.
    pub(super) fn decay(&mut self, now: Instant) {
        let params = self.params.clone();
        let Some(params) = &params.gater else { return };
        while let Some((_, source)) = self.retained.first().filter(|(expires, _)| *expires <= now) {
            self.sources.remove(source);
            self.retained.pop_first();
        }
        let mut due = *self.next_decay.get_or_insert(now + params.decay_interval);
        while due <= now {
            due = due + params.decay_interval;
            self.fade(params);
        }
        self.next_decay = Some(due);
    }

    fn fade(&mut self, params: &GaterParams) {
        let fade = |value: &mut f64, decay: f64| {
            *value *= decay;
            if *value < params.decay_to_zero {
                *value = 0.0;
            }
        };
        fade(&mut self.validated, params.global_decay);
        fade(&mut self.throttled, params.global_decay);
        for stats in self.sources.values_mut().filter(|stats| stats.peers > 0) {
            let values = [
                &mut stats.delivered,
                &mut stats.duplicate,
                &mut stats.ignored,
                &mut stats.rejected,
            ];
            values
                .into_iter()
                .for_each(|value| fade(value, params.source_decay));
        }
    }

    /// Nobody is here: the next interval begins with who comes.
    pub(super) fn rest(&mut self) {
        self.next_decay = None;
    }
}

#[cfg(test)]
mod tests {
    use super::Gater;
    use crate::{GaterParams, Params};
    use sinew_floodsub::Topic;
    use sinew_identity::PeerId;
    use sinew_machine::{Instant, Rng};
    use std::{net::IpAddr, sync::Arc, time::Duration};

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn topic(text: &str) -> Topic {
        text.parse().expect("a topic")
    }

    fn ip(text: &str) -> [IpAddr; 1] {
        [text.parse().expect("an address")]
    }

    /// Of numbers of which half is left after each second.
    fn gater() -> Gater {
        let mut gater = GaterParams {
            global_decay: 0.5,
            source_decay: 0.5,
            retain: Duration::from_secs(10),
            quiet: Duration::from_secs(5),
            ..GaterParams::default()
        };
        gater.delivery_weights.insert(topic("heavy"), 4.0);
        let params = Params {
            gater: Some(gater),
            ..Params::default()
        };
        params.check().expect("sound");
        let mut gater = Gater::new(Arc::new(params));
        gater.decay(at(0));
        gater
    }

    /// How many of a thousand RPCs are refused.
    fn refused(gater: &Gater, now: Instant, peer: &PeerId) -> usize {
        let mut rng = Rng::new(1);
        (0..1000).filter(|_| gater.refuses(now, peer, &mut rng)).count()
    }

    #[test]
    fn while_there_is_room_everybody_is_welcome() {
        let (mut gater, peer) = (gater(), PeerId::random());
        gater.connected(peer, &[]);
        (0..9).for_each(|_| gater.rejected(&peer));
        (0..4).for_each(|_| gater.validates());
        gater.throttles(at(1));
        assert_eq!(refused(&gater, at(1), &peer), 0, "one of four is below a third");
        gater.throttles(at(1));
        assert!(refused(&gater, at(1), &peer) > 900);
        assert_eq!(refused(&gater, at(7), &peer), 0, "it was quiet for long enough");
        gater.throttles(at(7));
        gater.decay(at(20));
        assert_eq!(gater.throttled, 0.0);
        assert_eq!(
            refused(&gater, at(7), &peer),
            0,
            "and what little is left is nothing"
        );
    }

    #[test]
    fn the_share_of_good_messages_decides() {
        let (mut gater, peer) = (gater(), PeerId::random());
        gater.connected(peer, &[]);
        gater.throttles(at(1));
        assert_eq!(refused(&gater, at(1), &peer), 0, "of who is new nothing is known");
        gater.rejected(&peer);
        // 1 of 17
        assert!((880..=1000).contains(&refused(&gater, at(1), &peer)));
        (0..15).for_each(|_| gater.delivered(&peer, &topic("a")));
        // 16 of 32
        assert!((450..550).contains(&refused(&gater, at(1), &peer)));
        (0..8).for_each(|_| gater.delivered(&peer, &topic("heavy")));
        // 48 of 64
        assert!((200..300).contains(&refused(&gater, at(1), &peer)));
        (0..128).for_each(|_| gater.duplicate(&peer));
        (0..16).for_each(|_| gater.ignored(&peer));
        // 48 of 96
        assert!((450..550).contains(&refused(&gater, at(1), &peer)));
        gater.decay(at(20));
        gater.throttles(at(20));
        assert_eq!(refused(&gater, at(20), &peer), 0, "all is forgotten");
    }

    #[test]
    fn peers_of_one_address_answer_for_each_other() {
        let mut gater = gater();
        let [a, b, c, d, e] = std::array::from_fn(|_| PeerId::random());
        gater.connected(a, &ip("192.0.2.1"));
        gater.connected(b, &ip("192.0.2.1"));
        gater.connected(c, &ip("2001:db8::1"));
        gater.connected(d, &ip("2001:db8::2"));
        gater.connected(e, &ip("192.0.2.2"));
        (0..9).for_each(|_| gater.rejected(&a));
        (0..9).for_each(|_| gater.rejected(&c));
        gater.throttles(at(1));
        assert!(refused(&gater, at(1), &b) > 900 && refused(&gater, at(1), &d) > 900);
        assert_eq!(refused(&gater, at(1), &e), 0);
    }

    #[test]
    fn an_address_is_remembered_for_a_while() {
        let (mut gater, peer) = (gater(), PeerId::random());
        gater.connected(peer, &ip("192.0.2.1"));
        (0..9).for_each(|_| gater.rejected(&peer));
        gater.disconnected(at(1), &peer);
        gater.decay(at(10));
        let other = PeerId::random();
        gater.connected(other, &ip("192.0.2.1"));
        gater.throttles(at(10));
        assert!(refused(&gater, at(10), &other) > 900, "nothing fades meanwhile");
        gater.disconnected(at(10), &other);
        gater.disconnected(at(10), &other);
        gater.decay(at(20));
        assert!(gater.sources.is_empty() && gater.peers.is_empty() && gater.retained.is_empty());
    }

    #[test]
    fn nothing_is_kept_unless_that_is_wanted() {
        let (mut gater, peer) = (Gater::new(Arc::new(Params::default())), PeerId::random());
        gater.connected(peer, &[]);
        gater.rejected(&peer);
        gater.throttles(at(1));
        assert_eq!(refused(&gater, at(1), &peer), 0);
        assert!(gater.sources.is_empty() && gater.peers.is_empty());
    }
}
