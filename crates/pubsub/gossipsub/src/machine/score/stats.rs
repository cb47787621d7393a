//! What one peer did, how that fades, and what it adds up to.

use super::TopicReport;
use crate::{Params, ScoreParams, TopicScore};
use sinew_floodsub::Topic;
use sinew_machine::Instant;
use std::{cell::Cell, collections::BTreeMap, time::Duration};

#[derive(Default, Debug)]
pub(super) struct PeerStats {
    pub(super) connected: bool,
    /// Until when it is remembered; counts while it is not connected.
    pub(super) expires: Instant,
    pub(super) topics: BTreeMap<Topic, TopicStats>,
    pub(super) behaviour: f64,
    pub(super) slow: f64,
    /// What it adds up to, and after how many changes ([`Scores`](super::Scores)): a score is asked for much more often than it
    /// changes, at a heartbeat once for each topic of a peer.
    pub(super) score: Cell<Option<(u64, f64)>>,
}

#[derive(Default, Debug)]
pub(super) struct TopicStats {
    /// Since when it is in the mesh.
    pub(super) grafted: Option<Instant>,
    pub(super) time_in_mesh: Duration,
    pub(super) first_deliveries: f64,
    pub(super) mesh_deliveries: f64,
    /// Whether it is in the mesh for so long that missing messages count.
    pub(super) active: bool,
    pub(super) failure: f64,
    pub(super) invalid: f64,
}

impl PeerStats {
    pub(super) fn decay(&mut self, now: Instant, params: &Params, global: &ScoreParams) {
        let fade = |value: &mut f64, decay: f64| {
            *value *= decay;
            if *value < global.decay_to_zero {
                *value = 0.0;
            }
        };
        fade(&mut self.behaviour, global.behaviour_decay);
        fade(&mut self.slow, global.slow_peer_decay);
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
    pub(super) fn report(&self, topic: &TopicScore) -> TopicReport {
        let quanta = self.time_in_mesh.as_nanos() / topic.time_in_mesh_quantum.as_nanos().max(1);
        let time = topic.time_in_mesh_cap.min(quanta as f64);
        let weighted = |value: f64, weight: f64| value * weight * topic.weight;
        TopicReport {
            time_in_mesh: weighted(time, topic.time_in_mesh_weight),
            first_deliveries: weighted(self.first_deliveries, topic.first_message_deliveries_weight),
            mesh_deliveries: weighted(squared(self.deficit(topic)), topic.mesh_message_deliveries_weight),
            mesh_failure: weighted(self.failure, topic.mesh_failure_penalty_weight),
            invalid_deliveries: weighted(squared(self.invalid), topic.invalid_message_deliveries_weight),
        }
    }

    /// How many messages a peer of the mesh brought too few.
    fn deficit(&self, topic: &TopicScore) -> f64 {
        if self.active {
            topic.mesh_message_deliveries_threshold - self.mesh_deliveries
        } else {
            0.0
        }
    }

    pub(super) fn delivered(&mut self, topic: &TopicScore) {
        if self.grafted.is_some() {
            let cap = topic.mesh_message_deliveries_cap;
            self.mesh_deliveries = cap.min(self.mesh_deliveries + 1.0);
        }
    }

    /// P3b: what is missing sticks.
    pub(super) fn left_mesh(&mut self, topic: &TopicScore) {
        if self.grafted.take().is_some() {
            self.failure += squared(self.deficit(topic));
            self.time_in_mesh = Duration::ZERO;
            self.active = false;
        }
    }
}

/// The square of what is above zero.
pub(super) fn squared(surplus: f64) -> f64 {
    surplus.max(0.0).powi(2)
}
