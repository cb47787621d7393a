//! What a rule is about: an address, a subnet, or a peer.

use sinew_addr::IpRange;
use sinew_identity::PeerId;
use std::{fmt, net::IpAddr, str::FromStr};

/// What a rule is about. As text: `192.0.2.7`, `2001:db8::/32`, or a peer id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Target {
    /// Everybody in a subnet.
    Subnet(IpRange),
    /// A peer, wherever it is.
    Peer(PeerId),
}

impl From<IpAddr> for Target {
    fn from(address: IpAddr) -> Self {
        Self::Subnet(address.into())
    }
}

impl From<IpRange> for Target {
    fn from(subnet: IpRange) -> Self {
        Self::Subnet(subnet)
    }
}

impl From<PeerId> for Target {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

/// A text that names no address, subnet or peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", Self::TEXT)]
pub struct NoTarget;

impl NoTarget {
    pub(super) const TEXT: &'static str =
        "neither an IP address, a subnet (192.0.2.0/24, with no bits set behind the 24), nor a peer id";
}

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        if let Ok(subnet) = text.parse() {
            return Ok(Self::Subnet(subnet));
        }
        text.parse().map(Self::Peer).map_err(|_| NoTarget)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Subnet(subnet) => subnet.fmt(f),
        }
    }
}
