//! The interfaces of Sinew: what a transport, a secure upgrade, a muxer, a protocol and an application see.
//!
//! Everything else in the stack stands on this crate and meets only here: transports, security, muxers, the host
//! and the protocols are siblings. A stranger can write any of them against this crate alone and hand it to the
//! node builder.
//!
//! | you write | you implement | you are given |
//! |---|---|---|
//! | a transport | [`Transport`], [`Listener`], [`Incoming`] | an address to dial or listen on |
//! | a security protocol | [`SecureUpgrade`] | bytes and the expected peer |
//! | a muxer | [`MuxerUpgrade`], [`MuxedConnection`], [`AcceptStreams`], [`MuxedStream`] | secured bytes |
//! | a protocol | [`StreamHandler`], or [`Service`] and [`ServiceConfig`] | a [`Host`] and [`Stream`]s |
//! | a policy | [`ConnectionGater`], [`Peerstore`], [`Resolver`] | what is about to happen |
//!
//! ```
//! use sinew_core::{Host, HandlerError, Stream};
//!
//! // Any closure that takes a stream is a handler; what it captures is its state.
//! fn echo(host: &Host) -> Result<(), HandlerError> {
//!     host.set_stream_handler("/echo/1.0.0", |mut stream: Stream| async move {
//!         while let Ok(Some(chunk)) = stream.read_chunk().await {
//!             if stream.write_chunk(chunk).await.is_err() {
//!                 return;
//!             }
//!         }
//!         let _ = stream.finish().await;
//!     })
//! }
//! ```
//!
//! It deliberately has no runtime: of tokio only the `AsyncRead` and `AsyncWrite` traits and the channels (which
//! run under any executor) are used. Spawning, clocks and timers live in `sinew-runtime`, and the implementation
//! behind [`Host`] in `sinew-host`.

mod bus;
mod connection;
mod dial;
mod error;
mod event;
mod gater;
mod handler;
mod host;
mod io;
mod measure;
mod membership;
mod meter;
mod muxer;
mod peerstore;
mod resolver;
mod resources;
mod scope;
mod service;
mod stream;
mod tag;
mod transport;
mod upgrade;

pub use bus::{Bus, Event, Fact, Lagged, Observer, Subscription};
pub use connection::{Connection, ConnectionBackend, ConnectionInfo, OpenOptions};
pub use dial::{Attempt, AttemptError, DialError, DialOptions, DialReport, DialStage, DialTarget, Purpose};
pub use error::{
    CloseReason, HandlerError, Layer, ListenError, NegotiationError, OpenError, SecurityError,
    StreamAbandoned, StreamClosed, StreamReset, TransportError, UpgradeError,
};
pub use event::{
    AnnouncedAddrs, ConfirmedAddrs, ConnectionEvent, HandledProtocols, ListenAddrs, ListenEvent,
    ObservedAddrs, StreamEvent,
};
pub use gater::{AllowAll, ConnectionGater, Verdict};
pub use handler::{HandlerOptions, ProtocolMatch, StreamHandler};
pub use host::{Host, HostBackend};
pub use io::{BoxedIo, ByteStream};
pub use measure::{Measure, Measured, Measures};
pub use membership::{Membership, PeerState, WatchPeers};
pub use meter::{Meter, Traffic, Unmetered};
pub use muxer::{AcceptStreams, MuxError, Muxed, MuxedConnection, MuxedStream, MuxerUpgrade};
pub use peerstore::{Learned, Lifetime, PeerInfo, Peerstore, RECENTLY_CONNECTED, Source};
pub use resolver::{ResolveError, Resolved, Resolver};
pub use resources::{Refusals, Resources, ScopeKind, Usage};
pub use scope::{LimitExceeded, LimitScope, Reservation, Resource, ResourceScope, Unlimited};
pub use service::{
    Registrar, Registration, Service, ServiceConfig, ServiceContext, ServiceError, Shutdown, Spawn,
};
pub use stream::{Stream, StreamLease};
pub use tag::{Decay, Tag};
pub use transport::{
    DialRequest, Incoming, Link, Listener, ListenerEvent, RawConnection, Refusal, SecureConnection, Transport,
};
pub use upgrade::{RawUpgrade, Role, SecureRequest, SecureUpgrade, Secured};

pub use futures_util::future::BoxFuture;
pub use multiaddr::Multiaddr;
pub use sinew_identity::{PeerId, PublicKey};
pub use sinew_machine::{
    Blame, CloseCode, ConnectionId, Culpable, Direction, Instant, ProtocolId, StreamId, code,
};
