//! How perf is added to a node.

use crate::{PROTOCOL, Perf, server};
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::{
    HandlerOptions, Host, PeerId, Registrar, Service, ServiceConfig, ServiceContext, ServiceError, code,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Inbound streams of one peer at once: enough to measure with many streams.
const STREAMS_PER_PEER: usize = 64;

/// How the server side of perf behaves.
///
/// It serves the specification's dialect, and the one of the official suite's programs that names both sizes first.
/// Where a client of the latter does not end its side, a second of silence right after what it announced counts as
/// the end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long a transfer may stand still. 30 s unless told.
    pub stall: Duration,
    /// Who may measure; everybody if unset.
    pub allowed: Option<BTreeSet<PeerId>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            allowed: None,
        }
    }
}

impl Config {
    /// Lets only these peers measure.
    #[must_use]
    pub fn only_for(mut self, peers: impl IntoIterator<Item = PeerId>) -> Self {
        self.allowed = Some(peers.into_iter().collect());
        self
    }

    /// Sets [`Config::stall`].
    #[must_use]
    pub fn stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    fn allows(&self, peer: PeerId) -> bool {
        self.allowed
            .as_ref()
            .is_none_or(|allowed| allowed.contains(&peer))
    }
}

impl ServiceConfig for Config {
    type Handle = Perf;

    fn build(self, host: Host, register: &mut Registrar) -> (Perf, Box<dyn Service>) {
        let options = HandlerOptions::default().max_streams_per_peer(STREAMS_PER_PEER);
        let perf = Perf::new(host).stall(self.stall);
        let config = Arc::new(self);
        register.handler(PROTOCOL, options, move |stream: sinew_core::Stream| {
            let config = config.clone();
            async move {
                if config.allows(stream.peer()) {
                    server::serve(stream, config.stall).await;
                } else {
                    stream.reset(code::stream::RESOURCE_LIMIT);
                }
            }
        });
        (perf, Box::new(Serving))
    }
}

/// All that serving needs is its handler: the service is there to end with the node.
struct Serving;

impl Service for Serving {
    fn name(&self) -> &'static str {
        "perf"
    }

    fn run(self: Box<Self>, mut context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        async move {
            context.shutdown.requested().await;
            Ok(())
        }
        .boxed()
    }
}
