//! The node, and the commands that do not need a stream of the suite's own.

use std::{error::Error, sync::Arc, time::Duration};

use serde_json::{Value, json};
use sinew::{
    CloseCode, CloseReason, ConnectionEvent, ConnectionInfo, HandlerOptions, Host, Multiaddr, PeerId, Stream,
    identify::{Extent, Identified, Info, Record},
    ping::Ping,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, Stdin},
    task::JoinSet,
};

use crate::{
    control::{self, Action, Outcome, Request},
    echo,
    journal::Journal,
    pubsub::Pubsub,
    stack,
};

/// How long streams get to end when stdin has ended: nobody waits for them any more.
const GRACE: Duration = Duration::from_millis(100);

/// Above the 200 streams that the suite opens at once.
const MAX_STREAMS: usize = 256;

/// A running node; clones are the same node.
#[derive(Clone)]
pub(crate) struct Node {
    host: Host,
    ping: Ping,
    pubsub: Option<Pubsub>,
    journal: Arc<Journal>,
}

impl Node {
    /// Starts a node on the stack that the arguments name, and serves echo.
    pub(crate) async fn start(args: &stack::Args) -> Result<Self, Box<dyn Error>> {
        let journal = Arc::new(Journal::default());
        let (builder, services) = stack::build(args, &journal)?;
        let host = builder.start().await?;
        let state = journal.clone();
        let options = match args.default_limits {
            true => HandlerOptions::default(),
            false => HandlerOptions::default().max_streams_per_peer(MAX_STREAMS),
        };
        host.set_stream_handler_with(echo::ECHO, options, move |stream: Stream| {
            echo::serve(stream, state.clone())
        })?;
        let pubsub = services
            .pubsub
            .map(|router| Pubsub::new(router, &host, journal.clone()));
        Ok(Self {
            host,
            ping: services.ping,
            pubsub,
            journal,
        })
    }

    /// Does what the lines of stdin ask for until stdin ends.
    pub(crate) async fn run(self) -> Result<(), Box<dyn Error>> {
        let mut connections = self.host.subscribe::<ConnectionEvent>();
        let mut identified = self.host.subscribe::<Identified>();
        let mut tasks = JoinSet::new();
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        control::ready(&self.host.peer_id())?;
        loop {
            tokio::select! {
                request = next(&mut lines) => match request? {
                    Some(Request { id, action }) => {
                        let node = self.clone();
                        tasks.spawn(async move { control::answer(id, node.act(action).await) });
                    }
                    None => break,
                },
                Some(answered) = tasks.join_next() => answered??,
                event = connections.next() => if let Ok(Some(event)) = event { self.note(&event) },
                event = identified.next() => if let Ok(Some(Identified { info, extent, .. })) = event {
                    self.journal.record(kind(extent), identified_json(&info));
                },
            }
        }
        self.host.shutdown(GRACE).await;
        Ok(())
    }

    fn note(&self, event: &ConnectionEvent) {
        match event {
            ConnectionEvent::Opened(connection) => {
                self.journal.record("connected", connected_json(connection));
            }
            ConnectionEvent::Closed(connection, reason) => {
                let event = json!({
                    "peer": connection.peer.to_string(),
                    "cause": reason.to_string(),
                    "code": match reason {
                        CloseReason::Remote(code) => Some(code.0),
                        _ => None,
                    },
                });
                self.journal.record("disconnected", event);
            }
            ConnectionEvent::InboundFailed { error, .. } => {
                self.journal
                    .record("refused", json!({ "error": control::chain(error.as_ref()) }));
            }
            _ => {}
        }
    }

