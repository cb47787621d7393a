//! What the nodes of a scenario are to do: the suite's own scripts, with fewer nodes and shorter waits.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::verdict::{self, VerdictError};

/// Connections of a node; the suite has 20 of 700.
const CONNECTIONS: usize = 5;

/// When all nodes are connected and meshes have formed, in seconds; the suite waits for 120 or 30.
const SETTLED: u64 = 6;

/// Between two messages; the suite waits for 12.
const EVERY: u64 = 1;

/// For the last message to come; the suite waits for 30.
const REST: u64 = 5;

/// As many as in the suite.
const MESSAGES: u64 = 16;

/// A scenario of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Large messages of one topic, each looked at for 5 ms.
    SubnetBlob,
    /// Two topics with half of the nodes each; everybody publishes to both.
    SimpleFanout,
    /// One message in parts, of which every node has some.
    PartialMessages,
    /// Messages in parts along a chain of nodes, each of which has one part of each.
    PartialMessagesChain,
    /// One message in parts, by a node that does not follow the topic.
    PartialMessagesFanout,
}

/// A scenario with all that chance decides decided.
pub(super) struct Play {
    pub(super) nodes: usize,
    pub(super) script: Vec<Value>,
    /// How long the script takes.
    pub(super) length: Duration,
    /// Each message, with those who are to hear it.
    messages: Vec<(u64, BTreeSet<usize>)>,
    /// How many messages in parts each node is to have in the end.
    complete: usize,
}

impl Scenario {
    pub(super) fn play(self) -> Play {
        let (nodes, write): (_, fn(&mut Play)) = match self {
            Self::SubnetBlob => (16, Play::subnet_blob),
            Self::SimpleFanout => (16, Play::simple_fanout),
            Self::PartialMessages => (16, Play::partial_messages),
            Self::PartialMessagesChain => (8, Play::partial_messages_chain),
            Self::PartialMessagesFanout => (8, Play::partial_messages_fanout),
        };
        let mut play = Play::new(nodes);
        write(&mut play);
        play
    }
}

impl Play {
    /// Nodes of which each has begun.
    fn new(nodes: usize) -> Self {
        let mut play = Self {
            nodes,
            script: Vec::new(),
            length: Duration::ZERO,
            messages: Vec::new(),
            complete: 0,
        };
        for node in 0..nodes {
            let delay = 100_000_000 + 100_000 * (node as u64 + 1);
            play.one(
                node,
                json!({ "type": "initGossipSub", "gossipSubParams": { "HeartbeatInitialDelay": delay } }),
            );
        }
        play
    }

    fn subnet_blob(&mut self) {
        let (topic, everybody) = ("a-subnet", (0..self.nodes).collect());
        self.all(json!({ "type": "setTopicValidationDelay", "topicID": topic, "delaySeconds": 0.005 }));
        let mut random = Random(1);
        self.connect(&mut random);
        self.all(json!({ "type": "subscribeToTopic", "topicID": topic, "partial": false }));
        self.publish(&mut random, 48 * 2048, &[(topic, everybody)]);
    }

    fn simple_fanout(&mut self) {
        let mut random = Random(2);
        self.connect(&mut random);
        let mut topics = ["topic-a", "topic-b"].map(|topic| (topic, BTreeSet::new()));
        for node in 0..self.nodes {
            let (topic, followers) = &mut topics[node % 2];
            followers.insert(node);
            let follow = json!({ "type": "subscribeToTopic", "topicID": topic, "partial": false });
            self.one(node, follow);
        }
        self.publish(&mut random, 1024, &topics);
    }

    fn partial_messages(&mut self) {
        let (topic, group) = ("a-subnet", 77);
        let mut random = Random(3);
        self.connect(&mut random);
        self.all(json!({ "type": "subscribeToTopic", "topicID": topic, "partial": true }));
        self.wait(SETTLED);
        for node in 0..self.nodes {
            self.add(node, (topic, group), random.below(256));
        }
        self.all(json!({ "type": "publishPartial", "topicID": topic, "groupID": group }));
        self.wait(REST);
        self.complete = 1;
    }

    fn partial_messages_chain(&mut self) {
        let topic = "partial-msg-chain";
        for node in 1..self.nodes {
            self.one(node - 1, json!({ "type": "connect", "connectTo": [node] }));
        }
        self.all(json!({ "type": "subscribeToTopic", "topicID": topic, "partial": true }));
        self.wait(SETTLED);
        for group in 0..MESSAGES {
            for part in 0..8 {
                self.add(
                    (group as usize * 8 + part) % self.nodes,
                    (topic, group),
                    1 << part,
                );
            }
        }
        for group in 0..MESSAGES {
            self.wait(EVERY);
            self.all(json!({ "type": "publishPartial", "topicID": topic, "groupID": group }));
        }
        self.wait(REST);
        self.complete = 16;
    }

    fn partial_messages_fanout(&mut self) {
        let (topic, group) = ("a-subnet", 78);
        self.connect(&mut Random(4));
        for node in 1..self.nodes {
            self.one(
                node,
                json!({ "type": "subscribeToTopic", "topicID": topic, "partial": true }),
            );
        }
        self.wait(SETTLED);
        self.add(0, (topic, group), 0xff);
        let others: Vec<_> = (1..self.nodes).collect();
        self.one(
            0,
            json!({ "type": "publishPartial", "topicID": topic, "groupID": group, "publishToNodeIDs": others }),
        );
        self.wait(REST);
        self.complete = 1;
    }

