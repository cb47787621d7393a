//! Publish and subscribe: what the commands about topics do, with gossipsub or with floodsub.

use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};
use sinew::{
    Direction, Host, HostBuilder, PeerId, StreamEvent,
    floodsub::{self, Event, Floodsub, Received, SignaturePolicy, Subscription, Topic},
    gossipsub::{self, Gossipsub, Params, PartialMode, PartialParams, ReceivedPartial},
};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use crate::{
    control::{Action, Outcome},
    data::{self, Digested},
    journal::Journal,
    parts::{Groups, Parts},
};

/// Between two looks for something that there is no event for.
const POLL: Duration = Duration::from_millis(20);

/// How the node publishes and subscribes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Choice {
    /// The protocol; without one the node has none.
    #[arg(long, value_enum)]
    pubsub: Option<Protocol>,
    /// Messages have neither author nor signature.
    #[arg(long)]
    anonymous: bool,
    /// The topic whose messages come in parts.
    #[arg(long, value_name = "TOPIC")]
    partial: Option<Topic>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    Gossipsub,
    Floodsub,
}

/// What a node can be told by its peers beside messages.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// The id of a message that a peer does not want.
    Idontwant,
    /// The message of the test extension.
    TestExtension,
}

/// Whichever protocol the node has.
#[derive(Clone)]
pub(crate) enum Router {
    /// With what there is of the messages that come in parts.
    Gossipsub(Gossipsub, Arc<Groups>),
    Floodsub(Floodsub),
}

/// The topics of a node; clones are the same.
#[derive(Clone)]
pub(crate) struct Pubsub {
    router: Router,
    journal: Arc<Journal>,
    tasks: Arc<Mutex<Tasks>>,
}

/// What goes on in the background.
#[derive(Default)]
struct Tasks {
    all: JoinSet<()>,
    subscriptions: BTreeMap<Topic, AbortHandle>,
}

impl Choice {
    /// Adds what the arguments name to a node. What comes in parts is noted in the journal.
    pub(crate) fn add(
        &self,
        builder: &mut HostBuilder,
        journal: &Arc<Journal>,
    ) -> Result<Option<Router>, gossipsub::ParamsError> {
        let policy = match self.anonymous {
            true => SignaturePolicy::StrictNoSign,
            false => SignaturePolicy::StrictSign,
        };
        Ok(match self.pubsub {
            None => None,
            Some(Protocol::Floodsub) => {
                let config = floodsub::Config::default().policy(policy);
                Some(Router::Floodsub(builder.add(config)))
            }
            Some(Protocol::Gossipsub) => {
                let journal = journal.clone();
                let groups = Groups::new(move |topic, parts| journal.record("parts", there(topic, parts)));
                let groups = Arc::new(groups);
                let taking = groups.clone();
                let config = gossipsub::Config::default()
                    .policy(policy)
                    .partial_handler(move |received: Arc<ReceivedPartial>| ready(taking.take(&received)))
                    .params(self.params())?;
                Some(Router::Gossipsub(builder.add(config), groups))
            }
        })
    }

    fn params(&self) -> Params {
        let mut params = Params::default();
        params.test_extension = true;
        params.partial = self.partial.clone().map(|topic| {
            let mut partial = PartialParams::default();
            partial.topics.insert(topic, PartialMode::Request);
            partial
        });
        params
    }
}

impl Router {
    fn subscribe(&self, topic: &Topic) -> Result<Subscription, floodsub::SubscribeError> {
        match self {
            Self::Gossipsub(gossipsub, _) => gossipsub.subscribe(topic),
            Self::Floodsub(floodsub) => floodsub.subscribe(topic),
        }
    }

    async fn publish(&self, topic: &Topic, data: Vec<u8>) -> Result<usize, floodsub::PublishError> {
        let published = match self {
            Self::Gossipsub(gossipsub, _) => gossipsub.publish(topic, data).await?,
            Self::Floodsub(floodsub) => floodsub.publish(topic, data).await?,
        };
        Ok(published.peers)
    }

    /// Adds parts of a message, and tells peers which there are.
    async fn publish_parts(&self, topic: Topic, group: u64, parts: u8) -> Outcome {
        let Self::Gossipsub(gossipsub, groups) = self else {
            return Err("floodsub has whole messages alone".into());
        };
        groups.publish(gossipsub, (topic, group), parts, &[]).await?;
        Ok(json!({}))
    }

    async fn peers(&self, topic: &Topic) -> Vec<PeerId> {
        match self {
            Self::Gossipsub(gossipsub, _) => gossipsub.peers(topic).await,
            Self::Floodsub(floodsub) => floodsub.peers(topic).await,
        }
    }

    /// Floodsub has no mesh.
    async fn mesh(&self, topic: &Topic) -> Vec<PeerId> {
        match self {
            Self::Gossipsub(gossipsub, _) => gossipsub.mesh(topic).await,
            Self::Floodsub(_) => Vec::new(),
        }
    }

    /// Floodsub hears messages and topics alone.
    async fn heard(&self, word: Word) -> u64 {
        let Self::Gossipsub(gossipsub, _) = self else {
            return 0;
        };
        let counts = gossipsub.counts().await.unwrap_or_default();
        match word {
            Word::Idontwant => counts.idontwants,
            Word::TestExtension => counts.test_extensions,
        }
    }
}

