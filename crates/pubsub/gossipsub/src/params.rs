//! The numbers of gossipsub, by the names and with the defaults of the specification where it has them, else go-libp2p's.

use crate::{GaterParams, PartialMode, PartialParams, ScoreParams, TopicScore};
use sinew_floodsub::Topic;
use sinew_identity::PeerId;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use thiserror::Error;

/// How gossipsub decides. All nodes of a network should have the same numbers, or nearly.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Params {
    /// How many peers a mesh has.
    pub mesh: Mesh,
    /// Numbers of single topics, in place of the general ones.
    pub topics: BTreeMap<Topic, TopicParams>,
    /// Time between two heartbeats: 1 s.
    pub heartbeat: Duration,
    /// Heartbeats for which a message can be asked for: 5.
    pub history_length: usize,
    /// Heartbeats for which a message is announced: 3.
    pub history_gossip: usize,
    /// The fewest peers outside the mesh that are told what we have: 6.
    pub lazy: usize,
    /// The share of peers outside the mesh that are told: 0.25.
    pub gossip_factor: f64,
    /// How often a peer may ask for the same message: 3.
    pub gossip_retransmission: u32,
    /// How long peers are kept for a topic that is published to and not followed: 60 s.
    pub fanout_ttl: Duration,
    /// Whether our own messages go to all peers of the topic, not to the mesh alone: yes.
    pub flood_publish: bool,
    /// How long two peers leave each other alone after one took the other out of a mesh: 60 s.
    pub prune_backoff: Duration,
    /// The same after a topic was left: 10 s.
    pub unsubscribe_backoff: Duration,
    /// A peer that comes back sooner than this after it was pruned is punished twice: 10 s.
    pub graft_flood: Duration,
    /// Whether a peer that is pruned because there are too many is told of others: no, as in go and rust.
    pub exchange_peers: bool,
    /// How many others it is told of, and how many of those that we are told of are dialled: 16.
    pub prune_peers: usize,
    /// Heartbeats between two looks at whether better peers should join the mesh: 60.
    pub opportunistic_graft_ticks: u64,
    /// How many of them join at once: 2.
    pub opportunistic_graft_peers: usize,
    /// Announcements that are read of one peer within a heartbeat: 10.
    pub max_ihave_messages: usize,
    /// Messages that are asked of one peer within a heartbeat: 5,000.
    pub max_ihave_length: usize,
    /// How long a peer has to send what it announced: 3 s.
    pub iwant_followup: Duration,
    /// The length of data from which on peers are told that we have it: 1,024 bytes.
    pub idontwant_threshold: usize,
    /// Ids that one peer may say it does not want within a heartbeat: 1,000.
    pub max_idontwant: usize,
    /// Heartbeats for which such an id is remembered: 3.
    pub idontwant_ttl: u32,
    /// How long an own message may wait for a peer: 5 s, as in rust.
    pub publish_expiry: Duration,
    /// How long a message of others may wait for a peer: 1 s, as in rust.
    pub forward_expiry: Duration,
    /// Bytes of messages that wait for all peers together, each message once and 128 bytes for each peer that it waits for: 64 MiB.
    /// Of more the slowest peers lose what waits for them, messages of others before our own.
    pub max_queued_bytes: usize,
    /// Bytes of messages that are kept for peers that ask; no more are kept than fit: 64 MiB.
    pub max_history_bytes: usize,
    /// Peers that get every message, and whose every message is taken; they are in no mesh.
    pub explicit: BTreeSet<PeerId>,
    /// Heartbeats between two attempts to reach explicit peers: 300.
    pub explicit_ticks: u64,
    /// Whether the test extension of gossipsub 1.3 is spoken: no.
    pub test_extension: bool,
    /// How partial messages are exchanged; they are not spoken unless set. Experimental.
    pub partial: Option<PartialParams>,
    /// Of how many authors the last number is known: a message whose number is not above it is ignored, so that an old one
    /// cannot come back. Signed messages only. Nothing is checked if it is zero, as it is unless set: of two messages that
    /// take different ways the later one may come first.
    pub max_authors: usize,
    /// How peers are judged; nothing is held against anybody unless set.
    pub score: Option<ScoreParams>,
    /// How messages are dropped while more come than can be validated; all alike unless set.
    pub gater: Option<GaterParams>,
}

/// How many peers a mesh has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mesh {
    /// `D`, how many there should be: 6.
    pub target: usize,
    /// `D_low`, fewer are too few: 5.
    pub low: usize,
    /// `D_high`: more are too many, and nobody comes into a mesh of as many but who we dialled: 12.
    pub high: usize,
    /// `D_score`, how many of the best stay when there are too many: 4.
    pub score: usize,
    /// `D_out`, how many we have to have dialled ourselves: 2.
    pub outbound: usize,
}

/// Numbers of one topic.
#[derive(Clone, PartialEq, Default, Debug)]
#[non_exhaustive]
pub struct TopicParams {
    /// How many peers its mesh has.
    pub mesh: Option<Mesh>,
    /// The longest data of its messages; longer messages are refused.
    pub max_data: Option<usize>,
    /// How peers are judged by what they do in it.
    pub score: Option<TopicScore>,
}

