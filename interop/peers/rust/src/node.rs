//! The swarm, and the commands that wait for something it reports.

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder,
    core::transport::ListenerId,
    identify, ping,
    swarm::{ConnectionId, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::JoinSet,
};

use crate::{
    args::Args,
    control::{Action, Request, answer, ready},
    echo,
    journal::Journal,
    pubsub::{self, Pubsub},
    stack,
};

/// Between two pings: the library pings on its own schedule, and the ping command waits for the next ones.
const PING_INTERVAL: Duration = Duration::from_millis(50);

/// Between two looks for something that there is no event for.
const LOOK: Duration = Duration::from_millis(20);

/// Nothing is closed for idleness while a test runs.
const IDLE: Duration = Duration::from_secs(600);

#[derive(NetworkBehaviour)]
struct Behaviour {
    echo: echo::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pubsub: pubsub::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// A command whose answer the swarm will bring.
enum Waiting {
    Listen(ListenerId),
    Dial(ConnectionId),
    Ping {
        peer: PeerId,
        count: usize,
        micros: Vec<u128>,
    },
    Identify(PeerId, Option<Multiaddr>),
}

struct Node {
    swarm: Swarm<Behaviour>,
    journal: Arc<Journal>,
    identified: HashMap<PeerId, identify::Info>,
    pubsub: Pubsub,
    waiting: Vec<(u64, Waiting)>,
    tasks: JoinSet<()>,
}

/// Runs until stdin ends.
pub async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let journal = Arc::new(Journal::default());
    let (swarm, pubsub) = build(args, journal.clone())?;
    let mut node = Node {
        swarm,
        journal,
        identified: HashMap::new(),
        pubsub,
        waiting: Vec::new(),
        tasks: JoinSet::new(),
    };
    ready(*node.swarm.local_peer_id());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => node.start(serde_json::from_str(&line)?),
                None => return Ok(()),
            },
            event = node.swarm.select_next_some() => node.on_event(event),
            Some(_) = node.tasks.join_next() => {}
            _ = looks.tick(), if node.pubsub.is_waiting() => {
                node.pubsub.look(&node.swarm.behaviour().pubsub);
            }
        }
    }
}

