//! Dials: whom, how, and what became of each address.

mod attempt;
mod report;

pub use attempt::{Attempt, AttemptError, DialStage};
pub use report::DialReport;

use crate::{LimitExceeded, Role};
use multiaddr::Multiaddr;
use sinew_identity::PeerId;
use sinew_machine::{Blame, Culpable};
use std::{sync::Arc, time::Duration};

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
    /// Always a new connection from a fresh local port, to exactly these addresses, that nobody but the asker sees.
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
    /// The addresses are the word of others, not the application's own: what a stranger must not make this node
    /// dial is refused.
    pub hearsay: bool,
}

impl Default for DialOptions {
    fn default() -> Self {
        // The whole dial: a name look-up, and then each address with its own ten seconds, side by side.
        Self {
            purpose: Purpose::Use,
            timeout: Duration::from_secs(15),
            hearsay: false,
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

    /// Sets [`DialOptions::hearsay`].
    #[must_use]
    pub fn hearsay(mut self) -> Self {
        self.hearsay = true;
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
            Self::Failed { attempts, .. } => blame(attempts),
            Self::Limit(_) => Blame::Limit,
            Self::NoTarget | Self::OwnPeerId | Self::DifferentPeers | Self::NotRunning => Blame::Local,
        }
    }
}

/// Whose fault it is that every address failed: that of the attempt which got furthest. Who broke a rule was reached;
/// what the network lost was at least sent; a limit or this node itself is to blame only if nothing was.
fn blame(attempts: &[Attempt]) -> Blame {
    let all = || attempts.iter().filter_map(Attempt::error).map(Culpable::blame);
    let furthest = [Blame::Peer, Blame::Network, Blame::Limit, Blame::Local];
    let found = furthest
        .into_iter()
        .find(|blame| all().any(|other| other == *blame));
    found.unwrap_or(Blame::Network)
}

fn target(peer: Option<PeerId>) -> String {
    peer.map_or_else(|| "an unknown peer".into(), |peer| peer.to_string())
}

fn lines(attempts: &[Attempt]) -> String {
    attempts.iter().map(|attempt| format!("\n  {attempt}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Attempt, AttemptError, DialError};
    use crate::{TransportError, UpgradeError};
    use sinew_machine::{Blame, Culpable};
    use std::{io, time::Duration};

    fn blame(errors: Vec<AttemptError>) -> Blame {
        let addr = || "/ip4/192.0.2.1/tcp/1".parse().expect("an address");
        let attempts = errors.into_iter().map(|error| Attempt::refused(addr(), error));
        let attempts = attempts.collect();
        DialError::Failed { peer: None, attempts }.blame()
    }

    #[test]
    fn the_attempt_that_got_furthest_says_whose_fault_it_is() {
        let lost = || AttemptError::Transport(TransportError::Io(io::ErrorKind::ConnectionRefused.into()));
        let gated = || AttemptError::Upgrade(UpgradeError::Evicted);
        let lie = || {
            let error = crate::NegotiationError::Malformed("no multistream");
            let layer = crate::Layer::SecurityNegotiation;
            AttemptError::Upgrade(UpgradeError::Negotiation { layer, error })
        };
        for (errors, expected) in [
            (vec![], Blame::Network),
            (vec![AttemptError::NoTransport, AttemptError::Gated], Blame::Local),
            (vec![AttemptError::NoTransport, gated()], Blame::Limit),
            (vec![AttemptError::NoTransport, lost(), gated()], Blame::Network),
            (vec![lost(), lie(), AttemptError::Gated], Blame::Peer),
            (
                vec![AttemptError::BackedOff(Duration::from_secs(5))],
                Blame::Network,
            ),
        ] {
            assert_eq!(blame(errors), expected);
        }
    }
}
