//! Handlers: what runs when a peer opens a stream.

use crate::Stream;
use futures_util::future::BoxFuture;
use sinew_machine::ProtocolId;
use std::{fmt, future::Future, sync::Arc};

/// Serves the streams that peers open for a protocol. Each stream runs in a task of its own; a panic resets the
/// stream and nothing else.
///
/// Every closure from a [`Stream`] to a future is a handler. What it captures is its state:
///
/// ```
/// use sinew_core::{Host, HandlerError, Stream};
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// fn count(host: &Host) -> Result<Arc<AtomicU64>, HandlerError> {
///     let served = Arc::new(AtomicU64::new(0));
///     let state = served.clone();
///     host.set_stream_handler("/count/1.0.0", move |mut stream: Stream| {
///         let state = state.clone();
///         async move {
///             let n = state.fetch_add(1, Ordering::Relaxed);
///             let _ = stream.write_all(&n.to_be_bytes()).await;
///             let _ = stream.finish().await;
///         }
///     })?;
///     Ok(served)
/// }
/// ```
pub trait StreamHandler: Send + Sync + 'static {
    /// Serves one stream. A stream that is dropped without [`Stream::finish`] is reset.
    fn handle(&self, stream: Stream) -> BoxFuture<'static, ()>;
}

impl<F, Fut> StreamHandler for F
where
    F: Fn(Stream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn handle(&self, stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(self(stream))
    }
}

/// Which protocols a handler serves.
#[derive(Clone)]
#[non_exhaustive]
pub enum ProtocolMatch {
    /// One protocol by its exact name.
    Exact(ProtocolId),
    /// Every name that a function takes, asked in the order of registration after the exact names.
    Function {
        /// The name under which the handler is announced and removed.
        name: ProtocolId,
        /// Says whether it serves a protocol.
        matches: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    },
}

impl ProtocolMatch {
    /// The name under which the handler is announced and removed.
    #[must_use]
    pub fn name(&self) -> &ProtocolId {
        match self {
            Self::Exact(name) | Self::Function { name, .. } => name,
        }
    }
}

impl<P: Into<ProtocolId>> From<P> for ProtocolMatch {
    fn from(name: P) -> Self {
        Self::Exact(name.into())
    }
}

impl fmt::Debug for ProtocolMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.debug_tuple("Exact").field(name).finish(),
            Self::Function { name, .. } => f.debug_tuple("Function").field(name).finish(),
        }
    }
}

/// Limits of a handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HandlerOptions {
    /// Inbound streams of one peer at once; more are reset at once. 64 unless told, as go-libp2p has it.
    pub max_streams_per_peer: usize,
    /// Whether streams over limited (relayed) connections are served.
    pub limited: bool,
    /// Whether its streams keep their connection from being closed for being idle or to make room. Ping and identify
    /// say no: they are there because the connection is.
    pub keep_alive: bool,
}

impl Default for HandlerOptions {
    fn default() -> Self {
        Self {
            max_streams_per_peer: 64,
            limited: false,
            keep_alive: true,
        }
    }
}

impl HandlerOptions {
    /// Sets [`HandlerOptions::max_streams_per_peer`].
    #[must_use]
    pub fn max_streams_per_peer(mut self, max: usize) -> Self {
        self.max_streams_per_peer = max;
        self
    }

    /// Sets [`HandlerOptions::limited`].
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }

    /// Clears [`HandlerOptions::keep_alive`].
    #[must_use]
    pub fn background(mut self) -> Self {
        self.keep_alive = false;
        self
    }
}
