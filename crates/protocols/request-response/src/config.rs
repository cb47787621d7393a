//! The configuration of one protocol of requests and responses.

use crate::{
    client::Client,
    codec::Codec,
    server::{self, Context, Handler, Refuse},
};
use futures_util::FutureExt;
use sinew_core::{
    BoxFuture, HandlerOptions, Host, ProtocolId, Registrar, Service, ServiceConfig, ServiceContext,
    ServiceError,
};
use std::{fmt, sync::Arc, time::Duration};

/// How a message stands on its stream.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Framing {
    /// Behind its length as an unsigned varint: the answer need not wait for the end of the request.
    #[default]
    LengthPrefixed,
    /// Up to the end of the direction, as rust-libp2p's CBOR and JSON behaviours have it.
    ToEnd,
}

/// Bounds that both sides of an exchange keep.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) framing: Framing,
    pub(crate) max_request: usize,
    pub(crate) max_response: usize,
    pub(crate) timeout: Duration,
    pub(crate) outbound_per_peer: usize,
}

/// One protocol of requests and responses: its names, bounds, and who serves it.
pub struct Config<C: Codec> {
    /// Best first.
    protocols: Vec<ProtocolId>,
    bounds: Bounds,
    inbound_per_peer: usize,
    limited: bool,
    handler: Option<Arc<dyn Handler<C>>>,
}

impl<C: Codec> Config<C> {
    /// A protocol that is asked and not served. Its bounds: a request of 1 MiB and a response of 10 MiB (as
    /// rust-libp2p has them), 10 seconds an exchange, 16 requests of a peer at once and 64 to a peer.
    #[must_use]
    pub fn new(protocol: impl Into<ProtocolId>) -> Self {
        let bounds = Bounds {
            framing: Framing::default(),
            max_request: 1 << 20,
            max_response: 10 << 20,
            timeout: Duration::from_secs(10),
            outbound_per_peer: 64,
        };
        Self {
            protocols: vec![protocol.into()],
            bounds,
            inbound_per_peer: 16,
            limited: false,
            handler: None,
        }
    }

    /// Adds a name under which the protocol is also asked and served, after those before it.
    #[must_use]
    pub fn fallback(mut self, protocol: impl Into<ProtocolId>) -> Self {
        self.protocols.push(protocol.into());
        self
    }

    /// Serves requests. Each runs in the task of its stream, and is dropped when the asker leaves or its time is over.
    #[must_use]
    pub fn serve<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(C::Request, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<C::Response, Refuse>> + Send + 'static,
    {
        self.handler = Some(Arc::new(move |request, context| {
            handler(request, context).boxed()
        }));
        self
    }

    /// Sets the form on the wire.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.bounds.framing = framing;
        self
    }

    /// Sets the longest request, in bytes.
    #[must_use]
    pub fn max_request(mut self, bytes: usize) -> Self {
        self.bounds.max_request = bytes;
        self
    }

    /// Sets the longest response, in bytes.
    #[must_use]
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.bounds.max_response = bytes;
        self
    }

    /// Sets how long an exchange may take: with the wait for a place, the dial and the handler, on either side.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.bounds.timeout = timeout;
        self
    }

    /// Sets how many requests of one peer are served at once, for each name; more are reset at once.
    #[must_use]
    pub fn inbound_per_peer(mut self, max: usize) -> Self {
        self.inbound_per_peer = max;
        self
    }

    /// Sets how many requests to one peer go on at once; more wait, within their own time.
    #[must_use]
    pub fn outbound_per_peer(mut self, max: usize) -> Self {
        self.bounds.outbound_per_peer = max.max(1);
        self
    }

    /// Asks and serves over limited (relayed) connections too.
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }
}

impl<C: Codec> fmt::Debug for Config<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("protocols", &self.protocols)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

impl<C: Codec> ServiceConfig for Config<C> {
    type Handle = Client<C>;

    fn build(self, host: Host, register: &mut Registrar) -> (Client<C>, Box<dyn Service>) {
        let mut options = HandlerOptions::default().max_streams_per_peer(self.inbound_per_peer);
        if self.limited {
            options = options.limited();
        }
        for protocol in self.protocols.iter().filter(|_| self.handler.is_some()) {
            let handler = self.handler.clone().expect("filtered above");
            let bounds = self.bounds.clone();
            register.handler(protocol, options, move |stream| {
                server::serve(stream, handler.clone(), bounds.clone())
            });
        }
        (
            Client::new(host, self.protocols, self.bounds, self.limited),
            Box::new(Answering),
        )
    }
}

/// All that answering needs is its handlers: the service is there to end with the node.
struct Answering;

impl Service for Answering {
    fn name(&self) -> &'static str {
        "request-response"
    }

    fn run(self: Box<Self>, mut context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        async move {
            context.shutdown.requested().await;
            Ok(())
        }
        .boxed()
    }
}