impl Pubsub {
    /// The topics of a node that runs; the protocols of its streams come into the journal.
    pub(crate) fn new(router: Router, host: &Host, journal: Arc<Journal>) -> Self {
        let mut streams = host.subscribe::<StreamEvent>();
        let protocols = journal.clone();
        let mut tasks = Tasks::default();
        tasks.all.spawn(async move {
            while let Ok(Some(event)) = streams.next().await {
                note(&event, &protocols);
            }
        });
        Self {
            router,
            journal,
            tasks: Arc::new(Mutex::new(tasks)),
        }
    }

    /// Does what a command about topics asks for.
    pub(crate) async fn act(&self, action: Action) -> Outcome {
        match action {
            Action::Subscribe { topic } => self.subscribe(topic),
            Action::Unsubscribe { topic } => self.unsubscribe(&topic),
            Action::Publish { topic, bytes, seed } => self.publish(topic, bytes, seed).await,
            Action::PublishParts { topic, group, parts } => {
                self.router.publish_parts(topic, group, parts).await
            }
            Action::Peers { topic, count } => self.peers(topic, count).await,
            Action::Mesh { topic, count } => self.mesh(topic, count).await,
            Action::Protocol { peer } => self.protocol(peer).await,
            Action::Heard { word, count } => self.heard(word, count).await,
            other => Err(format!("{other:?} is not about topics").into()),
        }
    }

    /// Follows a topic, and puts its messages into the journal.
    fn subscribe(&self, topic: Topic) -> Outcome {
        let mut subscription = self.router.subscribe(&topic)?;
        let journal = self.journal.clone();
        let mut tasks = self.tasks();
        let task = tasks.all.spawn(async move {
            while let Ok(Some(event)) = subscription.next().await {
                if let Event::Message(received) = event {
                    journal.record("message", message(&received));
                }
            }
        });
        let before = tasks.subscriptions.insert(topic, task);
        before.inspect(AbortHandle::abort);
        Ok(json!({}))
    }

    /// Follows a topic no more.
    fn unsubscribe(&self, topic: &Topic) -> Outcome {
        let before = self.tasks().subscriptions.remove(topic);
        before.inspect(AbortHandle::abort);
        Ok(json!({}))
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes so many bytes of the pattern.
    async fn publish(&self, topic: Topic, bytes: usize, seed: u8) -> Outcome {
        let mut data = vec![0; bytes];
        data::fill(seed, 0, &mut data);
        let sha256 = sha256(&data);
        let peers = self.router.publish(&topic, data).await?;
        Ok(json!({ "sha256": sha256, "peers": peers }))
    }

    /// Waits until exactly so many peers follow a topic.
    async fn peers(&self, topic: Topic, count: usize) -> Outcome {
        let peers = until(|| self.router.peers(&topic), |peers| peers.len() == count).await;
        Ok(json!({ "peers": texts(&peers) }))
    }

    /// Waits until at least so many peers are in the mesh of a topic.
    async fn mesh(&self, topic: Topic, count: usize) -> Outcome {
        let peers = until(|| self.router.mesh(&topic), |peers| peers.len() >= count).await;
        Ok(json!({ "peers": texts(&peers) }))
    }

    /// Waits until a stream to a peer is open, and tells its protocol.
    async fn protocol(&self, peer: PeerId) -> Outcome {
        let peer = Value::from(peer.to_string());
        let streams = self.journal.wait("stream", 1, |stream| stream["peer"] == peer);
        Ok(streams.await.swap_remove(0))
    }

    /// Waits until peers have said something so often.
    async fn heard(&self, word: Word, count: u64) -> Outcome {
        let heard = until(|| self.router.heard(word), |heard| *heard >= count).await;
        Ok(json!({ "count": heard }))
    }
}

/// Asks again and again until the answer is good.
async fn until<T, F: Future<Output = T>>(ask: impl Fn() -> F, is_good: impl Fn(&T) -> bool) -> T {
    loop {
        let answer = ask().await;
        if is_good(&answer) {
            return answer;
        }
        sleep(POLL).await;
    }
}

fn note(event: &StreamEvent, journal: &Journal) {
    let StreamEvent::Opened {
        connection,
        direction: Direction::Outbound,
        protocol,
        ..
    } = event
    else {
        return;
    };
    if gossipsub::PROTOCOLS.contains(protocol) {
        let event = json!({ "peer": connection.peer.to_string(), "protocol": protocol.to_string() });
        journal.record("stream", event);
    }
}

fn message(received: &Received) -> Value {
    let message = &received.message;
    let author = message.from().and_then(|bytes| PeerId::from_bytes(bytes).ok());
    json!({
        "topic": message.topic(),
        "author": author.map(|author| author.to_string()),
        "signed": message.signature().is_some(),
        "bytes": message.data().len(),
        "sha256": sha256(message.data()),
    })
}

fn there(topic: &Topic, parts: &Parts) -> Value {
    json!({
        "topic": topic.as_str(),
        "group": parts.group,
        "parts": parts.bits(),
        "sha256": sha256(&parts.bytes()),
    })
}

fn sha256(data: &[u8]) -> String {
    let mut digested = Digested::new();
    digested.update(data);
    digested.hex()
}

fn texts(peers: &[PeerId]) -> Vec<String> {
    peers.iter().map(ToString::to_string).collect()
}
