//! The peerstore: what is known of peers, connected or not.

use bytes::Bytes;
use multiaddr::Multiaddr;
use sinew_identity::{PeerId, PublicKey};
use sinew_machine::{ConnectionId, Instant, ProtocolId};
use std::{fmt, sync::Arc, time::Duration};

/// How long an address is believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lifetime {
    /// For a time from now. The longer of two lifetimes holds.
    For(Duration),
    /// Until it is removed: addresses that the application gave.
    Permanent,
}

/// How long the addresses of a peer are believed after its last connection ended: go-libp2p's `RecentlyConnectedAddrTTL`.
pub const RECENTLY_CONNECTED: Duration = Duration::from_secs(15 * 60);

/// Keeps what is known of peers. Bounded in peers, and per peer in addresses and protocols: the address that
/// ends soonest goes first.
pub trait Peerstore: Send + Sync + fmt::Debug + 'static {
    /// Adds addresses of `peer`, without `/p2p` at the end. Unusable ones are left out. It is the application's word:
    /// a service that heard of them from others says so to [`crate::Host::learn`] instead.
    fn add_addrs(&self, peer: &PeerId, addrs: &[Multiaddr], lifetime: Lifetime, now: Instant);

    /// The addresses that are still believed, those that last longest first.
    fn addrs(&self, peer: &PeerId, now: Instant) -> Vec<Multiaddr>;

    /// Keeps what an identify answer says; each part replaces the older one if it is there.
    fn update(&self, peer: &PeerId, learned: &Learned, now: Instant);

    /// All that is known of `peer`.
    fn info(&self, peer: &PeerId, now: Instant) -> Option<PeerInfo>;

    /// What `peer` speaks, as far as known.
    fn protocols(&self, peer: &PeerId) -> Option<Arc<[ProtocolId]>>;

    /// The peers that something is known of.
    fn peers(&self) -> Vec<PeerId>;

    /// Marks `peer` as connected or as gone. Who is connected is not forgotten to make room, and its addresses that are
    /// believed then, or come later, do not end. Once it is gone they are believed for [`RECENTLY_CONNECTED`] at least.
    fn set_connected(&self, peer: &PeerId, connected: bool, now: Instant);

    /// Forgets `peer`.
    fn remove(&self, peer: &PeerId);
}

/// All that is known of a peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The peer.
    pub peer: PeerId,
    /// Its addresses, those that last longest first.
    pub addrs: Vec<Multiaddr>,
    /// What it speaks, once identified.
    pub protocols: Option<Arc<[ProtocolId]>>,
    /// Its public key, once seen.
    pub key: Option<PublicKey>,
    /// What it calls itself.
    pub agent: Option<Arc<str>>,
    /// Its newest signed peer record, as bytes.
    pub record: Option<Bytes>,
    /// How long a round trip to it takes, smoothed.
    pub latency: Option<Duration>,
}

impl PeerInfo {
    /// A peer of which nothing is known.
    #[must_use]
    pub fn new(peer: PeerId) -> Self {
        Self {
            peer,
            addrs: Vec::new(),
            protocols: None,
            key: None,
            agent: None,
            record: None,
            latency: None,
        }
    }
}

/// What a service found out about a peer.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct Learned {
    /// Addresses, without `/p2p` at the end.
    pub addrs: Vec<Multiaddr>,
    /// All protocols that it speaks.
    pub protocols: Option<Arc<[ProtocolId]>>,
    /// Its public key.
    pub key: Option<PublicKey>,
    /// What it calls itself.
    pub agent: Option<Arc<str>>,
    /// Its signed peer record, verified, as bytes.
    pub record: Option<Bytes>,
    /// A round-trip time that was measured just now.
    pub latency: Option<Duration>,
    /// Under which address it sees us.
    pub observed: Option<Multiaddr>,
}

/// Where knowledge comes from. It decides which addresses are believed: a stranger does not make a node dial into its
/// own network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Source {
    /// The application said so: every address is believed.
    Application,
    /// The peer itself, on this connection: addresses of local networks are believed if it is in one.
    Identify(ConnectionId),
    /// A discovery or routing service, by name: anybody on the Internet may have said so, and public addresses alone
    /// are believed.
    Discovery(&'static str),
}
