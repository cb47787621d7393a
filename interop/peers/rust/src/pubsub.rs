//! Publish and subscribe: what the commands about topics do, with gossipsub or with floodsub.

use std::{collections::HashSet, error::Error, sync::Arc, time::Duration};

use libp2p::{
    PeerId, floodsub,
    gossipsub::{self, IdentTopic, MessageAuthenticity, MessageId, TopicHash, ValidationMode},
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::{Value, json};

use crate::{
    args::Args,
    control::{Action, answer},
    data::{self, Digested},
    journal::Journal,
    parts::Groups,
};

/// As large as the other libraries take.
const MAX_RPC: usize = 1 << 20;

/// By default the first heartbeat comes after 5 s.
const FIRST_HEARTBEAT: Duration = Duration::from_millis(100);

/// How the metrics call what we are asked for.
const IDONTWANT: &str = "idontwant_msgs_ids_total ";

/// One of them, or neither.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    gossipsub: Toggle<gossipsub::Behaviour>,
    floodsub: Toggle<floodsub::Behaviour>,
}

/// What is waited for, and what the behaviours do not keep for us.
pub struct Pubsub {
    journal: Arc<Journal>,
    metrics: Registry,
    /// Who follows which topic of floodsub.
    followers: HashSet<(PeerId, String)>,
    /// What there is of the messages that come in parts.
    groups: Groups,
    waiting: Vec<(u64, Action)>,
}

/// What the arguments ask for.
pub fn build(args: &Args, journal: Arc<Journal>) -> Result<(Behaviour, Pubsub), Box<dyn Error>> {
    let mut pubsub = Pubsub {
        groups: Groups::new(journal.clone()),
        journal,
        metrics: Registry::default(),
        followers: HashSet::new(),
        waiting: Vec::new(),
    };
    let (mut gossipsub, mut floodsub) = (None, None);
    match args.pubsub.as_deref() {
        None => {}
        Some("gossipsub") => gossipsub = Some(build_gossipsub(args, &mut pubsub.metrics)?),
        Some("floodsub") if !args.anonymous => {
            floodsub = Some(floodsub::Behaviour::new(args.key.public().to_peer_id()));
        }
        Some(other) => {
            return Err(format!("unknown pub/sub protocol {other}, or it cannot be anonymous").into());
        }
    }
    let behaviour = Behaviour {
        gossipsub: gossipsub.into(),
        floodsub: floodsub.into(),
    };
    Ok((behaviour, pubsub))
}

fn build_gossipsub(args: &Args, metrics: &mut Registry) -> Result<gossipsub::Behaviour, Box<dyn Error>> {
    let (author, mode) = match args.anonymous {
        true => (MessageAuthenticity::Anonymous, ValidationMode::Anonymous),
        false => (
            MessageAuthenticity::Signed(args.key.clone()),
            ValidationMode::Strict,
        ),
    };
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(mode)
        .message_id_fn(message_id)
        .max_transmit_size(MAX_RPC)
        .heartbeat_initial_delay(FIRST_HEARTBEAT)
        .support_floodsub()
        .build()?;
    let mut gossipsub = gossipsub::Behaviour::new(author, config)?.with_metrics(metrics, Default::default());
    if let Some(topic) = &args.partial {
        gossipsub.enable_partials_for_topic(IdentTopic::new(topic).hash(), true);
    }
    Ok(gossipsub)
}

/// As the specification has it, and as the other libraries do where there is no author: rust-libp2p has another by default,
/// which no other library knows.
fn message_id(message: &gossipsub::Message) -> MessageId {
    match (message.source, message.sequence_number) {
        (Some(source), Some(number)) => [&source.to_bytes()[..], &number.to_be_bytes()].concat().into(),
        _ => data::sha256(&message.data).into(),
    }
}

impl Behaviour {
    /// Floodsub speaks only with whom it is told to speak with.
    pub fn on_connected(&mut self, peer: PeerId) {
        if let Some(floodsub) = self.floodsub.as_mut() {
            floodsub.add_node_to_partial_view(peer);
        }
    }

