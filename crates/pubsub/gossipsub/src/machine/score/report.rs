//! A score, by what it is made of.

use sinew_floodsub::Topic;
use std::collections::BTreeMap;

/// The score of a peer by what it is made of. Each part stands as it counts, with its weight, so that they add up to the score.
#[derive(Clone, PartialEq, Default, Debug)]
#[non_exhaustive]
pub struct ScoreReport {
    /// What the topics add up to, at most [`ScoreParams::topic_cap`](crate::ScoreParams).
    pub topics: f64,
    /// What each of them contributes, the cap aside.
    pub by_topic: BTreeMap<Topic, TopicReport>,
    /// P5, what the application thinks of it.
    pub app: f64,
    /// P6, peers that share its addresses.
    pub colocation: f64,
    /// P7, misbehaviour.
    pub behaviour: f64,
    /// Messages that it did not take in time.
    pub slow_peer: f64,
}

/// What a peer did in one topic, as it counts.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
#[non_exhaustive]
pub struct TopicReport {
    /// P1, the time in the mesh.
    pub time_in_mesh: f64,
    /// P2, messages that it brought first.
    pub first_deliveries: f64,
    /// P3, messages that it should have brought.
    pub mesh_deliveries: f64,
    /// P3b, what was missing when it left the mesh.
    pub mesh_failure: f64,
    /// P4, invalid messages.
    pub invalid_deliveries: f64,
}

impl ScoreReport {
    /// The score.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.topics + self.app + self.colocation + self.behaviour + self.slow_peer
    }
}

impl TopicReport {
    /// What the topic contributes, the cap aside.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.time_in_mesh
            + self.first_deliveries
            + self.mesh_deliveries
            + self.mesh_failure
            + self.invalid_deliveries
    }
}
