//! By what peers are judged (gossipsub 1.1, Peer Scoring).

use crate::{
    ParamsError,
    params::{first, is_gain, is_loss},
};
use std::time::Duration;

/// How peers are judged over all topics.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct ScoreParams {
    /// `TopicCap`, the most that all topics together contribute; no bound if zero.
    pub topic_cap: f64,
    /// Weight of P5, what the application thinks of a peer.
    pub app_weight: f64,
    /// Weight of P6, the square of how many peers too many have one address; not positive.
    pub ip_weight: f64,
    /// How many peers may have one address.
    pub ip_threshold: usize,
    /// Weight of P7, the square of what a peer has misbehaved; not positive.
    pub behaviour_weight: f64,
    /// How much misbehaviour is not counted.
    pub behaviour_threshold: f64,
    /// What is left of it after each decay interval, between 0 and 1.
    pub behaviour_decay: f64,
    /// Weight of the messages that a peer did not take in time, or for which there was no room; not positive. rust-libp2p's,
    /// which the specification does not have.
    pub slow_peer_weight: f64,
    /// How many of them are not counted.
    pub slow_peer_threshold: f64,
    /// What is left of their number after each decay interval, between 0 and 1.
    pub slow_peer_decay: f64,
    /// Time between two decays.
    pub decay_interval: Duration,
    /// What is less than this is zero.
    pub decay_to_zero: f64,
    /// How long the score of a peer that left is remembered, unless it is positive.
    pub retain: Duration,
    /// What follows from a score.
    pub thresholds: Thresholds,
}

/// What follows from a score.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Thresholds {
    /// Below, no gossip is told to a peer nor taken from it; not positive.
    pub gossip: f64,
    /// Below, our own messages do not go to a peer; not above the one of gossip.
    pub publish: f64,
    /// Below, nothing that a peer says is read; not above the one of publishing.
    pub graylist: f64,
    /// From here on, a peer's word on other peers is taken; not negative.
    pub accept_px: f64,
    /// When half of the mesh is below, better peers join it; not negative.
    pub opportunistic_graft: f64,
}

/// How peers are judged by what they do in one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct TopicScore {
    /// How much the topic counts.
    pub weight: f64,
    /// Weight of P1, the time in the mesh; not negative.
    pub time_in_mesh_weight: f64,
    /// The time that counts one.
    pub time_in_mesh_quantum: Duration,
    /// The most that counts.
    pub time_in_mesh_cap: f64,
    /// Weight of P2, messages that a peer brought first; not negative.
    pub first_message_deliveries_weight: f64,
    /// What is left of their number after each decay interval.
    pub first_message_deliveries_decay: f64,
    /// The most that counts.
    pub first_message_deliveries_cap: f64,
    /// Weight of P3, the square of how many messages too few a peer of the mesh brought; not positive.
    pub mesh_message_deliveries_weight: f64,
    /// What is left of their number after each decay interval.
    pub mesh_message_deliveries_decay: f64,
    /// The most that counts.
    pub mesh_message_deliveries_cap: f64,
    /// How many there should be.
    pub mesh_message_deliveries_threshold: f64,
    /// How long after the first a copy still counts.
    pub mesh_message_deliveries_window: Duration,
    /// How long a peer is in the mesh before they are missed.
    pub mesh_message_deliveries_activation: Duration,
    /// Weight of P3b, what was missing when a peer left the mesh; not positive.
    pub mesh_failure_penalty_weight: f64,
    /// What is left of it after each decay interval.
    pub mesh_failure_penalty_decay: f64,
    /// Weight of P4, the square of the number of invalid messages; not positive.
    pub invalid_message_deliveries_weight: f64,
    /// What is left of their number after each decay interval.
    pub invalid_message_deliveries_decay: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            gossip: -10.0,
            publish: -50.0,
            graylist: -80.0,
            accept_px: 10.0,
            opportunistic_graft: 20.0,
        }
    }
}

impl Default for ScoreParams {
    /// The numbers of rust-libp2p.
    fn default() -> Self {
        Self {
            topic_cap: 3600.0,
            app_weight: 10.0,
            ip_weight: -5.0,
            ip_threshold: 10,
            behaviour_weight: -10.0,
            behaviour_threshold: 0.0,
            behaviour_decay: 0.2,
            slow_peer_weight: -0.2,
            slow_peer_threshold: 0.0,
            slow_peer_decay: 0.2,
            decay_interval: Duration::from_secs(1),
            decay_to_zero: 0.1,
            retain: Duration::from_secs(3600),
            thresholds: Thresholds::default(),
        }
    }
}