    fn subscribe(&mut self, topic: &str) -> Result<Value, String> {
        if let Some(gossipsub) = self.gossipsub.as_mut() {
            gossipsub
                .subscribe(&IdentTopic::new(topic))
                .map_err(|e| e.to_string())?;
        }
        if let Some(floodsub) = self.floodsub.as_mut() {
            floodsub.subscribe(floodsub::Topic::new(topic));
        }
        Ok(json!({}))
    }

    fn unsubscribe(&mut self, topic: &str) -> Result<Value, String> {
        if let Some(gossipsub) = self.gossipsub.as_mut() {
            gossipsub.unsubscribe(&IdentTopic::new(topic));
        }
        if let Some(floodsub) = self.floodsub.as_mut() {
            floodsub.unsubscribe(floodsub::Topic::new(topic));
        }
        Ok(json!({}))
    }

    fn publish(&mut self, topic: &str, bytes: usize, seed: u8) -> Result<Value, String> {
        let mut data = vec![0; bytes];
        data::fill(seed, 0, &mut data);
        let sha256 = hex(&data);
        if let Some(gossipsub) = self.gossipsub.as_mut() {
            gossipsub
                .publish(IdentTopic::new(topic), data)
                .map_err(|e| e.to_string())?;
        } else if let Some(floodsub) = self.floodsub.as_mut() {
            floodsub.publish(floodsub::Topic::new(topic), data);
        }
        Ok(json!({ "sha256": sha256 }))
    }

    fn mesh(&self, topic: &str) -> Vec<PeerId> {
        let topic = IdentTopic::new(topic).hash();
        let gossipsub = self.gossipsub.as_ref().into_iter();
        gossipsub
            .flat_map(|gossipsub| gossipsub.mesh_peers(&topic))
            .copied()
            .collect()
    }

    /// What is spoken with a peer.
    fn protocol(&self, peer: &PeerId) -> Option<&'static str> {
        let Some(gossipsub) = self.gossipsub.as_ref() else {
            return Some("/floodsub/1.0.0");
        };
        let (_, kind) = gossipsub.peer_protocol().find(|(id, _)| *id == peer)?;
        // The type has no public name.
        Some(match kind.as_ref() {
            "Gossipsub v1.3" => "/meshsub/1.3.0",
            "Gossipsub v1.2" => "/meshsub/1.2.0",
            "Gossipsub v1.1" => "/meshsub/1.1.0",
            "Gossipsub v1.0" => "/meshsub/1.0.0",
            "Floodsub" => "/floodsub/1.0.0",
            _ => "none",
        })
    }
}

impl Pubsub {
    /// Whether something is waited for, which has to be looked for: there are no events of it.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Does what a command asks for, or has it wait.
    pub fn act(&mut self, behaviour: &mut Behaviour, id: u64, action: Action) {
        match &action {
            Action::Subscribe { topic } => answer(id, behaviour.subscribe(topic)),
            Action::Unsubscribe { topic } => answer(id, behaviour.unsubscribe(topic)),
            Action::Publish { topic, bytes, seed } => answer(id, behaviour.publish(topic, *bytes, *seed)),
            Action::PublishParts { topic, group, parts } => {
                answer(id, self.publish_parts(behaviour, topic, *group, *parts));
            }
            _ => self.waiting.push((id, action)),
        }
    }

    /// Adds parts of a message, and tells peers which there are.
    fn publish_parts(
        &mut self,
        behaviour: &mut Behaviour,
        topic: &str,
        group: u64,
        parts: u8,
    ) -> Result<Value, String> {
        let gossipsub = behaviour.gossipsub.as_mut();
        let gossipsub = gossipsub.ok_or("floodsub has whole messages alone")?;
        let parts = self.groups.add(topic, group, parts);
        let published = gossipsub.publish_partial(IdentTopic::new(topic), parts.clone());
        published.map_err(|e| e.to_string())?;
        Ok(json!({}))
    }

    /// Takes in what a peer says of a message that comes in parts, and tells peers what there is of it now.
    fn on_partial(
        &mut self,
        gossipsub: &mut gossipsub::Behaviour,
        peer: PeerId,
        topic: TopicHash,
        group: &[u8],
        message: Option<&[u8]>,
    ) {
        match self.groups.take(topic.as_str(), group, message) {
            // Nobody there is to be told: no failure of ours.
            Ok(parts) => drop(gossipsub.publish_partial(topic, parts.clone())),
            Err(_) => gossipsub.report_invalid_partial(peer, &topic),
        }
    }

