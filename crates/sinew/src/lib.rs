//! Sinew is the libp2p networking stack for Rust.
//!
//! A *host* has a key, listens on addresses, dials others, and speaks any number of *protocols* with each *peer* over
//! *streams*. You register a handler for a protocol, or open a stream to a peer; everything below (transports, security,
//! multiplexing, negotiation, limits) is done for you. There is no event loop to poll.
//!
//! # Tutorial: an echo application
//!
//! Two nodes in one program. Every line runs when the documentation is tested.
//!
//! ```
//! # #[cfg(all(feature = "tcp", feature = "noise", feature = "yamux"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { tokio::runtime::Runtime::new()?.block_on(run()) }
//! # #[cfg(not(all(feature = "tcp", feature = "noise", feature = "yamux")))]
//! # fn main() {}
//! # #[cfg(all(feature = "tcp", feature = "noise", feature = "yamux"))]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use sinew::{Keypair, Node, Stream};
//! use std::time::Duration;
//!
//! // A node: a key, and where it listens. Port 0 takes any free one.
//! let server = Node::builder(Keypair::generate()).listen("/ip4/127.0.0.1/tcp/0")?.start().await?;
//!
//! // A handler: any closure from a stream to a future. Each stream runs in a task of its own.
//! server.set_stream_handler("/echo/1.0.0", |mut stream: Stream| async move {
//!     while let Ok(Some(chunk)) = stream.read_chunk().await {
//!         if stream.write_chunk(chunk).await.is_err() {
//!             return; // dropping an unfinished stream resets it
//!         }
//!     }
//!     let _ = stream.finish().await;
//! })?;
//!
//! // Another node dials it by address...
//! let client = Node::builder(Keypair::generate()).start().await?;
//! let peer = client.connect(server.listen_addrs()).await?;
//! assert_eq!(peer, server.peer_id());
//!
//! // ...and opens a stream by peer and protocol.
//! let mut stream = client.new_stream(&peer, ["/echo/1.0.0"]).await?;
//! stream.write_all(b"hello").await?;
//! stream.finish().await?; // half-close: we are done, and still listening
//! assert_eq!(stream.read_to_end(1024).await?, "hello");
//!
//! client.shutdown(Duration::from_secs(1)).await;
//! server.shutdown(Duration::from_secs(1)).await;
//! # Ok(()) }
//! ```
//!
//! # A handler with state
//!
//! What a handler captures is its state; clone it into each call:
//!
//! ```
//! # #[cfg(all(feature = "tcp", feature = "noise", feature = "yamux"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { tokio::runtime::Runtime::new()?.block_on(run()) }
//! # #[cfg(not(all(feature = "tcp", feature = "noise", feature = "yamux")))]
//! # fn main() {}
//! # #[cfg(all(feature = "tcp", feature = "noise", feature = "yamux"))]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use sinew::{Keypair, Node, Stream};
//! use std::{collections::HashMap, sync::{Arc, Mutex}};
//!
//! let node = Node::builder(Keypair::generate()).listen("/ip4/127.0.0.1/tcp/0")?.start().await?;
//! let visits = Arc::new(Mutex::new(HashMap::new()));
//! let state = visits.clone();
//! node.set_stream_handler("/visits/1.0.0", move |mut stream: Stream| {
//!     let state = state.clone();
//!     async move {
//!         let count: u64 = {
//!             let mut visits = state.lock().expect("no handler panics while it holds the lock");
//!             *visits.entry(stream.peer()).and_modify(|count| *count += 1).or_insert(1)
//!         };
//!         let _ = stream.write_all(&count.to_be_bytes()).await;
//!         let _ = stream.finish().await;
//!     }
//! })?;
//!
//! let visitor = Node::builder(Keypair::generate()).start().await?;
//! let peer = visitor.connect(node.listen_addrs()).await?;
//! for expected in 1..=3u64 {
//!     let mut stream = visitor.new_stream(&peer, ["/visits/1.0.0"]).await?;
//!     let mut count = [0; 8];
//!     stream.read_exact(&mut count).await?;
//!     assert_eq!(u64::from_be_bytes(count), expected);
//! }
//! assert_eq!(visits.lock().unwrap()[&visitor.peer_id()], 3);
//! # Ok(()) }
//! ```
//!
//! # Where to go from here
//!
//! | you want to | look at |
//! |---|---|
//! | dial, with options, and see why it failed | [`Host::dial`], [`Host::explain`], [`DialError`] |
//! | offer several versions of a protocol | [`Host::new_stream`] takes a list, best first |
//! | know who comes and goes | [`Host::membership`], [`Host::subscribe`] with [`ConnectionEvent`] |
//! | send typed requests and get typed answers | the module `request_response` (feature `request-response`) |
//! | publish to whoever follows a topic | the module `gossipsub` (feature `gossipsub`), or `floodsub` |
//! | bound what strangers can do | [`Limits`], [`Timeouts`], [`HandlerOptions`], [`ConnectionGater`] |
//! | say whose connections are worth keeping | [`Host::tag_peer`], [`Host::protect`], [`Watermarks`] |
//! | allow and deny addresses and peers while the node runs | [`access::AccessList`], given to [`NodeBuilder::gater`] |
//! | add a transport, security protocol, muxer or service of your own | [`sinew_core`] |
//!
//! # Features
//!
//! Features only add. The defaults are what [`Node::builder`] switches on.
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `quic` | yes | the QUIC transport |
//! | `tcp` | yes | the TCP transport |
//! | `websocket` | yes | the WebSocket transport, plain and secure; on the ports of TCP where it is asked to |
//! | `dns` | yes | `/dns`, `/dns4`, `/dns6`, `/dnsaddr` addresses |
//! | `noise` | yes | the Noise secure channel |
//! | `tls` | yes | the TLS 1.3 secure channel, offered before Noise |
//! | `yamux` | yes | the yamux muxer |
//! | `identify` | yes | identify and identify/push |
//! | `ping` | yes | ping |
//! | `request-response` | yes | typed requests with prost, CBOR and JSON codecs |
//! | `floodsub` | no | publish and subscribe, every message to every peer of its topic; in no preset |
//! | `gossipsub` | no | publish and subscribe in large networks, versions 1.0 to 1.3; in no preset |
//! | `peerstore` | no | a peerstore on disk, for [`NodeBuilder::peerstore_at`] |
//! | `perf` | no | throughput between two of your own machines; in no preset |
//! | `mplex` | no | the mplex muxer, for peers that have nothing else; in no preset |
//! | `memory` | no | a transport inside one process, for tests |
//! | `config` | no | a node described in a TOML file: the module [`config`] |
//! | `metrics` | no | counters in the form that Prometheus reads, and a service that answers with them |
//! | `pnet` | no | private networks: a pre-shared key around every connection, for [`NodeBuilder::private_network`] |
//! | `insecure-plaintext` | no | a channel that secures nothing, for tests; in no preset |
//!
//! # What it deliberately does not do
//!
//! It is no re-export of everything: the crates behind it (`sinew-tcp`, `sinew-noise`, `sinew-yamux`, ...) can be
//! used alone, against `sinew-core` only.