    async fn act(&self, action: Action) -> Outcome {
        match action {
            Action::Listen { addr } => self.listen(addr).await,
            Action::Dial { addr } => {
                let peer = self.host.connect(addr).await?;
                Ok(json!({ "peer": peer.to_string() }))
            }
            Action::Ping { peer, count } => self.ping(peer, count).await,
            Action::Identify { peer, addr } => Ok(self.identified(peer, addr).await),
            Action::Echo { peer, bytes, pause } => {
                echo::echo(&self.host, peer, bytes, Duration::from_millis(pause)).await
            }
            Action::Streams {
                peer,
                count,
                at_once,
                bytes,
            } => echo::streams(&self.host, peer, count, at_once, bytes).await,
            Action::Crowd { peer, count } => Ok(echo::crowd(&self.host, peer, count).await),
            Action::Reset { peer, bytes, code } => {
                echo::reset(&self.host, peer, bytes, CloseCode(code)).await
            }
            Action::Close { peer, code } => self.close(peer, CloseCode(code)).await,
            Action::Events { kind, count } => {
                Ok(json!({ "events": self.journal.wait(&kind, count, |_| true).await }))
            }
            action => match &self.pubsub {
                Some(pubsub) => pubsub.act(action).await,
                None => Err("started without --pubsub".into()),
            },
        }
    }

    /// Closes the connections to `peer`, with a stream open that lives on at the other side until it hears of it.
    async fn close(&self, peer: PeerId, code: CloseCode) -> Outcome {
        let _stream = echo::held(&self.host, peer).await?;
        Ok(json!({ "closed": self.host.disconnect_with(&peer, code) }))
    }

    async fn listen(&self, addr: Multiaddr) -> Outcome {
        let me = self.host.peer_id();
        let addrs = self.host.listen(addr).await?;
        let addrs: Vec<String> = addrs.iter().map(|addr| format!("{addr}/p2p/{me}")).collect();
        Ok(json!({ "addrs": addrs }))
    }

    /// Waits until `peer` has said who it is; with `addr`, until it has pushed that it listens there.
    async fn identified(&self, peer: PeerId, addr: Option<Multiaddr>) -> Value {
        let extent = if addr.is_some() {
            Extent::Changes
        } else {
            Extent::Whole
        };
        let (peer, addr) = (
            Value::from(peer.to_string()),
            addr.map(|addr| Value::from(addr.to_string())),
        );
        let listens = |info: &Value| {
            let addrs = info["listen_addrs"].as_array();
            addr.as_ref()
                .is_none_or(|addr| addrs.is_some_and(|addrs| addrs.contains(addr)))
        };
        let is_meant = |info: &Value| info["peer"] == peer && listens(info);
        let found = self.journal.wait(kind(extent), 1, is_meant).await;
        found.into_iter().next().unwrap_or_default()
    }

    async fn ping(&self, peer: PeerId, count: usize) -> Outcome {
        let mut pings = self.ping.pings(peer, Duration::ZERO);
        let mut micros = Vec::new();
        for _ in 0..count {
            micros.push(pings.next().await?.as_micros());
        }
        pings.finish().await;
        Ok(json!({ "micros": micros }))
    }
}

async fn next(lines: &mut Lines<BufReader<Stdin>>) -> Result<Option<Request>, Box<dyn Error>> {
    match lines.next_line().await? {
        Some(line) => Ok(Some(serde_json::from_str(&line)?)),
        None => Ok(None),
    }
}

/// Under which name the journal keeps what a peer said.
fn kind(extent: Extent) -> &'static str {
    match extent {
        Extent::Whole => "identified",
        Extent::Changes => "pushed",
    }
}

fn connected_json(connection: &ConnectionInfo) -> Value {
    json!({
        "peer": connection.peer.to_string(),
        "transport": match connection.transport {
            "quic" => "quic-v1",
            other => other,
        },
        "security": connection.security.as_ref().map(ToString::to_string),
        "muxer": connection.muxer.as_ref().map(ToString::to_string),
        "early_muxer": connection.early_muxer,
    })
}

fn identified_json(info: &Info) -> Value {
    let protocols = info.protocols.iter().flat_map(|protocols| protocols.iter());
    json!({
        "peer": info.peer.to_string(),
        "agent": info.agent_version.as_deref(),
        "protocol_version": info.protocol_version.as_deref(),
        "protocols": protocols.map(ToString::to_string).collect::<Vec<_>>(),
        "listen_addrs": info.listen_addrs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "observed_addr": info.observed_addr.as_ref().map(ToString::to_string),
        "key_type": info.key.key_type().to_string().to_lowercase(),
        "signed_record": matches!(info.record, Record::Valid { .. }),
        "record_refused": match &info.record {
            Record::Refused(error) => Some(control::chain(error.as_ref())),
            _ => None,
        },
    })
}