/// Numbers that make no sense together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// `D_low` ≤ `D` ≤ `D_high`, `D_score` ≤ `D`, and `D_out` below `D_low` and at most half of `D`, or all zero.
    #[error("the degrees of a mesh contradict each other")]
    Mesh,
    /// More heartbeats of announcements than of history, or none.
    #[error("the history of messages is shorter than what is announced of it")]
    History,
    /// A duration or a count that may not be zero.
    #[error("{0} may not be zero")]
    Zero(&'static str),
    /// A weight with the wrong sign, a decay that is not between 0 and 1, or no finite number.
    #[error("{0} is out of its range")]
    Range(&'static str),
    /// The thresholds are not in their order.
    #[error("the thresholds of scores are not in their order")]
    Thresholds,
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            target: 6,
            low: 5,
            high: 12,
            score: 4,
            outbound: 2,
        }
    }
}

impl Mesh {
    fn check(&self) -> Result<(), ParamsError> {
        // spec: gossipsub 1.1, Recommendations for Network Operators: a bootstrapper has no mesh at all.
        let none = *self
            == Self {
                target: 0,
                low: 0,
                high: 0,
                score: 0,
                outbound: 0,
            };
        // spec: gossipsub 1.1, Outbound Mesh Quotas: `D_out` is below `D_lo` and at most `D/2`.
        let sound = self.low <= self.target
            && self.target <= self.high
            && self.score <= self.target
            && self.outbound < self.low
            && self.outbound <= self.target / 2;
        if none || sound {
            Ok(())
        } else {
            Err(ParamsError::Mesh)
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self {
            mesh: Mesh::default(),
            topics: BTreeMap::new(),
            heartbeat: Duration::from_secs(1),
            history_length: 5,
            history_gossip: 3,
            lazy: 6,
            gossip_factor: 0.25,
            gossip_retransmission: 3,
            fanout_ttl: Duration::from_secs(60),
            flood_publish: true,
            prune_backoff: Duration::from_secs(60),
            unsubscribe_backoff: Duration::from_secs(10),
            graft_flood: Duration::from_secs(10),
            exchange_peers: false,
            prune_peers: 16,
            opportunistic_graft_ticks: 60,
            opportunistic_graft_peers: 2,
            max_ihave_messages: 10,
            max_ihave_length: 5000,
            iwant_followup: Duration::from_secs(3),
            idontwant_threshold: 1024,
            max_idontwant: 1000,
            idontwant_ttl: 3,
            publish_expiry: Duration::from_secs(5),
            forward_expiry: Duration::from_secs(1),
            max_queued_bytes: 64 << 20,
            max_history_bytes: 64 << 20,
            explicit: BTreeSet::new(),
            explicit_ticks: 300,
            test_extension: false,
            partial: None,
            max_authors: 0,
            score: None,
            gater: None,
        }
    }
}

impl Params {
    /// Whether the numbers make sense together.
    ///
    /// # Errors
    /// [`ParamsError`] for the first that does not.
    pub fn check(&self) -> Result<(), ParamsError> {
        self.mesh.check()?;
        for topic in self.topics.values() {
            topic.mesh.iter().try_for_each(Mesh::check)?;
            topic.score.iter().try_for_each(TopicScore::check)?;
        }
        if self.history_gossip > self.history_length || self.history_length == 0 {
            return Err(ParamsError::History);
        }
        let nonzero = [
            ("heartbeat", !self.heartbeat.is_zero()),
            ("opportunistic_graft_ticks", self.opportunistic_graft_ticks > 0),
            ("explicit_ticks", self.explicit_ticks > 0),
        ];
        if let Some((name, _)) = nonzero.iter().find(|(_, sound)| !sound) {
            return Err(ParamsError::Zero(name));
        }
        if !(0.0..=1.0).contains(&self.gossip_factor) {
            return Err(ParamsError::Range("gossip_factor"));
        }
        self.partial.iter().try_for_each(PartialParams::check)?;
        self.gater.iter().try_for_each(GaterParams::check)?;
        self.score.iter().try_for_each(ScoreParams::check)
    }

    /// What parts of a topic are for; `None` if there are none.
    pub(crate) fn partial_mode(&self, topic: &str) -> Option<PartialMode> {
        self.partial.as_ref()?.topics.get(topic).copied()
    }

    /// How many peers the mesh of a topic has.
    pub(crate) fn mesh_of(&self, topic: &Topic) -> Mesh {
        let own = self.topics.get(topic).and_then(|topic| topic.mesh);
        own.unwrap_or(self.mesh)
    }

    /// How peers are judged by what they do in a topic.
    pub(crate) fn score_of(&self, topic: &Topic) -> Option<&TopicScore> {
        self.score.as_ref()?;
        self.topics.get(topic)?.score.as_ref()
    }
}

/// A number that is not negative, and none that adds up to no number any more.
pub(crate) fn is_gain(value: f64) -> bool {
    value >= 0.0 && value.is_finite()
}

/// The same that is not positive.
pub(crate) fn is_loss(value: f64) -> bool {
    is_gain(-value)
}

/// The first that is not sound is out of its range.
pub(crate) fn first(checks: &[(&'static str, bool)]) -> Result<(), ParamsError> {
    match checks.iter().find(|(_, sound)| !sound) {
        Some((name, _)) => Err(ParamsError::Range(name)),
        None => Ok(()),
    }
}
