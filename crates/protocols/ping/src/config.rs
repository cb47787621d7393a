//! How ping is added to a node, and the side that answers.

use crate::{
    PROTOCOL, Ping,
    exchange::{self, Failure},
};
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::{
    HandlerOptions, Host, Registrar, Service, ServiceConfig, ServiceContext, ServiceError, Stream, code,
};
use std::time::Duration;

/// Inbound streams of one peer at once: as go-libp2p serves them.
// spec: ping, Protocol: the listener should accept at most two streams per peer
const STREAMS_PER_PEER: usize = 2;

/// How ping is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long one ping may take, on either side. 10 s unless told, as go-libp2p's listener has it.
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Sets [`Config::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl ServiceConfig for Config {
    type Handle = Ping;

    fn build(self, host: Host, register: &mut Registrar) -> (Ping, Box<dyn Service>) {
        let options = HandlerOptions::default()
            .max_streams_per_peer(STREAMS_PER_PEER)
            .limited()
            .background();
        let timeout = self.timeout;
        register.handler(PROTOCOL, options, move |stream| answer(stream, timeout));
        (Ping::new(host, self), Box::new(Answering))
    }
}

/// Answers the pings of one inbound stream.
async fn answer(mut stream: Stream, timeout: Duration) {
    match exchange::echo(&mut stream, timeout).await {
        // spec: ping, Protocol: when the asker has ended, the listener ends too
        Ok(_) => drop(stream.finish().await),
        Err(Failure::TimedOut) => stream.reset(code::stream::GARBAGE_COLLECTED),
        Err(Failure::Io(_) | Failure::WrongEcho) => stream.reset(code::stream::PROTOCOL_VIOLATION),
    }
}

/// All that answering needs is its handler: the service is there to end with the node.
struct Answering;

impl Service for Answering {
    fn name(&self) -> &'static str {
        "ping"
    }

    fn run(self: Box<Self>, mut context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        async move {
            context.shutdown.requested().await;
            Ok(())
        }
        .boxed()
    }
}
