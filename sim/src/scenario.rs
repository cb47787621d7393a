//! Scenarios: what a file of `sim/scenarios` says. `sim/README.md` tells how to write one.

use serde::Deserialize;
use std::{fs, io, path::Path, time::Duration};
use thiserror::Error;

/// A network and what happens to it.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in a line.
    pub about: String,
    /// How many nodes.
    pub nodes: usize,
    /// Decides all that is random, unless another is given.
    pub seed: u64,
    /// What nodes do that are in no group.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// The connections.
    pub network: Links,
    /// The messages.
    pub publish: Publish,
    /// Nodes that behave otherwise.
    #[serde(default)]
    pub group: Vec<Group>,
    /// Nodes that are connected worse.
    #[serde(default)]
    pub region: Vec<Region>,
    /// Nodes that come and go.
    pub churn: Option<Churn>,
    /// A time in which the network is two.
    pub partition: Option<Partition>,
    /// How gossipsub judges peers; nobody is judged unless it is there.
    pub score: Option<Score>,
    /// What has to hold.
    pub floors: Floors,
}

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// It runs gossipsub.
    #[default]
    Gossipsub,
    /// It runs floodsub.
    Floodsub,
    /// It runs gossipsub, and neither forwards nor announces anything.
    Silent,
    /// It grafts everybody again and again, and never sends a message.
    Sybil,
    /// It sends messages with wrong signatures, of its own and with the ids of others.
    Spam,
    /// It announces messages that there are not.
    IhaveFlood,
    /// It asks for all messages again and again.
    IwantFlood,
}

/// The connections.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// How many others each node dials.
    pub dials: usize,
    /// The least and the greatest latency of a pair, in one direction.
    pub latency_ms: [u64; 2],
    /// The rate of a node's way out, in kbit/s.
    pub uplink_kbit: u64,
    /// How long after a failure or a loss a contact is dialled again.
    pub redial_ms: u64,
    /// How long it takes until it is noticed that a peer has gone.
    pub notice_ms: u64,
    /// How long a connection lasts on average; for ever if absent.
    pub lasts_ms: Option<u64>,
}

/// The messages.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// How many, each by some honest node that stays.
    pub messages: usize,
    /// The data of each.
    pub bytes: usize,
    /// When the first is published.
    pub first_ms: u64,
    /// The time between two.
    pub every_ms: u64,
    /// The time after the last until the network has to be at rest.
    pub rest_ms: u64,
    /// How long a node's processor verifies one.
    pub verify_us: u64,
}

/// Nodes that behave otherwise.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// How.
    pub behaviour: Behaviour,
    /// How many of all nodes.
    pub share: f64,
    /// How many others each of them dials; as many as everybody if absent.
    pub dials: Option<usize>,
    /// When they come; at the beginning if absent.
    #[serde(default)]
    pub from_ms: u64,
    /// How often attackers act.
    #[serde(default = "a_second")]
    pub every_ms: u64,
    /// How many addresses they share; each has its own if absent.
    pub addresses: Option<usize>,
}

/// Nodes that are connected worse.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// How many of all nodes.
    pub share: f64,
    /// What each of them adds to the latency of its pairs.
    pub latency_ms: u64,
    /// The rate of their way out.
    pub uplink_kbit: u64,
}

/// Nodes that come and go until the last message is published.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// How many of all nodes.
    pub share: f64,
    /// How long they are up on average.
    pub up_ms: u64,
    /// How long they are down on average.
    pub down_ms: u64,
}

/// A time in which the network is two.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// How many of all nodes are on the other side.
    pub share: f64,
    /// When it begins.
    pub from_ms: u64,
    /// When it ends.
    pub to_ms: u64,
}

/// How gossipsub judges peers, where its defaults know too little of the network.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Weight of P3, for each message too few, squared.
    pub mesh_message_deliveries_weight: f64,
    /// How many there should be.
    pub mesh_message_deliveries_threshold: f64,
    /// What is left of their number after a second.
    pub mesh_message_deliveries_decay: f64,
    /// How long after the first a copy counts.
    pub mesh_message_deliveries_window_ms: u64,
    /// How long a peer is in a mesh before they are missed.
    pub mesh_message_deliveries_activation_ms: u64,
    /// Weight of P3b, what was missing when a peer left.
    pub mesh_failure_penalty_weight: f64,
    /// What is left of it after a second.
    pub mesh_failure_penalty_decay: f64,
    /// Weight of P4, invalid messages, squared.
    pub invalid_message_deliveries_weight: f64,
    /// What is left of their number after a second.
    pub invalid_message_deliveries_decay: f64,
    /// Weight of P6, peers too many on an address, squared.
    pub ip_weight: f64,
    /// How many may have one.
    pub ip_threshold: usize,
    /// Weight of P7, misbehaviour, squared.
    pub behaviour_weight: f64,
    /// How much of it does not count.
    pub behaviour_threshold: f64,
    /// What is left of it after a second.
    pub behaviour_decay: f64,
}

