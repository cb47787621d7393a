//! The script of all nodes, as one of them reads it.

use std::{
    fs::File,
    io::BufReader,
    path::Path,
    time::{Duration, TryFromFloatSecsError},
};

use serde::Deserialize;
use sinew::gossipsub::{Params, PartialMode, PartialParams, TopicError};

use super::Failure;

/// What one node is to do, in this order.
#[derive(Debug, Deserialize)]
pub(super) struct Script {
    #[serde(rename = "script")]
    pub(super) instructions: Vec<Instruction>,
}

/// One thing to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Instruction {
    InitGossipSub {
        #[serde(rename = "gossipSubParams")]
        params: Box<Given>,
    },
    Connect {
        #[serde(rename = "connectTo")]
        nodes: Vec<u64>,
    },
    #[serde(rename = "ifNodeIDEquals")]
    IfNodeIdEquals {
        #[serde(rename = "nodeID")]
        node: u64,
        instruction: Box<Self>,
    },
    WaitUntil {
        /// Since the node started.
        #[serde(rename = "elapsedSeconds")]
        seconds: u64,
    },
    SubscribeToTopic {
        #[serde(rename = "topicID")]
        topic: String,
        /// Whether its messages come in parts.
        #[serde(default)]
        partial: bool,
    },
    SetTopicValidationDelay {
        #[serde(rename = "topicID")]
        topic: String,
        #[serde(rename = "delaySeconds")]
        seconds: f64,
    },
    Publish {
        #[serde(rename = "topicID")]
        topic: String,
        #[serde(rename = "messageID")]
        id: u64,
        #[serde(rename = "messageSizeBytes")]
        size: usize,
    },
    AddPartialMessage {
        #[serde(rename = "topicID")]
        topic: String,
        #[serde(rename = "groupID")]
        group: u64,
        /// A bit for each.
        parts: u8,
    },
    PublishPartial {
        #[serde(rename = "topicID")]
        topic: String,
        #[serde(rename = "groupID")]
        group: u64,
        /// To these nodes, rather than to the mesh.
        #[serde(rename = "publishToNodeIDs")]
        to: Option<Vec<u64>>,
    },
}

/// Numbers of gossipsub by go-libp2p-pubsub's names, durations in nanoseconds. Those of it that have no counterpart here (when the
/// first heartbeat is, how many peers are dialled at once, what is warned of) are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Given {
    d: Option<usize>,
    dlo: Option<usize>,
    dhi: Option<usize>,
    dscore: Option<usize>,
    dout: Option<usize>,
    dlazy: Option<usize>,
    history_length: Option<usize>,
    history_gossip: Option<usize>,
    gossip_factor: Option<f64>,
    gossip_retransmission: Option<u32>,
    heartbeat_interval: Option<f64>,
    #[serde(rename = "FanoutTTL")]
    fanout_ttl: Option<f64>,
    prune_peers: Option<usize>,
    prune_backoff: Option<f64>,
    unsubscribe_backoff: Option<f64>,
    direct_connect_ticks: Option<u64>,
    opportunistic_graft_ticks: Option<u64>,
    opportunistic_graft_peers: Option<usize>,
    graft_flood_threshold: Option<f64>,
    #[serde(rename = "MaxIHaveLength")]
    max_ihave_length: Option<usize>,
    #[serde(rename = "MaxIHaveMessages")]
    max_ihave_messages: Option<usize>,
    #[serde(rename = "MaxIDontWantMessages")]
    max_idontwant_messages: Option<usize>,
    #[serde(rename = "IWantFollowupTime")]
    iwant_followup_time: Option<f64>,
    #[serde(rename = "IDontWantMessageThreshold")]
    idontwant_message_threshold: Option<usize>,
    #[serde(rename = "IDontWantMessageTTL")]
    idontwant_message_ttl: Option<u32>,
}