#[cfg(feature = "config")]
pub mod config;
mod node;

/// Runs the programs of the README when the documentation is tested.
#[cfg(all(
    doctest,
    feature = "gossipsub",
    feature = "tcp",
    feature = "noise",
    feature = "yamux"
))]
#[doc = include_str!("../../../README.md")]
struct Readme;

pub use node::{Node, NodeBuilder, StartError};

pub use sinew_addr::AddrError;
pub use sinew_core::{
    self, AnnouncedAddrs, Attempt, AttemptError, Blame, CloseCode, CloseReason, ConfirmedAddrs, Connection,
    ConnectionEvent, ConnectionGater, ConnectionId, ConnectionInfo, Culpable, Decay, DialError, DialOptions,
    DialReport, DialStage, DialTarget, Direction, HandledProtocols, HandlerError, HandlerOptions, Host,
    Instant, Lifetime, ListenAddrs, ListenError, ListenEvent, Membership, Multiaddr, NegotiationError,
    ObservedAddrs, OpenError, OpenOptions, PeerInfo, PeerState, Peerstore, ProtocolId, ProtocolMatch,
    Purpose, Stream, StreamClosed, StreamEvent, StreamHandler, StreamReset, Tag, Verdict, code,
};
pub use sinew_host::{
    AddressPolicy, HostBuilder, Limits, NoAnnounce, NoAnnounceError, Rate, StartError as HostStartError,
    Timeouts, Watermarks, access,
};
pub use sinew_identity::{Keypair, PeerId, PublicKey, Signer};
#[cfg(feature = "peerstore")]
pub use sinew_peerstore::{DiskError, DiskPeerstore};
pub use sinew_peerstore::{MemoryPeerstore, PeerstoreBounds};
pub use sinew_runtime::now;

/// Addresses: strict parsing, peer suffixes, scopes.
pub use sinew_addr as addr;
/// Keys, peer ids and key files.
pub use sinew_identity as identity;
/// Signed envelopes, peer records and record validators.
pub use sinew_record as record;

#[cfg(feature = "dns")]
pub use sinew_dns as dns;
#[cfg(feature = "floodsub")]
pub use sinew_floodsub as floodsub;
#[cfg(feature = "gossipsub")]
pub use sinew_gossipsub as gossipsub;
#[cfg(feature = "identify")]
pub use sinew_identify as identify;
#[cfg(feature = "memory")]
pub use sinew_memory as memory;
#[cfg(feature = "metrics")]
pub use sinew_metrics as metrics;
#[cfg(feature = "mplex")]
pub use sinew_mplex as mplex;
#[cfg(feature = "noise")]
pub use sinew_noise as noise;
#[cfg(feature = "perf")]
pub use sinew_perf as perf;
#[cfg(feature = "ping")]
pub use sinew_ping as ping;
#[cfg(feature = "insecure-plaintext")]
pub use sinew_plaintext as insecure_plaintext;
#[cfg(feature = "pnet")]
pub use sinew_pnet as pnet;
#[cfg(feature = "quic")]
pub use sinew_quic as quic;
#[cfg(feature = "request-response")]
pub use sinew_request_response as request_response;
#[cfg(feature = "tcp")]
pub use sinew_tcp as tcp;
#[cfg(feature = "tls")]
pub use sinew_tls as tls;
#[cfg(feature = "websocket")]
pub use sinew_websocket as websocket;
#[cfg(feature = "yamux")]
pub use sinew_yamux as yamux;