impl Default for TopicScore {
    /// The numbers of rust-libp2p, without P3 and P3b: how many messages there should be, only the application knows.
    fn default() -> Self {
        Self {
            weight: 0.5,
            time_in_mesh_weight: 1.0,
            time_in_mesh_quantum: Duration::from_millis(1),
            time_in_mesh_cap: 3600.0,
            first_message_deliveries_weight: 1.0,
            first_message_deliveries_decay: 0.5,
            first_message_deliveries_cap: 2000.0,
            mesh_message_deliveries_weight: 0.0,
            mesh_message_deliveries_decay: 0.5,
            mesh_message_deliveries_cap: 100.0,
            mesh_message_deliveries_threshold: 20.0,
            mesh_message_deliveries_window: Duration::from_millis(10),
            mesh_message_deliveries_activation: Duration::from_secs(5),
            mesh_failure_penalty_weight: 0.0,
            mesh_failure_penalty_decay: 0.5,
            invalid_message_deliveries_weight: -1.0,
            invalid_message_deliveries_decay: 0.3,
        }
    }
}

/// Strictly between 0 and 1, as go asks.
fn is_decay(value: f64) -> bool {
    value > 0.0 && value < 1.0
}

impl ScoreParams {
    pub(crate) fn check(&self) -> Result<(), ParamsError> {
        first(&[
            ("topic_cap", is_gain(self.topic_cap)),
            ("app_weight", is_gain(self.app_weight)),
            ("ip_weight", is_loss(self.ip_weight)),
            ("ip_threshold", self.ip_threshold >= 1),
            ("behaviour_weight", is_loss(self.behaviour_weight)),
            ("behaviour_threshold", is_gain(self.behaviour_threshold)),
            ("behaviour_decay", is_decay(self.behaviour_decay)),
            ("slow_peer_weight", is_loss(self.slow_peer_weight)),
            ("slow_peer_threshold", is_gain(self.slow_peer_threshold)),
            ("slow_peer_decay", is_decay(self.slow_peer_decay)),
            ("decay_to_zero", is_decay(self.decay_to_zero)),
        ])?;
        if self.decay_interval.is_zero() {
            return Err(ParamsError::Zero("decay_interval"));
        }
        let Thresholds {
            gossip,
            publish,
            graylist,
            accept_px,
            opportunistic_graft,
        } = self.thresholds;
        let in_order = graylist <= publish && publish <= gossip && gossip <= 0.0;
        // The lowest is finite, and with it those above.
        if in_order && is_loss(graylist) && is_gain(accept_px) && is_gain(opportunistic_graft) {
            Ok(())
        } else {
            Err(ParamsError::Thresholds)
        }
    }
}

impl TopicScore {
    pub(crate) fn check(&self) -> Result<(), ParamsError> {
        if self.time_in_mesh_quantum.is_zero() {
            return Err(ParamsError::Zero("time_in_mesh_quantum"));
        }
        first(&[
            ("weight", is_gain(self.weight)),
            ("time_in_mesh_weight", is_gain(self.time_in_mesh_weight)),
            ("time_in_mesh_cap", is_gain(self.time_in_mesh_cap)),
            (
                "first_message_deliveries_weight",
                is_gain(self.first_message_deliveries_weight),
            ),
            (
                "first_message_deliveries_decay",
                is_decay(self.first_message_deliveries_decay),
            ),
            (
                "mesh_message_deliveries_weight",
                is_loss(self.mesh_message_deliveries_weight),
            ),
            (
                "mesh_message_deliveries_decay",
                is_decay(self.mesh_message_deliveries_decay),
            ),
            (
                "first_message_deliveries_cap",
                is_gain(self.first_message_deliveries_cap),
            ),
            (
                "mesh_message_deliveries_threshold",
                is_gain(self.mesh_message_deliveries_threshold),
            ),
            (
                "mesh_message_deliveries_cap",
                is_gain(self.mesh_message_deliveries_cap - self.mesh_message_deliveries_threshold),
            ),
            (
                "mesh_failure_penalty_weight",
                is_loss(self.mesh_failure_penalty_weight),
            ),
            (
                "mesh_failure_penalty_decay",
                is_decay(self.mesh_failure_penalty_decay),
            ),
            (
                "invalid_message_deliveries_weight",
                is_loss(self.invalid_message_deliveries_weight),
            ),
            (
                "invalid_message_deliveries_decay",
                is_decay(self.invalid_message_deliveries_decay),
            ),
        ])
    }
}
