//! A swarm with gossipsub in a task of its own, and what it is asked.

use crate::stack;
use futures::{SinkExt, StreamExt, channel::mpsc};
use libp2p::{
    Multiaddr, Swarm,
    gossipsub::{
        Behaviour, Config as Gossip, ConfigBuilder, Event, IdentTopic, MessageAuthenticity, MessageId,
        ValidationMode,
    },
    identity::Keypair,
    swarm::{Config, ConnectionId, SwarmEvent, dial_opts::DialOpts},
};
use sha2::{Digest, Sha256};
use sinew_bench_cases::{BenchError, Inbox, PubsubNode, TOPIC};
use std::{collections::HashMap, net::Ipv4Addr};
use tokio::{sync::oneshot, task::JoinSet};

/// Questions that may wait for the swarm.
const WAITING: usize = 16;

type Answer = oneshot::Sender<Result<(), BenchError>>;

/// What the swarm is asked.
enum Question {
    Dial(Multiaddr, Answer),
    Publish(Vec<u8>, Answer),
}

/// A swarm.
pub struct PubsubSwarm {
    addr: String,
    questions: mpsc::Sender<Question>,
    _task: JoinSet<()>,
}

impl PubsubNode for PubsubSwarm {
    const LIBRARY: (&'static str, &'static str) = crate::node::LIBRARY;

    async fn start(stack: &str, signed: bool, inbox: Inbox) -> Result<Self, BenchError> {
        let mut swarm = swarm(stack, signed)?;
        let addr = stack::listen_addr(stack, Ipv4Addr::LOCALHOST)
            .parse()
            .map_err(BenchError::library("the address"))?;
        swarm.listen_on(addr).map_err(BenchError::library("listening"))?;
        let addr = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break format!("{address}/p2p/{}", swarm.local_peer_id());
            }
        };
        let (questions, asked) = mpsc::channel(WAITING);
        let task = Task {
            swarm,
            inbox,
            dialling: HashMap::new(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(task.run(asked));
        Ok(Self {
            addr,
            questions,
            _task: tasks,
        })
    }

    fn addr(&self) -> String {
        self.addr.clone()
    }

    async fn dial(&self, addr: &str) -> Result<(), BenchError> {
        let addr = addr.parse().map_err(BenchError::library("the address"))?;
        self.ask(|answer| Question::Dial(addr, answer)).await
    }

    async fn publish(&self, data: bytes::Bytes) -> Result<(), BenchError> {
        self.ask(|answer| Question::Publish(data.into(), answer)).await
    }
}

impl PubsubSwarm {
    async fn ask(&self, question: impl FnOnce(Answer) -> Question) -> Result<(), BenchError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.questions.clone().send(question(answer)).await;
        sent.map_err(BenchError::library("the swarm"))?;
        answered.await.map_err(BenchError::library("the swarm"))?
    }
}

fn swarm(stack: &str, signed: bool) -> Result<Swarm<Behaviour>, BenchError> {
    let key = Keypair::generate_ed25519();
    let transport = stack::build(stack, &key)?;
    let peer = key.public().to_peer_id();
    let author = if signed {
        MessageAuthenticity::Signed(key)
    } else {
        MessageAuthenticity::Anonymous
    };
    let mut behaviour = Behaviour::new(author, gossip(signed)?).map_err(BenchError::library("gossipsub"))?;
    behaviour
        .subscribe(&IdentTopic::new(TOPIC))
        .map_err(BenchError::library("a topic"))?;
    let config = Config::with_tokio_executor().with_idle_connection_timeout(crate::node::IDLE);
    Ok(Swarm::new(transport, behaviour, peer, config))
}

/// The library's defaults: the numbers of the specification, and our own messages to all peers.
fn gossip(signed: bool) -> Result<Gossip, BenchError> {
    let mut config = ConfigBuilder::default();
    if !signed {
        config.validation_mode(ValidationMode::Anonymous);
        config.message_id_fn(|message| MessageId::new(&Sha256::digest(&message.data)));
    }
    config.build().map_err(BenchError::library("the numbers"))
}

struct Task {
    swarm: Swarm<Behaviour>,
    inbox: Inbox,
    dialling: HashMap<ConnectionId, Answer>,
}

impl Task {
    async fn run(mut self, mut asked: mpsc::Receiver<Question>) {
        loop {
            futures::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                question = asked.select_next_some() => self.on_question(question),
            }
        }
    }

    fn on_question(&mut self, question: Question) {
        match question {
            Question::Dial(addr, answer) => {
                let dial = DialOpts::from(addr);
                let id = dial.connection_id();
                match self.swarm.dial(dial) {
                    Ok(()) => drop(self.dialling.insert(id, answer)),
                    // Who asked may have gone, here and below.
                    Err(error) => drop(answer.send(Err(BenchError::library("dialling")(error)))),
                }
            }
            Question::Publish(data, answer) => {
                let published = self.swarm.behaviour_mut().publish(IdentTopic::new(TOPIC), data);
                let published = published.map(drop).map_err(BenchError::library("publishing"));
                let _ = answer.send(published);
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<Event>) {
        match event {
            SwarmEvent::Behaviour(Event::Message { message, .. }) => self.inbox.take(&message.data),
            SwarmEvent::ConnectionEstablished {
                connection_id: id, ..
            } => {
                if let Some(answer) = self.dialling.remove(&id) {
                    let _ = answer.send(Ok(()));
                }
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id: id,
                error,
                ..
            } => {
                if let Some(answer) = self.dialling.remove(&id) {
                    let _ = answer.send(Err(BenchError::library("dialling")(error)));
                }
            }
            _ => {}
        }
    }
}
