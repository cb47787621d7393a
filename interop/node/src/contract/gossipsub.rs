//! The gossipsub suite: many nodes, each of which reads one script for all and does what is meant for it, and says on stdout
//! what has arrived. A node's number is in the name of its host.

mod arrivals;
mod log;
mod script;

use std::{
    future::ready,
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use sinew::{
    Host, Keypair, Multiaddr, Node as Builder, PeerId,
    gossipsub::{
        Config, Gossipsub, Received, ReceivedPartial, SignaturePolicy, Subscription, Topic, TraceEvent,
        Validation,
    },
    identify,
    noise::Noise,
    tcp::TcpTransport,
    yamux::Yamux,
};
use tokio::{
    task::block_in_place,
    time::{Instant, sleep, sleep_until},
};

use self::{
    log::log,
    script::{Instruction, Script},
};
use super::{DIAL, Failure};
use crate::parts::{Groups, Parts};

/// Where every node listens.
const PORT: u16 = 9000;

/// What PKCS#8 has before the seed of an Ed25519 key.
const BEFORE_SEED: [u8; 16] = [
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];

/// The longest RPC: the suite's largest messages are far above what libraries allow by default.
const MAX_RPC: usize = 10 << 20;

/// Between two attempts to reach a node that may not have begun to listen.
const AGAIN: Duration = Duration::from_millis(200);

/// How long streams get to end when the script has.
const GRACE: Duration = Duration::from_millis(100);

/// What the suite tells a node.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The script of the gossipsub suite, a JSON file.
    #[arg(long, value_name = "FILE")]
    pub(crate) params: PathBuf,
}

/// One node of the gossipsub suite, until its script ends.
pub(crate) async fn gossipsub(params: &Path) -> Result<(), Failure> {
    let start = Instant::now();
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let number = number(&name)?;
    let script = Script::read(params, number)?;
    let key = key(number)?;
    log(
        "PeerID",
        &json!({ "id": key.peer_id().to_string(), "node_id": number }),
    );
    let node = Node::start(start, &key, &script).await?;
    node.run(script.instructions).await
}

/// The number of a host with this name.
fn number(name: &str) -> Result<u64, Failure> {
    let number = name.strip_prefix("node").and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("the host is called {name}; the suite's are node0, node1 and so on").into())
}

/// The key of a node: its number, in the order of little-endian machines, is the beginning of the seed.
fn key(number: u64) -> Result<Keypair, Failure> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    Ok(Keypair::from_pkcs8(&[&BEFORE_SEED[..], &seed].concat())?)
}

/// Says so once all parts of a message are there.
fn log_whole(parts: &Parts) {
    if parts.is_whole() {
        log("All parts received", &json!({ "group id": parts.group }));
    }
}

/// A node that does what its script says.
struct Node {
    start: Instant,
    host: Host,
    gossipsub: Gossipsub,
    groups: Arc<Groups>,
    /// What is followed.
    subscriptions: Vec<Subscription>,
}

impl Node {
    async fn start(start: Instant, key: &Keypair, script: &Script) -> Result<Self, Failure> {
        let groups = Arc::new(Groups::new(|_, parts| log_whole(parts)));
        let taking = groups.clone();
        let config = Config::default()
            .policy(SignaturePolicy::StrictNoSign)
            .message_id(arrivals::id)
            .trace(|event: &TraceEvent| arrivals::log_all(&event.step))
            .max_rpc(MAX_RPC)
            .partial_handler(move |received: Arc<ReceivedPartial>| ready(taking.take(&received)))
            .params(script.params()?)?;
        let mut builder = Builder::bare(key.clone())
            .transport(TcpTransport::new())
            .security(Noise::new(key)?)
            .muxer(Yamux::default())
            .listen(format!("/ip4/0.0.0.0/tcp/{PORT}").parse()?);
        builder.add(identify::Config::default());
        let gossipsub = builder.add(config);
        Ok(Self {
            start,
            host: builder.start().await?,
            gossipsub,
            groups,
            subscriptions: Vec::new(),
        })
    }

