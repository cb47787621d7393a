//! Errors of the layers: what failed, at which layer, and whose fault it was.

use crate::{LimitExceeded, MuxError};
use multiaddr::Multiaddr;
use sinew_identity::PeerId;
use sinew_machine::{Blame, CloseCode, Culpable, ProtocolId, code};
use std::{fmt, io, sync::Arc, time::Duration};

/// A layer of a connection, as errors and logs name it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Layer {
    /// The bytes between two addresses.
    Transport,
    /// The negotiation of a security protocol.
    SecurityNegotiation,
    /// The handshake that proves who the peer is.
    Security,
    /// The negotiation of a muxer.
    MuxerNegotiation,
    /// The multiplexing of streams.
    Muxer,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transport => "transport",
            Self::SecurityNegotiation => "security negotiation",
            Self::Security => "security",
            Self::MuxerNegotiation => "muxer negotiation",
            Self::Muxer => "muxer",
        })
    }
}

/// Why a transport could not dial, listen or finish a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address is not of this transport's kind.
    #[error("{0} is not an address of this transport")]
    Unsupported(Multiaddr),
    /// The operating system refused or the network failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A handshake that belongs to the transport failed.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// A limit of this node.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// A failure of a kind that only the transport knows.
    #[error("{0}")]
    Failed(#[source] Box<dyn Culpable>),
}

impl Culpable for TransportError {
    fn blame(&self) -> Blame {
        match self {
            Self::Unsupported(_) => Blame::Local,
            Self::Io(_) => Blame::Network,
            Self::Security(error) => error.blame(),
            Self::Limit(_) => Blame::Limit,
            Self::Failed(error) => error.blame(),
        }
    }
}

