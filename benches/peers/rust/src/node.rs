//! The swarm in a task of its own, and what it is asked.

use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

use futures::{SinkExt, StreamExt, channel::mpsc};
use libp2p::{
    Multiaddr, Swarm,
    identity::Keypair,
    swarm::{Config, ConnectionId, SwarmEvent, dial_opts::DialOpts},
};
use sinew_bench_cases::{BenchError, Connection, Node, Served, Service};
use tokio::{sync::oneshot, task::JoinSet};

use crate::{
    behaviour::Behaviour,
    handler::{BenchStream, Wanted},
    stack,
};

/// The library's name and version.
pub const LIBRARY: (&str, &str) = ("rust-libp2p", "0.57.1");

/// Nothing is closed for idleness while it is measured.
pub const IDLE: Duration = Duration::from_secs(3600);

/// Inbound streams that negotiate at once: by default the library drops what goes beyond 128.
const NEGOTIATING: usize = 4096;

/// Questions that may wait for the swarm.
const WAITING: usize = 16;

/// What the swarm is asked.
enum Question {
    Dial(Multiaddr, oneshot::Sender<Result<SwarmConnection, BenchError>>),
    Close(ConnectionId, oneshot::Sender<()>),
}

/// A swarm.
pub struct SwarmNode {
    questions: mpsc::Sender<Question>,
    _task: JoinSet<()>,
}

impl Node for SwarmNode {
    const LIBRARY: (&'static str, &'static str) = LIBRARY;
    type Connection = SwarmConnection;

    async fn listener(stack: &str, ip: Ipv4Addr) -> Result<Served<Self>, BenchError> {
        let mut swarm = swarm(stack)?;
        let addr = stack::listen_addr(stack, ip)
            .parse()
            .map_err(BenchError::library("the address"))?;
        swarm.listen_on(addr).map_err(BenchError::library("listening"))?;
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                let addr = format!("{address}/p2p/{}", swarm.local_peer_id());
                return Ok(Served {
                    addr,
                    node: Self::start(swarm),
                });
            }
        }
    }

    async fn dialer(stack: &str) -> Result<Self, BenchError> {
        Ok(Self::start(swarm(stack)?))
    }

    async fn dial(&self, addr: &str) -> Result<SwarmConnection, BenchError> {
        let addr = addr.parse().map_err(BenchError::library("the address"))?;
        let (answer, answered) = oneshot::channel();
        let sent = self.questions.clone().send(Question::Dial(addr, answer)).await;
        sent.map_err(BenchError::library("the swarm"))?;
        answered.await.map_err(BenchError::library("the swarm"))?
    }
}

fn swarm(stack: &str) -> Result<Swarm<Behaviour>, BenchError> {
    let key = Keypair::generate_ed25519();
    let transport = stack::build(stack, &key)?;
    let config = Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE)
        .with_max_negotiating_inbound_streams(NEGOTIATING);
    Ok(Swarm::new(
        transport,
        Behaviour::default(),
        key.public().to_peer_id(),
        config,
    ))
}

impl SwarmNode {
    fn start(swarm: Swarm<Behaviour>) -> Self {
        let (questions, asked) = mpsc::channel(WAITING);
        let task = Task {
            swarm,
            questions: questions.clone(),
            dialling: HashMap::new(),
            closing: HashMap::new(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(task.run(asked));
        Self {
            questions,
            _task: tasks,
        }
    }
}

struct Task {
    swarm: Swarm<Behaviour>,
    questions: mpsc::Sender<Question>,
    dialling: HashMap<ConnectionId, oneshot::Sender<Result<SwarmConnection, BenchError>>>,
    closing: HashMap<ConnectionId, oneshot::Sender<()>>,
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
            Question::Close(id, answer) => {
                if self.swarm.close_connection(id) {
                    self.closing.insert(id, answer);
                }
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<std::convert::Infallible>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                connection_id: id, ..
            } => {
                let ask = self.swarm.behaviour_mut().dialled.remove(&id);
                let (Some(ask), Some(answer)) = (ask, self.dialling.remove(&id)) else {
                    return;
                };
                let questions = self.questions.clone();
                let _ = answer.send(Ok(SwarmConnection { id, ask, questions }));
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
            SwarmEvent::ConnectionClosed {
                connection_id: id, ..
            } => {
                if let Some(answer) = self.closing.remove(&id) {
                    let _ = answer.send(());
                }
            }
            _ => {}
        }
    }
}

/// A connection.
pub struct SwarmConnection {
    id: ConnectionId,
    ask: mpsc::Sender<Wanted>,
    questions: mpsc::Sender<Question>,
}

impl Connection for SwarmConnection {
    type Stream = BenchStream;

    async fn open(&self, service: Service) -> Result<BenchStream, BenchError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.ask.clone().send((service, answer)).await;
        sent.map_err(BenchError::library("the connection"))?;
        let opened = answered.await.map_err(BenchError::library("the connection"))?;
        Ok(opened?)
    }

    async fn close(mut self) -> Result<(), BenchError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.questions.send(Question::Close(self.id, answer)).await;
        sent.map_err(BenchError::library("the swarm"))?;
        // Gone without an answer: it had closed before.
        let _ = answered.await;
        Ok(())
    }
}
