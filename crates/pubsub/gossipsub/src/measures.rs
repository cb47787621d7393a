//! What gossipsub tells whoever measures the node.

use crate::{Command, Counts, Machine, Reply};
use futures_util::future::BoxFuture;
use sinew_core::{Measure, Measured};
use sinew_floodsub::Topic;
use sinew_runtime::Caller;

/// Topics whose mesh is told by name; those beyond are told together, as `other`.
const MAX_TOPICS: usize = 64;

/// Bounds of scores: the thresholds that specification and go-libp2p recommend, and what lies between them.
const SCORES: [f64; 9] = [-1000.0, -100.0, -80.0, -50.0, -10.0, 0.0, 10.0, 100.0, 1000.0];

/// The names of all that is told, as a metrics service has them.
pub const METRICS: [&str; 10] = [
    "sinew_gossipsub_peers",
    "sinew_gossipsub_mesh_peers",
    "sinew_gossipsub_peers_by_score",
    "sinew_gossipsub_messages_total",
    "sinew_gossipsub_rejected_total",
    "sinew_gossipsub_not_sent_total",
    "sinew_gossipsub_mesh_changes_total",
    "sinew_gossipsub_ids_total",
    "sinew_gossipsub_broken_promises_total",
    "sinew_gossipsub_refused_rpcs_total",
];

/// Asks the machine when it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Gauges(pub(crate) Caller<Machine>);

impl Measured for Gauges {
    fn measure(&self) -> BoxFuture<'static, Vec<Measure>> {
        let caller = self.0.clone();
        Box::pin(async move { look(&caller).await.unwrap_or_default() })
    }
}

/// `None` if the node has ended.
async fn look(caller: &Caller<Machine>) -> Option<Vec<Measure>> {
    let Ok(Reply::Counts(counts)) = caller.call(Command::Counts).await else {
        return None;
    };
    let Ok(Reply::Meshes(meshes)) = caller.call(Command::Meshes).await else {
        return None;
    };
    let Ok(Reply::Scores(scores)) = caller.call(Command::Scores).await else {
        return None;
    };
    let scores: Vec<f64> = scores.into_iter().map(|(_, score)| score).collect();
    let mut all = counted(&counts);
    let peers = Measure::gauge("gossipsub_peers", "Peers that speak the protocol");
    all.extend([peers.value(scores.len() as u64), by_score(&scores), mesh(&meshes)]);
    Some(all)
}

/// The smallest topics by name are told each, so that the labels stay the same.
fn mesh(meshes: &[(Topic, usize)]) -> Measure {
    let mut mesh = Measure::gauge("gossipsub_mesh_peers", "Peers in the meshes, by topic");
    let (named, others) = meshes.split_at(meshes.len().min(MAX_TOPICS));
    for (topic, peers) in named {
        mesh = mesh.labelled("topic", topic.as_str(), *peers as u64);
    }
    if others.is_empty() {
        return mesh;
    }
    let others: usize = others.iter().map(|(_, peers)| peers).sum();
    mesh.labelled("topic", "other", others as u64)
}

/// How many have at most that score: a histogram that can go down.
fn by_score(scores: &[f64]) -> Measure {
    let name = "gossipsub_peers_by_score";
    let mut measure = Measure::gauge(name, "Peers whose score is at most that");
    for bound in SCORES {
        let below = scores.iter().filter(|score| **score <= bound).count();
        measure = measure.labelled("at_most", bound.to_string(), below as u64);
    }
    measure.labelled("at_most", "+Inf", scores.len() as u64)
}

fn counted(counts: &Counts) -> Vec<Measure> {
    let by = |measure, label, values: &[(&str, u64)]| {
        values.iter().fold(measure, |measure: Measure, (name, value)| {
            measure.labelled(label, *name, *value)
        })
    };
    vec![
        by(
            Measure::counter("gossipsub_messages", "Messages that came, by what they were"),
            "outcome",
            &[("accepted", counts.accepted), ("duplicate", counts.duplicates)],
        ),
        by(
            Measure::counter("gossipsub_rejected", "Messages that went no further, by why"),
            "reason",
            &[
                ("unwanted", counts.unwanted),
                ("forged", counts.forged),
                ("ignored", counts.ignored),
                ("old", counts.old),
                ("rejected", counts.rejected),
                ("queue full", counts.dropped),
                ("throttled", counts.throttled),
            ],
        ),
        by(
            Measure::counter("gossipsub_not_sent", "Messages that a peer was not sent, by why"),
            "reason",
            &[("slow", counts.unsent), ("unwanted", counts.withdrawn)],
        ),
        by(
            Measure::counter(
                "gossipsub_mesh_changes",
                "Peers that came into a mesh and left it",
            ),
            "change",
            &[("graft", counts.grafts), ("prune", counts.prunes)],
        ),
        ids(counts),
        Measure::counter(
            "gossipsub_broken_promises",
            "Messages announced that did not come",
        )
        .value(counts.broken_promises),
        by(
            Measure::counter(
                "gossipsub_refused_rpcs",
                "RPCs that were not read, and streams reset for what came",
            ),
            "reason",
            &[
                ("graylisted", counts.graylisted),
                ("malformed", counts.malformed),
                ("flood", counts.floods),
            ],
        ),
    ]
}

fn ids(counts: &Counts) -> Measure {
    let mut ids = Measure::counter("gossipsub_ids", "Ids of messages in control messages");
    for (kind, received, sent) in [
        ("IHAVE", counts.ihave_received, counts.ihave_sent),
        ("IWANT", counts.iwant_received, counts.iwant_sent),
        ("IDONTWANT", counts.idontwant_received, counts.idontwant_sent),
    ] {
        for (direction, value) in [("received", received), ("sent", sent)] {
            let labels = vec![("kind", kind.to_owned()), ("direction", direction.to_owned())];
            ids.values.push((labels, value));
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::{MAX_TOPICS, by_score, mesh};

    #[test]
    fn there_are_no_more_topics_than_are_told_by_name() {
        let topics = (0..MAX_TOPICS + 3).map(|n| (format!("{n:03}").parse().expect("a topic"), n));
        let measure = mesh(&topics.collect::<Vec<_>>());
        assert_eq!(measure.values.len(), MAX_TOPICS + 1);
        assert_eq!(measure.values[5], (vec![("topic", "005".to_owned())], 5));
        assert_eq!(
            measure.values[MAX_TOPICS],
            (vec![("topic", "other".to_owned())], 64 + 65 + 66)
        );
    }

    #[test]
    fn scores_are_told_by_what_they_are_at_most() {
        let measure = by_score(&[0.0, -50.0, -51.0, 1e6]);
        let values: Vec<_> = measure.values.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, [0, 0, 0, 2, 2, 3, 3, 3, 3, 4]);
        assert_eq!(measure.values[3].0, [("at_most", "-50".to_owned())]);
    }
}