    /// Answers what has come about.
    pub fn look(&mut self, behaviour: &Behaviour) {
        for (id, action) in std::mem::take(&mut self.waiting) {
            match self.found(behaviour, &action) {
                Some(found) => answer(id, Ok(found)),
                None => self.waiting.push((id, action)),
            }
        }
    }

    fn found(&self, behaviour: &Behaviour, action: &Action) -> Option<Value> {
        match action {
            Action::Peers { topic, count } => {
                let peers = self.peers(behaviour, topic);
                (peers.len() == *count).then(|| json!({ "peers": texts(&peers) }))
            }
            Action::Mesh { topic, count } => {
                let peers = behaviour.mesh(topic);
                (peers.len() >= *count).then(|| json!({ "peers": texts(&peers) }))
            }
            Action::Protocol { peer } => {
                let protocol = behaviour.protocol(peer)?;
                Some(json!({ "protocol": protocol }))
            }
            Action::Heard { word, count } => {
                let found = self.heard(word);
                (found >= *count).then(|| json!({ "count": found }))
            }
            _ => None,
        }
    }

    fn peers(&self, behaviour: &Behaviour, topic: &str) -> Vec<PeerId> {
        let Some(gossipsub) = behaviour.gossipsub.as_ref() else {
            let followers = self.followers.iter().filter(|(_, followed)| followed == topic);
            return followers.map(|(peer, _)| *peer).collect();
        };
        let hash = IdentTopic::new(topic).hash();
        let followers = gossipsub
            .all_peers()
            .filter(|(_, topics)| topics.contains(&&hash));
        followers.map(|(peer, _)| *peer).collect()
    }

    /// The library counts this one word alone, in its metrics.
    fn heard(&self, word: &str) -> u64 {
        let mut text = String::new();
        if word != "idontwant" || encode(&mut text, &self.metrics).is_err() {
            return 0;
        }
        let count = text.lines().find_map(|line| line.strip_prefix(IDONTWANT));
        count.and_then(|count| count.parse().ok()).unwrap_or_default()
    }

    /// Notes what happened.
    pub fn on_event(&mut self, behaviour: &mut Behaviour, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossipsub(gossipsub::Event::Partial {
                topic_hash,
                peer_id,
                group_id,
                message,
                ..
            }) => {
                if let Some(gossipsub) = behaviour.gossipsub.as_mut() {
                    self.on_partial(gossipsub, peer_id, topic_hash, &group_id, message.as_deref());
                }
            }
            BehaviourEvent::Gossipsub(gossipsub::Event::Message { message, .. }) => {
                let author = message.source.map(|author| author.to_string());
                self.message(message.topic.as_str(), author, &message.data);
            }
            BehaviourEvent::Floodsub(floodsub::Event::Message(message)) => {
                let topic = message.topics.first().map_or("", floodsub::Topic::id);
                self.message(topic, Some(message.source.to_string()), &message.data);
            }
            BehaviourEvent::Floodsub(floodsub::Event::Subscribed { peer_id, topic }) => {
                self.followers.insert((peer_id, topic.id().to_owned()));
            }
            BehaviourEvent::Floodsub(floodsub::Event::Unsubscribed { peer_id, topic }) => {
                self.followers.remove(&(peer_id, topic.id().to_owned()));
            }
            _ => {}
        }
    }

    /// Whether there was a signature is not told.
    fn message(&self, topic: &str, author: Option<String>, data: &[u8]) {
        let event = json!({ "topic": topic, "author": author, "bytes": data.len(), "sha256": hex(data) });
        self.journal.record("message", event);
    }
}

pub fn hex(data: &[u8]) -> String {
    let mut digested = Digested::default();
    digested.update(data);
    digested.hex()
}

fn texts(peers: &[PeerId]) -> Vec<String> {
    peers.iter().map(ToString::to_string).collect()
}
