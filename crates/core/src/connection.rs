//! Connections: what is known of one, and the handle that uses it.

use crate::{CloseReason, OpenError, Stream};
use futures_util::future::BoxFuture;
use multiaddr::Multiaddr;
use sinew_identity::{PeerId, PublicKey};
use sinew_machine::{CloseCode, ConnectionId, Direction, ProtocolId};
use std::{fmt, sync::Arc, time::Duration};

/// What is known of a connection, from its first moment to its last.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its id, never used again while the host lives.
    pub id: ConnectionId,
    /// Who is at the other end.
    pub peer: PeerId,
    /// The key that proved it.
    pub key: PublicKey,
    /// Who opened it.
    pub direction: Direction,
    /// Our address.
    pub local: Multiaddr,
    /// The remote's address, without the peer.
    pub remote: Multiaddr,
    /// The name of the transport.
    pub transport: &'static str,
    /// The security protocol; none where the transport has its own.
    pub security: Option<ProtocolId>,
    /// The muxer; none where the transport has its own.
    pub muxer: Option<ProtocolId>,
    /// Whether the muxer was agreed on inside the handshake of the security, not after it.
    pub early_muxer: bool,
    /// Whether it runs through a relay that limits time and bytes.
    pub limited: bool,
}

impl ConnectionInfo {
    /// A connection of which the essentials are known; the rest starts empty.
    #[must_use]
    pub fn new(
        id: ConnectionId,
        key: PublicKey,
        direction: Direction,
        local: Multiaddr,
        remote: Multiaddr,
    ) -> Self {
        Self {
            id,
            peer: key.peer_id(),
            key,
            direction,
            local,
            remote,
            transport: "",
            security: None,
            muxer: None,
            early_muxer: false,
            limited: false,
        }
    }
}

/// How a stream is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Wait until the peer has agreed to the protocol, also where only one is offered. Otherwise a single
    /// protocol is offered optimistically: the stream can be written at once, its name leaves with the first
    /// data, and a refusal shows at the first read.
    pub eager: bool,
    /// Let the half-close leave before the peer has agreed (see [`crate::MuxedStream::finish_early`]). Some
    /// implementations miss an end that arrives together with the opening.
    pub finish_early: bool,
    /// Run over a limited (relayed) connection too.
    pub limited: bool,
    /// Whether the stream keeps its connection from being closed for being idle or to make room. Ping and identify
    /// say no: they are there because the connection is.
    pub keep_alive: bool,
    /// How long the muxer may take to open it, and then the negotiation.
    pub timeout: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            eager: false,
            finish_early: false,
            limited: false,
            keep_alive: true,
            timeout: Duration::from_secs(10),
        }
    }
}

impl OpenOptions {
    /// Sets [`OpenOptions::eager`].
    #[must_use]
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Sets [`OpenOptions::finish_early`].
    #[must_use]
    pub fn finish_early(mut self) -> Self {
        self.finish_early = true;
        self
    }

    /// Sets [`OpenOptions::limited`].
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }

    /// Clears [`OpenOptions::keep_alive`].
    #[must_use]
    pub fn background(mut self) -> Self {
        self.keep_alive = false;
        self
    }

    /// Sets [`OpenOptions::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What implements a [`Connection`]; the host does.
pub trait ConnectionBackend: Send + Sync + 'static {
    /// What is known of it.
    fn info(&self) -> &Arc<ConnectionInfo>;

    /// Opens a stream and offers `protocols` in order.
    fn open(
        self: Arc<Self>,
        protocols: Vec<ProtocolId>,
        options: OpenOptions,
    ) -> BoxFuture<'static, Result<Stream, OpenError>>;

    /// Starts to close.
    fn close(&self, code: CloseCode);

    /// Waits for the end.
    fn closed(&self) -> BoxFuture<'static, CloseReason>;

    /// The round-trip time, where it is measured.
    fn rtt(&self) -> Option<Duration>;
}

/// A handle of one connection. While a handle or a stream of it exists, the connection is in use and is not
/// closed for being idle. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    backend: Arc<dyn ConnectionBackend>,
}

impl Connection {
    /// Wraps what implements it.
    #[must_use]
    pub fn new(backend: Arc<dyn ConnectionBackend>) -> Self {
        Self { backend }
    }

    /// What is known of the connection.
    #[must_use]
    pub fn info(&self) -> &Arc<ConnectionInfo> {
        self.backend.info()
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.info().peer
    }

    /// Opens a stream on this very connection and offers `protocols` in order.
    ///
    /// # Errors
    /// [`OpenError`]. A single protocol that the peer does not speak shows at the first read, unless
    /// [`OpenOptions::eager`] is set.
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream.
    pub async fn open<P: Into<ProtocolId>>(
        &self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Result<Stream, OpenError> {
        self.open_with(protocols, OpenOptions::default()).await
    }

    /// As [`Connection::open`], with options.
    ///
    /// # Errors
    /// As [`Connection::open`].
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream.
    pub async fn open_with<P: Into<ProtocolId>>(
        &self,
        protocols: impl IntoIterator<Item = P>,
        options: OpenOptions,
    ) -> Result<Stream, OpenError> {
        let protocols = protocols.into_iter().map(Into::into).collect();
        self.backend.clone().open(protocols, options).await
    }

    /// Starts to close the connection; its streams fail. The first call's code is the one that counts.
    pub fn close(&self, code: CloseCode) {
        self.backend.close(code);
    }

    /// Waits until the connection has ended, and says why.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn closed(&self) -> CloseReason {
        self.backend.closed().await
    }

    /// The round-trip time of the connection, once its muxer has measured it.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.backend.rtt()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(self.info()).finish()
    }
}