impl Script {
    /// Reads what the script has for the node of this number.
    pub(super) fn read(path: &Path, node: u64) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let script: Self = serde_json::from_reader(BufReader::new(file))?;
        Ok(script.of(node))
    }

    fn of(self, node: u64) -> Self {
        let instructions = self.instructions.into_iter();
        Self {
            instructions: instructions
                .filter_map(|instruction| instruction.of(node))
                .collect(),
        }
    }

    /// The numbers of gossipsub: the library's, where the script has no others.
    pub(super) fn params(&self) -> Result<Params, Failure> {
        let mut found = self
            .instructions
            .iter()
            .filter_map(|instruction| match instruction {
                Instruction::InitGossipSub { params } => Some(params),
                _ => None,
            });
        let mut params = found
            .next()
            .map_or_else(|| Ok(Params::default()), |given| given.params())?;
        params.partial = self.partial()?;
        Ok(params)
    }

    /// In which topics messages come in parts: those that are followed so, and those that parts are published to.
    fn partial(&self) -> Result<Option<PartialParams>, TopicError> {
        let mut partial = PartialParams::default();
        for instruction in &self.instructions {
            match instruction {
                Instruction::SubscribeToTopic { topic, partial: true } => {
                    partial.topics.insert(topic.parse()?, PartialMode::Request);
                }
                Instruction::PublishPartial { topic, .. } => {
                    let mode = partial.topics.entry(topic.parse()?);
                    mode.or_insert(PartialMode::Send);
                }
                _ => {}
            }
        }
        Ok((!partial.topics.is_empty()).then_some(partial))
    }
}

impl Instruction {
    /// What remains of it for the node of this number.
    fn of(self, node: u64) -> Option<Self> {
        match self {
            Self::IfNodeIdEquals {
                node: meant,
                instruction,
            } => (meant == node).then(|| instruction.of(node)).flatten(),
            other => Some(other),
        }
    }
}

impl Given {
    fn params(&self) -> Result<Params, TryFromFloatSecsError> {
        let mut params = Params::default();
        set(&mut params.mesh.target, self.d);
        set(&mut params.mesh.low, self.dlo);
        set(&mut params.mesh.high, self.dhi);
        set(&mut params.mesh.score, self.dscore);
        set(&mut params.mesh.outbound, self.dout);
        set(&mut params.lazy, self.dlazy);
        set(&mut params.history_length, self.history_length);
        set(&mut params.history_gossip, self.history_gossip);
        set(&mut params.gossip_factor, self.gossip_factor);
        set(&mut params.gossip_retransmission, self.gossip_retransmission);
        set(&mut params.prune_peers, self.prune_peers);
        set(&mut params.explicit_ticks, self.direct_connect_ticks);
        set(
            &mut params.opportunistic_graft_ticks,
            self.opportunistic_graft_ticks,
        );
        set(
            &mut params.opportunistic_graft_peers,
            self.opportunistic_graft_peers,
        );
        set(&mut params.max_ihave_length, self.max_ihave_length);
        set(&mut params.max_ihave_messages, self.max_ihave_messages);
        set(&mut params.max_idontwant, self.max_idontwant_messages);
        set(&mut params.idontwant_threshold, self.idontwant_message_threshold);
        set(&mut params.idontwant_ttl, self.idontwant_message_ttl);
        for (time, given) in [
            (&mut params.heartbeat, self.heartbeat_interval),
            (&mut params.fanout_ttl, self.fanout_ttl),
            (&mut params.prune_backoff, self.prune_backoff),
            (&mut params.unsubscribe_backoff, self.unsubscribe_backoff),
            (&mut params.graft_flood, self.graft_flood_threshold),
            (&mut params.iwant_followup, self.iwant_followup_time),
        ] {
            set(
                time,
                given
                    .map(|nanos| Duration::try_from_secs_f64(nanos / 1e9))
                    .transpose()?,
            );
        }
        Ok(params)
    }
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn script(instructions: &Value) -> Script {
        serde_json::from_value(json!({ "script": instructions })).unwrap()
    }

