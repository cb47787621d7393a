//! Dials: whom, how, and what became of each address.

use crate::{Connection, LimitExceeded, ResolveError, Role, TransportError, UpgradeError};
use multiaddr::Multiaddr;
use sinew_identity::PeerId;
use sinew_machine::{Blame, Culpable};
use std::{fmt, sync::Arc, time::Duration};

/// Whom to dial, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DialTarget {
    /// A peer, at the addresses that the peerstore knows.
    Peer(PeerId),
    /// Whoever answers at one of these addresses. An address that ends in `/p2p/<peer>` takes that peer only, and
    /// all such addresses must name the same one.
    Addrs(Vec<Multiaddr>),
    /// A peer at these addresses, and no others.
    PeerAt(PeerId, Vec<Multiaddr>),
}

impl From<PeerId> for DialTarget {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

impl From<&PeerId> for DialTarget {
    fn from(peer: &PeerId) -> Self {
        Self::Peer(*peer)
    }
}

impl From<Multiaddr> for DialTarget {
    fn from(addr: Multiaddr) -> Self {
        Self::Addrs(vec![addr])
    }
}

impl From<&Multiaddr> for DialTarget {
    fn from(addr: &Multiaddr) -> Self {
        Self::Addrs(vec![addr.clone()])
    }
}

impl From<Vec<Multiaddr>> for DialTarget {
    fn from(addrs: Vec<Multiaddr>) -> Self {
        Self::Addrs(addrs)
    }
}

impl From<(PeerId, Vec<Multiaddr>)> for DialTarget {
    fn from((peer, addrs): (PeerId, Vec<Multiaddr>)) -> Self {
        Self::PeerAt(peer, addrs)
    }
}

/// What a connection is wanted for. Dials for different purposes never share an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[non_exhaustive]
pub enum Purpose {
    /// Any connection will do: one that exists, or a new one from a shared local port.
    #[default]
    Use,
    /// A limited (relayed) connection neither counts nor is made.
    Direct,
    /// A new direct connection, now, from the listening port, in this role of the handshake whoever dials.
    Punch(Role),
    /// Always a new connection from a fresh local port.
    Probe,
}

/// How to dial.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DialOptions {
    /// What the connection is for.
    pub purpose: Purpose,
    /// How long all addresses together may take.
    pub timeout: Duration,
}

impl Default for DialOptions {
    fn default() -> Self {
        // The whole dial: a name look-up, and then each address with its own ten seconds, side by side.
        Self {
            purpose: Purpose::Use,
            timeout: Duration::from_secs(15),
        }
    }
}

impl DialOptions {
    /// Sets the purpose.
    #[must_use]
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// Sets the time-out.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// Why a dial came to nothing. Cheap to clone: callers that share a dial share its error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// No address of the peer is known.
    #[error("no address of {0} is known: dial it by address once, or add one to the peerstore")]
    NoAddresses(PeerId),
    /// No address was given.
    #[error("no address was given")]
    NoTarget,
    /// The target is this node.
    #[error("cannot dial this node itself")]
    OwnPeerId,
    /// The addresses name several peers.
    #[error("the addresses name different peers")]
    DifferentPeers,
    /// Every address failed; each with its own cause.
    #[error("dialling {} failed at every address:{}", target(*.peer), lines(.attempts))]
    Failed {
        /// Who was dialled, if known.
        peer: Option<PeerId>,
        /// Each address that was tried.
        attempts: Arc<[Attempt]>,
    },
    /// A limit of this node.
    #[error(transparent)]
    Limit(LimitExceeded),
    /// The node is not started, or is shutting down.
    #[error("the node is not running")]
    NotRunning,
}

impl Culpable for DialError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoAddresses(_) => Blame::Network,
            Self::Failed { attempts, .. } => attempts
                .iter()
                .find_map(Attempt::error)
                .map_or(Blame::Network, Culpable::blame),
            Self::Limit(_) => Blame::Limit,
            Self::NoTarget | Self::OwnPeerId | Self::DifferentPeers | Self::NotRunning => Blame::Local,
        }
    }
}

fn target(peer: Option<PeerId>) -> String {
    peer.map_or_else(|| "an unknown peer".into(), |peer| peer.to_string())
}

fn lines(attempts: &[Attempt]) -> String {
    attempts.iter().map(|attempt| format!("\n  {attempt}")).collect()
}

/// What became of one address of a dial.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address, after names were resolved.
    pub addr: Multiaddr,
    /// When it was started, counted from the beginning of the dial.
    pub started: Duration,
    /// How long it took.
    pub took: Duration,
    /// `Ok` for the address that won.
    pub outcome: Result<(), Arc<AttemptError>>,
}

impl Attempt {
    /// What became of `addr`.
    #[must_use]
    pub fn new(
        addr: Multiaddr,
        started: Duration,
        took: Duration,
        outcome: Result<(), AttemptError>,
    ) -> Self {
        Self {
            addr,
            started,
            took,
            outcome: outcome.map_err(Arc::new),
        }
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&AttemptError> {
        self.outcome.as_ref().err().map(AsRef::as_ref)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error() {
            Some(error) => write!(f, "{}: {error} (after {:?})", self.addr, self.took),
            None => write!(f, "{}: connected (after {:?})", self.addr, self.took),
        }
    }
}

/// Why one address failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// Its name was not resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// No transport of this node dials it.
    #[error("no transport of this node dials such an address")]
    NoTransport,
    /// It is no address that can be dialled: too long, or with another peer in it than was asked for.
    #[error("not a usable address: {0}")]
    BadAddress(&'static str),
    /// The connection gater forbids it.
    #[error("refused by the connection gater")]
    Gated,
    /// The transport did not get through.
    #[error("{0}")]
    Transport(#[source] TransportError),
    /// It connected, and the connection was not completed.
    #[error("{0}")]
    Upgrade(#[source] UpgradeError),
    /// Nothing came of it in time.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// Another address was quicker.
    #[error("given up: another address was quicker")]
    Superseded,
}

impl Culpable for AttemptError {
    fn blame(&self) -> Blame {
        match self {
            Self::Resolve(error) => error.blame(),
            Self::NoTransport | Self::BadAddress(_) | Self::Gated | Self::Superseded => Blame::Local,
            Self::Transport(error) => error.blame(),
            Self::Upgrade(error) => error.blame(),
            Self::Timeout(_) => Blame::Network,
        }
    }
}

/// A dial, explained: every address, in the order in which they were started, and the outcome.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DialReport {
    /// Each address. Empty where an existing connection was used.
    pub attempts: Vec<Attempt>,
    /// What the dial came to.
    pub outcome: Result<Connection, DialError>,
}

impl DialReport {
    /// A report of a dial.
    #[must_use]
    pub fn new(attempts: Vec<Attempt>, outcome: Result<Connection, DialError>) -> Self {
        Self { attempts, outcome }
    }
}