/// Why a secure upgrade failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// Somebody else answered.
    #[error("expected peer {expected}, but {actual} answered")]
    WrongPeer {
        /// Who was wanted.
        expected: PeerId,
        /// Who answered.
        actual: PeerId,
    },
    /// The peer broke a rule of the handshake; nothing it sent is believed.
    #[error("handshake refused: {0}")]
    Handshake(#[source] Box<dyn Culpable>),
    /// The bytes below failed or ended.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// This node could not do its part (its signer failed, say).
    #[error("this node could not do its part: {0}")]
    Local(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Culpable for SecurityError {
    fn blame(&self) -> Blame {
        match self {
            Self::WrongPeer { .. } | Self::Handshake(_) => Blame::Peer,
            Self::Io(_) => Blame::Network,
            Self::Local(_) => Blame::Local,
        }
    }
}

/// Why no protocol was agreed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The other side speaks none of the offered protocols.
    #[error("none of the offered protocols is spoken: {}", list(.0))]
    Unsupported(Vec<ProtocolId>),
    /// The other side broke a rule of the negotiation.
    #[error("malformed negotiation: {0}")]
    Malformed(&'static str),
    /// The other side went on for too long: too many messages or too many bytes.
    #[error("negotiation too long: {0}")]
    TooLong(&'static str),
    /// The other side ended in the middle of it.
    #[error("the other side ended the negotiation")]
    Ended,
    /// Nothing was agreed on in time.
    #[error("negotiation not done within {0:?}")]
    Timeout(Duration),
    /// A protocol name that cannot be sent: empty, too long, without a leading slash or with a line feed.
    #[error("{0:?} cannot be the name of a protocol")]
    BadName(ProtocolId),
    /// The bytes below failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Culpable for NegotiationError {
    fn blame(&self) -> Blame {
        match self {
            Self::Unsupported(_) | Self::Malformed(_) | Self::TooLong(_) => Blame::Peer,
            Self::Ended | Self::Timeout(_) | Self::Io(_) => Blame::Network,
            Self::BadName(_) => Blame::Local,
        }
    }

    fn is_retryable(&self) -> bool {
        matches!(self, Self::Ended | Self::Timeout(_) | Self::Io(_))
    }
}

/// Names behind commas.
fn list(protocols: &[ProtocolId]) -> String {
    protocols
        .iter()
        .map(ProtocolId::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Why a connection was not established, between its first byte and its first stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The transport's own handshake.
    #[error("transport: {0}")]
    Transport(#[from] TransportError),
    /// No security protocol or muxer was agreed on.
    #[error("{layer}: {error}")]
    Negotiation {
        /// Which of the two.
        layer: Layer,
        /// Why.
        #[source]
        error: NegotiationError,
    },
    /// Within a private network, what arrived was no negotiation.
    #[error("security negotiation: {0}; is the pre-shared key the same?")]
    PrivateNetwork(#[source] NegotiationError),
    /// The transport brings its own security, which the key of a private network cannot wrap.
    #[error("{0} brings its own security, and this node is within a private network")]
    NotPrivate(&'static str),
    /// The peer did not prove who it is.
    #[error("security: {0}")]
    Security(#[from] SecurityError),
    /// A connection gater refused it.
    #[error("refused by the connection gater after {0}")]
    Gated(Layer),
    /// A limit of this node.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The peer is this node itself.
    #[error("the peer is this node itself")]
    OwnPeerId,
    /// Not done in time; the layer is the one it was stuck in.
    #[error("{layer} not done within {after:?}")]
    Timeout {
        /// Where it was stuck.
        layer: Layer,
        /// The deadline of the whole upgrade.
        after: Duration,
    },
    /// It made room: pending places were full, and its source had the most of them.
    #[error("evicted from the pending connections to make room")]
    Evicted,
    /// The node is shutting down.
    #[error("the node is shutting down")]
    ShuttingDown,
}

impl UpgradeError {
    /// The layer that it failed at.
    #[must_use]
    pub fn layer(&self) -> Layer {
        match self {
            Self::Transport(_) | Self::NotPrivate(_) => Layer::Transport,
            Self::PrivateNetwork(_) => Layer::SecurityNegotiation,
            Self::Negotiation { layer, .. } | Self::Gated(layer) | Self::Timeout { layer, .. } => *layer,
            Self::Security(_) | Self::OwnPeerId => Layer::Security,
            // What is complete is refused at its end.
            _ => Layer::Muxer,
        }
    }
}

impl Culpable for UpgradeError {
    fn blame(&self) -> Blame {
        match self {
            Self::Transport(error) => error.blame(),
            Self::Negotiation { error, .. } | Self::PrivateNetwork(error) => error.blame(),
            Self::Security(error) => error.blame(),
            Self::NotPrivate(_) | Self::Gated(_) | Self::OwnPeerId | Self::ShuttingDown => Blame::Local,
            Self::Limit(_) | Self::Evicted => Blame::Limit,
            Self::Timeout { .. } => Blame::Network,
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side closed it.
    #[error("closed by this node ({0})")]
    Local(CloseCode),
    /// The remote said goodbye.
    #[error("closed by the remote ({0})")]
    Remote(CloseCode),
    /// The bytes below failed or ended without a goodbye.
    #[error("connection lost: {0}")]
    Lost(#[source] Arc<io::Error>),
    /// The remote broke a rule of the muxer and was cut.
    #[error("the remote broke a rule of the muxer: {0}")]
    Violation(&'static str),
    /// Too many of the remote's streams ended for what it sent over them, and it was cut. The protocol is that of the last;
    /// multistream's where none was agreed on.
    #[error("the remote was cut for what it sent over streams, at last of {0}")]
    Abuse(ProtocolId),
    /// Nothing moved for too long: an unanswered keep-alive, or a socket that took no bytes.
    #[error("connection timed out: {0}")]
    TimedOut(&'static str),
}

impl CloseReason {
    /// The bytes below failed.
    #[must_use]
    pub fn lost(error: io::Error) -> Self {
        Self::Lost(Arc::new(error))
    }
}

impl Culpable for CloseReason {
    fn blame(&self) -> Blame {
        match self {
            Self::Local(code) if *code == code::connection::RESOURCE_LIMIT => Blame::Limit,
            Self::Local(_) => Blame::Local,
            Self::Remote(_) | Self::Violation(_) | Self::Abuse(_) => Blame::Peer,
            Self::Lost(_) | Self::TimedOut(_) => Blame::Network,
        }
    }

    fn is_retryable(&self) -> bool {
        !matches!(self, Self::Violation(_) | Self::Abuse(_))
    }
}

/// The remote reset a stream: found inside the `io::Error` of a read or write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("stream reset by the remote ({0})")]
pub struct StreamReset(pub CloseCode);

impl From<StreamReset> for io::Error {
    fn from(reset: StreamReset) -> Self {
        Self::new(io::ErrorKind::ConnectionReset, reset)
    }
}

/// This side reset a stream: found inside the `io::Error` of a read or write that comes after.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("stream reset by this side ({0})")]
pub struct StreamAbandoned(pub CloseCode);

impl From<StreamAbandoned> for io::Error {
    fn from(abandoned: StreamAbandoned) -> Self {
        Self::new(io::ErrorKind::ConnectionAborted, abandoned)
    }
}

/// The connection of a stream ended: found inside the `io::Error` of a read or write.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the connection of the stream ended: {0}")]
pub struct StreamClosed(#[source] pub CloseReason);

impl From<StreamClosed> for io::Error {
    fn from(closed: StreamClosed) -> Self {
        Self::new(io::ErrorKind::ConnectionAborted, closed)
    }
}

/// Why no stream was opened to a peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There was no connection, and none could be made.
    #[error(transparent)]
    Dial(#[from] crate::DialError),
    /// There is no connection, and the caller wanted no dial.
    #[error("not connected to {0}")]
    NotConnected(PeerId),
    /// The muxer opened none.
    #[error("stream to {peer}: {error}")]
    Muxer {
        /// The peer.
        peer: PeerId,
        /// Why.
        #[source]
        error: MuxError,
    },
    /// The peer and we agreed on no protocol.
    #[error("stream to {peer}: {error}")]
    Negotiation {
        /// The peer.
        peer: PeerId,
        /// Why.
        #[source]
        error: NegotiationError,
    },
    /// A limit of this node.
    #[error("stream to {peer}: {error}")]
    Limit {
        /// The peer.
        peer: PeerId,
        /// Which.
        #[source]
        error: LimitExceeded,
    },
    /// The muxer opened none in time: the peer answers too few of the streams that it has.
    #[error("stream to {peer}: not opened within {after:?}")]
    Timeout {
        /// The peer.
        peer: PeerId,
        /// The time that it had.
        after: Duration,
    },
    /// No protocol was named.
    #[error("no protocol was named")]
    NoProtocol,
}

impl Culpable for OpenError {
    fn blame(&self) -> Blame {
        match self {
            Self::Dial(error) => error.blame(),
            Self::NotConnected(_) | Self::Timeout { .. } => Blame::Network,
            Self::Muxer { error, .. } => error.blame(),
            Self::Negotiation { error, .. } => error.blame(),
            Self::Limit { .. } => Blame::Limit,
            Self::NoProtocol => Blame::Local,
        }
    }
}

/// Why the host does not listen on an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// No transport of this node listens on such an address.
    #[error("no transport of this node listens on {0}: switch on the feature or add the transport for it")]
    NoTransport(Multiaddr),
    /// The transport could not.
    #[error("cannot listen on {addr}: {error}")]
    Transport {
        /// The address.
        addr: Multiaddr,
        /// Why.
        #[source]
        error: TransportError,
    },
    /// The node is not started, or is shutting down.
    #[error("the node is not running")]
    NotRunning,
}

/// Why a handler was not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// Another handler has the name.
    #[error("{0} already has a handler: remove it first")]
    Taken(ProtocolId),
    /// Not a name that can be negotiated.
    #[error(
        "{0:?} cannot be the name of a protocol: 1 to 140 bytes that begin with a slash, without a line feed"
    )]
    BadName(ProtocolId),
}
