//! What the driver does for the machine.

use crate::{Config, Job, Machine, Notice, Output, PROTOCOLS, TraceEvent};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::{DialOptions, Host, Learned, PeerId, ProtocolId, Source};
use sinew_floodsub::{OtherPeer, Rpc, Topics, Validation};
use sinew_record::PeerRecord;
use sinew_runtime::{Malformed, Shell, now, timeout, wall_now};
use std::{sync::Arc, time::Duration};

/// How long a connection to a peer that we were told of may take: as in go-libp2p.
const CONNECT: Duration = Duration::from_secs(30);

/// What the driver does for the machine.
pub(crate) struct Works {
    pub(crate) topics: Arc<Topics>,
    pub(crate) host: Host,
    pub(crate) config: Config,
}

impl Shell<Machine> for Works {
    fn name(&self) -> &'static str {
        "gossipsub"
    }

    fn protocols(&self) -> Vec<ProtocolId> {
        PROTOCOLS.to_vec()
    }

    fn max_frame(&self) -> usize {
        self.config.max_rpc
    }

    fn decode(&self, frame: Bytes) -> Result<Rpc, Malformed> {
        Rpc::decode(&frame).map_err(|error| {
            tracing::debug!(%error, "an RPC is malformed");
            Malformed
        })
    }

    fn at_once(&self, job: Job) -> Result<Output, Job> {
        match job {
            Job::Check(received) if self.topics.accepts(&received) => {
                Ok(Output::Checked(Ok(Validation::Accept)))
            }
            job => Err(job),
        }
    }

    fn run(&self, job: Job) -> BoxFuture<'static, Output> {
        let (host, within) = (self.host.clone(), self.config.validation_timeout);
        match job {
            Job::Check(received) => {
                let policy = self.config.policy.of(received.message.topic());
                let judged = self.topics.judge(received, policy, within);
                judged.map(Output::Checked).boxed()
            }
            Job::Partial(received) => {
                let Some(handler) = &self.config.partial_handler else {
                    return async { Output::Partial(Ok(None)) }.boxed();
                };
                let handled = timeout(within, handler.receive(received));
                // Who takes too long has said nothing.
                handled
                    .map(|handled| Output::Partial(handled.unwrap_or(Ok(None))))
                    .boxed()
            }
            Job::Connect(other) => connect(host, other).map(|()| Output::Done).boxed(),
            Job::Records(peers) => async move {
                let peers = peers.into_iter().map(|peer| with_record(&host, peer));
                Output::Records(peers.collect())
            }
            .boxed(),
        }
    }

    fn emit(&self, notice: Notice) {
        match notice {
            Notice::News(news) => self.topics.emit(news),
            Notice::Trace(step) => {
                let event = TraceEvent::new(self.host.peer_id(), wall_now(), *step);
                self.config.trace.iter().for_each(|sink| sink.trace(&event));
            }
        }
    }
}

fn with_record(host: &Host, peer: PeerId) -> OtherPeer {
    let info = host.peerstore().info(&peer, now());
    let record = info.and_then(|info| info.record);
    OtherPeer { peer, record }
}

/// Connects to a peer that somebody told us of.
async fn connect(host: Host, other: OtherPeer) {
    if let Some(sealed) = other.record {
        match PeerRecord::open(&sealed) {
            Ok(record) if record.peer() == other.peer => {
                let mut learned = Learned::default();
                learned.addrs = record.addrs().to_vec();
                learned.record = Some(sealed);
                host.learn(&other.peer, learned, Source::Discovery("gossipsub"));
            }
            // Whoever signs for another peer, or not at all, is not believed.
            Ok(_) | Err(_) => return tracing::debug!(peer = %other.peer, "a record of a peer is none"),
        }
    }
    let dialled = timeout(CONNECT, host.dial(other.peer, DialOptions::default())).await;
    if !matches!(dialled, Ok(Ok(_))) {
        tracing::debug!(peer = %other.peer, "a peer that we were told of is not reached");
    }
}
