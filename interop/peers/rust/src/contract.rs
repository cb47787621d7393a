//! The contracts of the official suites: a role and a stack in the environment, an address passed on through redis, results
//! on stdout.

use std::{
    env,
    error::Error,
    thread::sleep,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, ping,
    swarm::{NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
};
use redis::cmd;
use tokio::{task::block_in_place, time::timeout};

use crate::{args::Args, node::chain, perf, stack};

type Failure = Box<dyn Error>;

/// How long the other side may keep this one waiting, in seconds, unless `TEST_TIMEOUT_SECS` says.
const PATIENCE: u64 = 180;

/// How long a dial and a ping may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Between two looks for an address.
const POLL: Duration = Duration::from_millis(100);

/// Nothing is closed for idleness while a test runs.
const IDLE: Duration = Duration::from_secs(600);

/// Which suite.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    Transport,
    Perf,
}

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    ping: ping::Behaviour,
    pub streams: libp2p_stream::Behaviour,
}

/// One side of a suite.
struct Side {
    suite: Suite,
    swarm: Swarm<Behaviour>,
    key: String,
    patience: Duration,
}

/// Runs the side that the environment names.
pub async fn run(suite: Suite, mut args: Args) -> Result<(), Failure> {
    args.transport = env::var("TRANSPORT")?;
    args.security = env::var("SECURE_CHANNEL").unwrap_or_default();
    args.muxer = env::var("MUXER").unwrap_or_default();
    let patience = env::var("TEST_TIMEOUT_SECS").map_or(Ok(PATIENCE), |text| text.parse())?;
    let side = Side {
        suite,
        swarm: build(&args)?,
        key: format!("{}_listener_multiaddr", env::var("TEST_KEY")?),
        patience: Duration::from_secs(patience),
    };
    if env::var("IS_DIALER")? == "true" {
        side.dial().await
    } else {
        let patience = side.patience;
        let listening = timeout(patience, side.listen(&args.transport)).await;
        listening.unwrap_or_else(|_| Err("nobody ended this listener in time".into()))
    }
}

fn build(args: &Args) -> Result<Swarm<Behaviour>, Failure> {
    let transport = stack::build(args)?;
    Ok(SwarmBuilder::with_existing_identity(args.key.clone())
        .with_tokio()
        .with_other_transport(|_| transport)?
        .with_behaviour(|_| Behaviour {
            ping: ping::Behaviour::default(),
            streams: libp2p_stream::Behaviour::new(),
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build())
}

impl Side {
    /// Listens, passes the address on, and serves until it is ended.
    async fn listen(mut self, transport: &str) -> Result<(), Failure> {
        let ip = env::var("LISTENER_IP")?;
        let rest = match transport {
            "quic-v1" => "udp/0/quic-v1",
            "ws" => "tcp/0/ws",
            "wss" => "tcp/0/tls/ws",
            _ => "tcp/0",
        };
        self.swarm.listen_on(format!("/ip4/{ip}/{rest}").parse()?)?;
        if self.suite == Suite::Perf {
            perf::serve(self.swarm.behaviour().streams.new_control())?;
        }
        loop {
            let SwarmEvent::NewListenAddr { address, .. } = self.swarm.select_next_some().await else {
                continue;
            };
            let address = address.to_string();
            // Of all interfaces it is the first that is not loopback.
            if ip != "0.0.0.0" || !address.starts_with("/ip4/127.") {
                let peer = *self.swarm.local_peer_id();
                // Some peers know secure WebSockets by their older name only.
                block_in_place(|| {
                    self.publish(&format!("{}/p2p/{peer}", address.replace("/tls/ws", "/wss")))
                })?;
            }
        }
    }

    /// Dials the address that the listener passes on, measures, and prints what came of it.
    async fn dial(mut self) -> Result<(), Failure> {
        let addr: Multiaddr = block_in_place(|| self.published())?.parse()?;
        let start = Instant::now();
        let dial = DialOpts::from(addr);
        self.swarm.dial(dial).map_err(|e| chain(&e))?;
        let peer = timeout(LIMIT, self.connected()).await??;
        if self.suite == Suite::Perf {
            return perf::measure(self.swarm, peer).await;
        }
        let rtt = timeout(LIMIT, self.pinged()).await??;
        let handshake = start.elapsed();
        println!(
            "latency:\n  handshake_plus_one_rtt: {}\n  ping_rtt: {}\n  unit: ms",
            handshake.as_secs_f64() * 1000.0,
            rtt.as_secs_f64() * 1000.0,
        );
        Ok(())
    }

    async fn connected(&mut self) -> Result<PeerId, Failure> {
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::OutgoingConnectionError { error, .. } => return Err(chain(&error).into()),
                SwarmEvent::ConnectionEstablished { peer_id, .. } => return Ok(peer_id),
                _ => {}
            }
        }
    }

    /// The first ping goes out as soon as there is a connection.
    async fn pinged(&mut self) -> Result<Duration, Failure> {
        loop {
            if let SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) = self.swarm.select_next_some().await {
                return Ok(event.result.map_err(|e| chain(&e))?);
            }
        }
    }

    /// The transport suite has a list, the perf suite a value.
    fn publish(&self, addr: &str) -> Result<(), Failure> {
        let mut redis = self.redis()?;
        if self.suite == Suite::Perf {
            return Ok(cmd("SET").arg(&self.key).arg(addr).exec(&mut redis)?);
        }
        cmd("DEL").arg(&self.key).exec(&mut redis)?;
        Ok(cmd("RPUSH").arg(&self.key).arg(addr).exec(&mut redis)?)
    }

    fn published(&self) -> Result<String, Failure> {
        let mut redis = self.redis()?;
        if self.suite == Suite::Transport {
            let mut pop = cmd("BLPOP");
            pop.arg(&self.key).arg(self.patience.as_secs());
            let popped: Option<(String, String)> = pop.query(&mut redis)?;
            return Ok(popped.ok_or("the listener gave no address")?.1);
        }
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            if let Some(addr) = cmd("GET").arg(&self.key).query(&mut redis)? {
                return Ok(addr);
            }
            sleep(POLL);
        }
        Err("the listener gave no address".into())
    }

    fn redis(&self) -> Result<redis::Connection, Failure> {
        let client = redis::Client::open(format!("redis://{}", env::var("REDIS_ADDR")?))?;
        let connection = client.get_connection_with_timeout(LIMIT)?;
        connection.set_read_timeout(Some(self.patience + LIMIT))?;
        Ok(connection)
    }
}