fn build(args: &Args, journal: Arc<Journal>) -> Result<(Swarm<Behaviour>, Pubsub), Box<dyn Error>> {
    let (behaviour, pubsub) = pubsub::build(args, journal.clone())?;
    let identify = identify::Config::new("/sinew/interop/1.0.0".to_owned(), args.key.public())
        .with_push_listen_addr_updates(true);
    let transport = stack::build(args)?;
    let swarm = SwarmBuilder::with_existing_identity(args.key.clone())
        .with_tokio()
        .with_other_transport(|_| transport)?
        .with_behaviour(|_| Behaviour {
            echo: echo::Behaviour::new(journal),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            pubsub: behaviour,
            streams: libp2p_stream::Behaviour::new(),
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build();
    Ok((swarm, pubsub))
}

impl Node {
    fn start(&mut self, Request { id, action }: Request) {
        match action {
            Action::Listen { addr } => {
                let listening = self.swarm.listen_on(addr).map_err(|e| e.to_string());
                self.wait(id, listening.map(Waiting::Listen));
            }
            Action::Dial { addr } => {
                let dial = DialOpts::from(addr);
                let connection = dial.connection_id();
                let dialled = self.swarm.dial(dial).map_err(|e| chain(&e));
                self.wait(id, dialled.map(|()| Waiting::Dial(connection)));
            }
            Action::Ping { peer, count } => {
                self.wait(
                    id,
                    Ok(Waiting::Ping {
                        peer,
                        count,
                        micros: Vec::new(),
                    }),
                );
            }
            Action::Identify { peer, addr } => {
                match self
                    .identified
                    .get(&peer)
                    .filter(|info| listens_on(info, addr.as_ref()))
                {
                    Some(info) => answer(id, Ok(identified(info))),
                    None => self.wait(id, Ok(Waiting::Identify(peer, addr))),
                }
            }
            Action::Subscribe { .. }
            | Action::Unsubscribe { .. }
            | Action::Publish { .. }
            | Action::PublishParts { .. }
            | Action::Peers { .. }
            | Action::Mesh { .. }
            | Action::Protocol { .. }
            | Action::Heard { .. } => {
                let behaviour = &mut self.swarm.behaviour_mut().pubsub;
                self.pubsub.act(behaviour, id, action);
            }
            action => self.spawn(id, action),
        }
    }

    /// The commands that need streams alone.
    fn spawn(&mut self, id: u64, action: Action) {
        let control = self.swarm.behaviour().streams.new_control();
        let journal = self.journal.clone();
        self.tasks.spawn(async move {
            let outcome = match action {
                Action::Echo { peer, bytes, pause } => {
                    echo::echo(control, peer, bytes, Duration::from_millis(pause)).await
                }
                Action::Streams {
                    peer,
                    count,
                    at_once,
                    bytes,
                } => echo::streams(control, peer, count, at_once, bytes).await,
                Action::Crowd { peer, count } => Ok(echo::crowd(control, peer, count).await),
                Action::Reset { peer, bytes } => echo::reset(control, peer, bytes).await,
                Action::Events { kind, count } => Ok(journal.wait(&kind, count).await),
                other => Err(format!("{other:?} needs the swarm")),
            };
            answer(id, outcome);
        });
    }

    fn wait(&mut self, id: u64, waiting: Result<Waiting, String>) {
        match waiting {
            Ok(waiting) => self.waiting.push((id, waiting)),
            Err(error) => answer(id, Err(error)),
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { listener_id, address } => self.on_listening(listener_id, address),
            SwarmEvent::ConnectionEstablished {
                connection_id,
                peer_id,
                ..
            } => {
                self.journal
                    .record("connected", json!({ "peer": peer_id.to_string() }));
                self.swarm.behaviour_mut().pubsub.on_connected(peer_id);
                self.on_dialled(connection_id, Ok(json!({ "peer": peer_id.to_string() })));
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id, error, ..
            } => {
                self.on_dialled(connection_id, Err(chain(&error)));
            }
            SwarmEvent::ConnectionClosed { peer_id, cause, .. } => {
                let cause = cause.map(|e| chain(&e));
                self.journal.record(
                    "disconnected",
                    json!({ "peer": peer_id.to_string(), "cause": cause }),
                );
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.on_ping(event),
            SwarmEvent::Behaviour(BehaviourEvent::Pubsub(event)) => {
                let behaviour = &mut self.swarm.behaviour_mut().pubsub;
                self.pubsub.on_event(behaviour, event);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                let is_met = |w: &Waiting| match w {
                    Waiting::Identify(peer, addr) => *peer == peer_id && listens_on(&info, addr.as_ref()),
                    _ => false,
                };
                self.settle(is_met, || Ok(identified(&info)));
                self.identified.insert(peer_id, info);
            }
            _ => {}
        }
    }

    fn on_listening(&mut self, listener: ListenerId, address: Multiaddr) {
        let address = address.with_p2p(*self.swarm.local_peer_id());
        let answer = match address {
            Ok(address) => Ok(json!({ "addrs": [address.to_string()] })),
            Err(address) => Err(format!("{address} names another peer")),
        };
        self.settle(
            |w| matches!(w, Waiting::Listen(id) if *id == listener),
            || answer.clone(),
        );
    }

    fn on_dialled(&mut self, connection: ConnectionId, outcome: Result<Value, String>) {
        self.settle(
            |w| matches!(w, Waiting::Dial(id) if *id == connection),
            || outcome.clone(),
        );
    }

    fn on_ping(&mut self, event: ping::Event) {
        let mut done = Vec::new();
        for (id, waiting) in &mut self.waiting {
            let Waiting::Ping { peer, count, micros } = waiting else {
                continue;
            };
            if *peer != event.peer {
                continue;
            }
            match &event.result {
                Ok(rtt) => micros.push(rtt.as_micros()),
                Err(error) => done.push((*id, Err(chain(error)))),
            }
            if micros.len() == *count {
                done.push((*id, Ok(json!({ "micros": micros }))));
            }
        }
        for (id, outcome) in done {
            self.waiting.retain(|(waiting, _)| *waiting != id);
            answer(id, outcome);
        }
    }

    /// Answers what waited for this, and forgets it.
    fn settle(&mut self, is_met: impl Fn(&Waiting) -> bool, outcome: impl Fn() -> Result<Value, String>) {
        for (id, _) in self.waiting.extract_if(.., |(_, waiting)| is_met(waiting)) {
            answer(id, outcome());
        }
    }
}

fn listens_on(info: &identify::Info, addr: Option<&Multiaddr>) -> bool {
    addr.is_none_or(|addr| info.listen_addrs.contains(addr))
}

fn identified(info: &identify::Info) -> Value {
    json!({
        "peer": info.public_key.to_peer_id().to_string(),
        "agent": info.agent_version,
        "protocol_version": info.protocol_version,
        "protocols": info.protocols.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "listen_addrs": info.listen_addrs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "observed_addr": info.observed_addr.to_string(),
        "key_type": info.public_key.key_type().to_string().to_lowercase(),
        "signed_record": info.signed_peer_record.is_some(),
    })
}

/// An error with its sources.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