    /// Gives a node parts of a message, a bit for each.
    fn add(&mut self, node: usize, (topic, group): (&str, u64), parts: usize) {
        self.one(
            node,
            json!({ "type": "addPartialMessage", "topicID": topic, "groupID": group, "parts": parts }),
        );
    }

    /// Connects each node to a few others.
    fn connect(&mut self, random: &mut Random) {
        let mut connected = vec![BTreeSet::new(); self.nodes];
        for node in 0..self.nodes {
            let mut dialled = Vec::new();
            while connected[node].len() < CONNECTIONS.min(self.nodes - 1) {
                let other = random.below(self.nodes);
                if other != node && connected[node].insert(other) {
                    connected[other].insert(node);
                    dialled.push(other);
                }
            }
            if !dialled.is_empty() {
                self.one(node, json!({ "type": "connect", "connectTo": dialled }));
            }
        }
    }

    /// Has one node after another publish to one of the topics, each of which has followers.
    fn publish(&mut self, random: &mut Random, size: usize, topics: &[(&str, BTreeSet<usize>)]) {
        self.wait(SETTLED);
        for id in 0..MESSAGES {
            let node = random.below(self.nodes);
            let (topic, followers) = &topics[random.below(topics.len())];
            self.one(
                node,
                json!({ "type": "publish", "messageID": id, "messageSizeBytes": size, "topicID": topic }),
            );
            let mut hearers = followers.clone();
            hearers.remove(&node);
            self.messages.push((id, hearers));
            self.wait(EVERY);
        }
        self.wait(REST);
    }

    fn wait(&mut self, seconds: u64) {
        self.length += Duration::from_secs(seconds);
        let elapsed = self.length.as_secs();
        self.all(json!({ "type": "waitUntil", "elapsedSeconds": elapsed }));
    }

    fn one(&mut self, node: usize, instruction: Value) {
        let mut for_one = json!({ "type": "ifNodeIDEquals", "nodeID": node });
        for_one["instruction"] = instruction;
        self.all(for_one);
    }

    fn all(&mut self, instruction: Value) {
        self.script.push(instruction);
    }

    /// Whether what the nodes have printed is as it should be.
    pub(super) fn judge(&self, logs: &[String]) -> Result<(), VerdictError> {
        verdict::delivered(logs, &self.messages)?;
        verdict::completed(logs, self.complete)
    }
}

/// Chance that is the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end as u64).expect("below a number of this type")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn about<'a>(play: &'a Play, kind: &str) -> Vec<(usize, &'a Value)> {
        let of_one = play.script.iter().filter_map(|instruction| {
            let inner = instruction.get("instruction")?;
            let node = usize::try_from(instruction["nodeID"].as_u64()?).ok()?;
            (inner["type"] == kind).then_some((node, inner))
        });
        of_one.collect()
    }

    #[test]
    fn nobody_is_connected_twice_and_everybody_is() {
        let play = Scenario::SubnetBlob.play();
        let mut links = BTreeSet::new();
        for (node, instruction) in about(&play, "connect") {
            for other in instruction["connectTo"].as_array().unwrap() {
                let other = usize::try_from(other.as_u64().unwrap()).unwrap();
                assert!(other != node && links.insert((node.min(other), node.max(other))));
            }
        }
        for node in 0..play.nodes {
            let count = links
                .iter()
                .filter(|(one, other)| node == *one || node == *other)
                .count();
            assert!(count >= CONNECTIONS, "{node}");
        }
        assert_eq!(
            play.length,
            Duration::from_secs(SETTLED + MESSAGES * EVERY + REST)
        );
    }

    #[test]
    fn followers_hear_what_others_publish() {
        let play = Scenario::SimpleFanout.play();
        let published = about(&play, "publish");
        assert_eq!(published.len(), 16);
        for ((node, instruction), (id, hearers)) in published.iter().zip(&play.messages) {
            assert_eq!(instruction["messageID"], *id);
            let odd = usize::from(instruction["topicID"] == "topic-b");
            assert!(hearers.iter().all(|hearer| hearer % 2 == odd && hearer != node));
            assert_eq!(hearers.len(), if node % 2 == odd { 7 } else { 8 });
        }
        let fanned_out = play.messages.iter().filter(|(_, hearers)| hearers.len() == 8);
        assert!(
            fanned_out.count() > 0,
            "somebody publishes to what he does not follow"
        );
    }

    #[test]
    fn all_parts_are_somewhere_and_nobody_has_all() {
        for (scenario, groups) in [
            (Scenario::PartialMessages, 1),
            (Scenario::PartialMessagesChain, 16),
        ] {
            let play = scenario.play();
            let mut all: BTreeMap<_, u64> = BTreeMap::new();
            for (_, instruction) in about(&play, "addPartialMessage") {
                let parts = instruction["parts"].as_u64().unwrap();
                assert!(parts < 0xff, "{parts}");
                *all.entry(instruction["groupID"].as_u64()).or_default() |= parts;
            }
            assert_eq!(all.into_values().collect::<Vec<_>>(), vec![0xff; groups]);
        }
    }
}