    async fn run(mut self, instructions: Vec<Instruction>) -> Result<(), Failure> {
        for instruction in instructions {
            self.act(instruction).await?;
        }
        self.host.shutdown(GRACE).await;
        Ok(())
    }

    async fn act(&mut self, instruction: Instruction) -> Result<(), Failure> {
        match instruction {
            // Done before the node started, and when the script was read.
            Instruction::InitGossipSub { .. } | Instruction::IfNodeIdEquals { .. } => {}
            Instruction::WaitUntil { seconds } => {
                sleep_until(self.start + Duration::from_secs(seconds)).await;
            }
            Instruction::Connect { nodes } => {
                for node in nodes {
                    self.connect(node).await?;
                }
            }
            Instruction::SubscribeToTopic { topic, .. } => {
                self.subscriptions
                    .push(self.gossipsub.subscribe(&topic.parse()?)?);
            }
            Instruction::SetTopicValidationDelay { topic, seconds } => {
                self.delay(&topic.parse()?, Duration::try_from_secs_f64(seconds)?);
            }
            Instruction::Publish { topic, id, size } => self.publish(&topic.parse()?, id, size).await?,
            Instruction::AddPartialMessage { topic, group, parts } => {
                self.groups.add(topic.parse()?, group, parts);
            }
            Instruction::PublishPartial { topic, group, to } => {
                let peers = to.into_iter().flatten().map(|node| Ok(key(node)?.peer_id()));
                let peers = peers.collect::<Result<Vec<_>, Failure>>()?;
                let key = (topic.parse()?, group);
                self.groups.publish(&self.gossipsub, key, 0, &peers).await?;
            }
        }
        Ok(())
    }

    /// Connects to a node, and waits for it if it is not there yet: outside a simulator, processes do not start together.
    async fn connect(&self, number: u64) -> Result<(), Failure> {
        let peer = key(number)?.peer_id();
        let deadline = Instant::now() + DIAL;
        while let Err(error) = self.try_connect(number, peer).await {
            if Instant::now() > deadline {
                return Err(error);
            }
            sleep(AGAIN).await;
        }
        Ok(())
    }

    async fn try_connect(&self, number: u64, peer: PeerId) -> Result<(), Failure> {
        let name = format!("node{number}");
        let mut found = block_in_place(|| (name.as_str(), PORT).to_socket_addrs())?;
        let found = found.find(SocketAddr::is_ipv4);
        let ip = found.ok_or_else(|| format!("{name} has no address"))?.ip();
        let addr: Multiaddr = format!("/ip4/{ip}/tcp/{PORT}/p2p/{peer}").parse()?;
        self.host.connect(addr).await?;
        Ok(())
    }

    /// Accepts the messages of a topic, after a while.
    fn delay(&self, topic: &Topic, delay: Duration) {
        let judge = move |_: Arc<Received>| async move {
            sleep(delay).await;
            Validation::Accept
        };
        self.gossipsub.set_validator(topic, judge);
    }

    async fn publish(&self, topic: &Topic, id: u64, size: usize) -> Result<(), Failure> {
        let mut data = vec![0; size];
        let front = data.first_chunk_mut();
        *front.ok_or("a message is too short for its id")? = id.to_be_bytes();
        self.gossipsub.publish(topic, data).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn a_host_has_the_number_of_its_name() {
        assert_eq!(number("node17").unwrap(), 17);
        assert!(number("node").is_err() && number("host1").is_err());
    }

    /// The digest is that of the suite's own programs.
    #[test]
    fn every_number_has_the_peer_id_that_other_programs_expect() {
        let mut all = String::new();
        for number in 0..10_000 {
            writeln!(all, ">{number}:{}", key(number).unwrap().peer_id()).unwrap();
        }
        assert_eq!(
            hex::encode(sinew_crypto::sha256(all.as_bytes())),
            "11395ea896d00ca25f7f648ebb336488ee092096a5498d90d76b92eaec27867a"
        );
    }
}
