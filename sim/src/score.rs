//! The numbers of gossipsub in a scenario.

use crate::scenario::{Scenario, Score};
use sinew_floodsub::Topic;
use sinew_gossipsub::{Params, ScoreParams, TopicParams, TopicScore};
use std::time::Duration;

/// The most that a peer is worth for being in a mesh, and for what it brought first: enough to forget a little, too little
/// to make up for bringing nothing.
const MERIT: f64 = 5.0;

/// The defaults, and what the scenario says of scores.
pub(crate) fn params(scenario: &Scenario, topic: &Topic) -> Params {
    let mut params = Params::default();
    if let Some(score) = &scenario.score {
        params.score = Some(of_peers(score));
        let mut of_topic = TopicParams::default();
        of_topic.score = Some(in_topic(score));
        params.topics.insert(topic.clone(), of_topic);
    }
    params
}

fn of_peers(score: &Score) -> ScoreParams {
    let mut params = ScoreParams::default();
    params.ip_weight = score.ip_weight;
    params.ip_threshold = score.ip_threshold;
    params.behaviour_weight = score.behaviour_weight;
    params.behaviour_threshold = score.behaviour_threshold;
    params.behaviour_decay = score.behaviour_decay;
    params
}

fn in_topic(score: &Score) -> TopicScore {
    let mut params = TopicScore::default();
    params.weight = 1.0;
    params.time_in_mesh_weight = 1.0;
    params.time_in_mesh_quantum = Duration::from_secs(10);
    params.time_in_mesh_cap = MERIT;
    params.first_message_deliveries_cap = MERIT;
    params.mesh_message_deliveries_weight = score.mesh_message_deliveries_weight;
    params.mesh_message_deliveries_threshold = score.mesh_message_deliveries_threshold;
    params.mesh_message_deliveries_decay = score.mesh_message_deliveries_decay;
    params.mesh_message_deliveries_window = Duration::from_millis(score.mesh_message_deliveries_window_ms);
    params.mesh_message_deliveries_activation =
        Duration::from_millis(score.mesh_message_deliveries_activation_ms);
    params.mesh_failure_penalty_weight = score.mesh_failure_penalty_weight;
    params.mesh_failure_penalty_decay = score.mesh_failure_penalty_decay;
    params.invalid_message_deliveries_weight = score.invalid_message_deliveries_weight;
    params.invalid_message_deliveries_decay = score.invalid_message_deliveries_decay;
    params
}