    #[test]
    fn a_node_reads_what_is_meant_for_it() {
        let instructions = json!([
            { "type": "ifNodeIDEquals", "nodeID": 0, "instruction":
                { "type": "initGossipSub", "gossipSubParams": { "HeartbeatInitialDelay": 100_100_000.0, "D": 7 } } },
            { "type": "ifNodeIDEquals", "nodeID": 1, "instruction":
                { "type": "ifNodeIDEquals", "nodeID": 1, "instruction": { "type": "connect", "connectTo": [0, 2] } } },
            { "type": "subscribeToTopic", "topicID": "a", "partial": false },
            { "type": "setTopicValidationDelay", "topicID": "a", "delaySeconds": 0.005 },
            { "type": "waitUntil", "elapsedSeconds": 3 },
            { "type": "publish", "messageID": 4, "messageSizeBytes": 1024, "topicID": "a" },
        ]);
        let read = |node| script(&instructions).of(node);
        let zero = read(0);
        assert_eq!(zero.params().unwrap().mesh.target, 7);
        assert!(matches!(
            zero.instructions[1],
            Instruction::SubscribeToTopic { .. }
        ));
        let one = read(1);
        assert_eq!(one.params().unwrap(), Params::default());
        assert!(matches!(&one.instructions[0], Instruction::Connect { nodes } if *nodes == [0, 2]));
        assert_eq!(
            (
                zero.instructions.len(),
                one.instructions.len(),
                read(2).instructions.len()
            ),
            (5, 5, 4)
        );
    }

    #[test]
    fn topics_whose_messages_come_in_parts_are_known_before() {
        let instructions = json!([
            { "type": "subscribeToTopic", "topicID": "a", "partial": true },
            { "type": "subscribeToTopic", "topicID": "b" },
            { "type": "addPartialMessage", "topicID": "c", "groupID": 7, "parts": 255 },
            { "type": "publishPartial", "topicID": "a", "groupID": 7 },
            { "type": "publishPartial", "topicID": "c", "groupID": 7, "publishToNodeIDs": [1, 2] },
        ]);
        let topics = script(&instructions).params().unwrap().partial.unwrap().topics;
        let expected = [("a", PartialMode::Request), ("c", PartialMode::Send)];
        let expected = expected.map(|(topic, mode)| (topic.parse().unwrap(), mode));
        assert_eq!(topics, expected.into_iter().collect());
        assert_eq!(script(&json!([])).params().unwrap().partial, None);
    }

    #[test]
    fn numbers_have_the_names_and_units_of_go() {
        let given = json!({
            "D": 1, "Dlo": 1, "Dhi": 2, "Dscore": 1, "Dout": 0, "Dlazy": 0, "HistoryLength": 9, "HistoryGossip": 8,
            "GossipFactor": 0, "GossipRetransmission": 5, "HeartbeatInterval": 7e8, "FanoutTTL": 1e9, "PrunePeers": 3,
            "PruneBackoff": 2_000_000_000, "UnsubscribeBackoff": 3e9, "DirectConnectTicks": 4, "OpportunisticGraftTicks": 5,
            "OpportunisticGraftPeers": 6, "GraftFloodThreshold": 4e9, "MaxIHaveLength": 10, "MaxIHaveMessages": 11,
            "MaxIDontWantMessages": 12, "IWantFollowupTime": 5e9, "IDontWantMessageThreshold": 13, "IDontWantMessageTTL": 14,
            "Connectors": 8, "SlowHeartbeatWarning": 0.1,
        });
        let params = script(&json!([{ "type": "initGossipSub", "gossipSubParams": given }]))
            .params()
            .unwrap();
        let mesh = params.mesh;
        assert_eq!(
            [mesh.target, mesh.low, mesh.high, mesh.score, mesh.outbound],
            [1, 1, 2, 1, 0]
        );
        assert_eq!(
            [params.lazy, params.history_length, params.history_gossip],
            [0, 9, 8]
        );
        assert_eq!(
            (params.gossip_factor.to_bits(), params.gossip_retransmission),
            (0, 5)
        );
        assert_eq!([params.prune_peers, params.opportunistic_graft_peers], [3, 6]);
        assert_eq!([params.explicit_ticks, params.opportunistic_graft_ticks], [4, 5]);
        assert_eq!([params.max_ihave_length, params.max_ihave_messages], [10, 11]);
        assert_eq!([params.max_idontwant, params.idontwant_threshold], [12, 13]);
        assert_eq!(params.idontwant_ttl, 14);
        let times = [
            params.heartbeat,
            params.fanout_ttl,
            params.prune_backoff,
            params.unsubscribe_backoff,
            params.graft_flood,
            params.iwant_followup,
        ];
        assert_eq!(
            times.map(|time| time.as_millis()),
            [700, 1000, 2000, 3000, 4000, 5000]
        );
        let negative = script(&json!([{ "type": "initGossipSub", "gossipSubParams": { "FanoutTTL": -1 } }]));
        assert!(negative.params().is_err());
    }
}