/// What has to hold.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Floors {
    /// The share of the deliveries that are owed.
    pub delivery: f64,
    /// How long after attackers came the last is gone from the mesh of every honest node.
    pub meshes_clean_ms: Option<u64>,
}

/// Why a scenario is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("the scenario {0} cannot be read")]
    Read(String, #[source] io::Error),
    /// The file says something else.
    #[error("the scenario {0} is none")]
    Parse(String, #[source] toml::de::Error),
    /// The numbers contradict each other.
    #[error("the scenario {0}: {1}")]
    Numbers(String, &'static str),
}

impl Behaviour {
    /// Whether it keeps to the protocol.
    #[must_use]
    pub fn is_honest(self) -> bool {
        matches!(self, Self::Gossipsub | Self::Floodsub)
    }

    /// Whether it harms others.
    #[must_use]
    pub fn is_attack(self) -> bool {
        !self.is_honest() && self != Self::Silent
    }
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ScenarioError`] if it is no scenario.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| ScenarioError::Read(name.clone(), error))?;
        Self::parse(&name, &text)
    }

    /// Reads a text; the name is for errors.
    ///
    /// # Errors
    /// [`ScenarioError`] if it is no scenario.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|error| ScenarioError::Parse(name.to_owned(), error))?;
        match scenario.contradiction() {
            None => Ok(scenario),
            Some(problem) => Err(ScenarioError::Numbers(name.to_owned(), problem)),
        }
    }

    fn contradiction(&self) -> Option<&'static str> {
        let groups = self.group.iter().map(|group| group.share);
        let taken: f64 = groups.chain(self.churn.iter().map(|churn| churn.share)).sum();
        let worse: f64 = self.region.iter().map(|region| region.share).sum();
        let apart = self.partition.as_ref().map_or(0.0, |partition| partition.share);
        let sound = [
            (self.nodes >= 2, "fewer than two nodes"),
            (taken < 1.0, "nobody honest stays"),
            (worse <= 1.0, "more nodes are connected worse than there are"),
            (apart <= 1.0, "more nodes are cut off than there are"),
            (
                self.network.latency_ms[0] <= self.network.latency_ms[1],
                "the least latency exceeds the greatest",
            ),
            (self.network.uplink_kbit > 0, "no way out"),
            (self.publish.messages > 0, "nothing is published"),
        ];
        sound
            .into_iter()
            .find(|(sound, _)| !sound)
            .map(|(_, problem)| problem)
    }

    /// When the last message is published.
    #[must_use]
    pub fn published(&self) -> Duration {
        let last = self.publish.messages.saturating_sub(1) as u64 * self.publish.every_ms;
        Duration::from_millis(self.publish.first_ms + last)
    }

    /// When it is over.
    #[must_use]
    pub fn over(&self) -> Duration {
        self.published() + Duration::from_millis(self.publish.rest_ms)
    }
}

/// How often attackers act unless told: with each heartbeat of the others.
fn a_second() -> u64 {
    1000
}

#[cfg(test)]
mod tests {
    use super::{Scenario, ScenarioError};

    const SMALL: &str = include_str!("../tests/small.toml");

    #[test]
    fn numbers_that_contradict_each_other_are_refused() {
        assert!(Scenario::parse("small", SMALL).is_ok());
        let partition = "[partition]\nfrom_ms = 1\nto_ms = 2\nshare = 1.1\n[publish]";
        let region = "[[region]]\nlatency_ms = 1\nuplink_kbit = 1\nshare = 1.1\n[publish]";
        let changes = [
            ("nodes = 40", "nodes = 1"),
            ("share = 0.3", "share = 1.0"),
            ("latency_ms = [10, 100]", "latency_ms = [100, 10]"),
            ("uplink_kbit = 50_000", "uplink_kbit = 0"),
            ("messages = 10", "messages = 0"),
            ("[publish]", partition),
            ("[publish]", region),
        ];
        for (from, to) in changes {
            let found = Scenario::parse("small", &SMALL.replacen(from, to, 1));
            assert!(
                matches!(found, Err(ScenarioError::Numbers(..))),
                "{to}: {found:?}"
            );
        }
    }

    #[test]
    fn a_word_that_nobody_knows_is_refused() {
        let found = Scenario::parse("small", &SMALL.replace("rest_ms", "rest_s"));
        assert!(matches!(found, Err(ScenarioError::Parse(..))), "{found:?}");
    }
}
