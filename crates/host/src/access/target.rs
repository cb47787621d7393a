//! What a rule is about: an address, a subnet, or a peer.

use sinew_identity::PeerId;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// What a rule is about. As text: `192.0.2.7`, `2001:db8::/32`, or a peer id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Target {
    /// Everybody in a subnet.
    Subnet(Subnet),
    /// A peer, wherever it is.
    Peer(PeerId),
}

/// The addresses that begin with the same bits; one address, if these are all of its bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subnet {
    /// Wider ones first.
    bits: u8,
    address: IpAddr,
}

/// The bits of an address.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Subnet {
    /// The subnet of the first `bits` of an address; `None` if it has fewer. An IPv4 address inside an IPv6 one is an
    /// IPv4 address.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let canonical = address.to_canonical();
        // The bits of a mapped address are counted from the IPv4 one's first.
        let bits = bits.checked_sub(width(address) - width(canonical))?;
        let address = match canonical {
            IpAddr::V4(v4) => {
                let unused = 32_u8.checked_sub(bits)?;
                IpAddr::from(Ipv4Addr::from_bits(v4.to_bits() & mask_v4(unused)))
            }
            IpAddr::V6(v6) => {
                let unused = 128_u8.checked_sub(bits)?;
                IpAddr::from(Ipv6Addr::from_bits(v6.to_bits() & mask_v6(unused)))
            }
        };
        Some(Self { bits, address })
    }

    /// The subnets that an address is in, the narrowest first.
    pub(super) fn around(address: IpAddr) -> impl Iterator<Item = Self> {
        let address = address.to_canonical();
        (0..=width(address))
            .rev()
            .filter_map(move |bits| Self::new(address, bits))
    }
}

fn mask_v4(unused: u8) -> u32 {
    u32::MAX.checked_shl(unused.into()).unwrap_or(0)
}

fn mask_v6(unused: u8) -> u128 {
    u128::MAX.checked_shl(unused.into()).unwrap_or(0)
}

impl From<IpAddr> for Target {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let bits = width(address);
        Self::Subnet(Subnet { bits, address })
    }
}

impl From<Subnet> for Target {
    fn from(subnet: Subnet) -> Self {
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
#[error("neither an IP address, a subnet (192.0.2.0/24), nor a peer id")]
pub struct NoTarget;

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        if let Some((address, bits)) = text.split_once('/') {
            let (address, bits) = (address.parse(), bits.parse());
            let (address, bits) = (address.map_err(|_| NoTarget)?, bits.map_err(|_| NoTarget)?);
            return Subnet::new(address, bits).map(Self::Subnet).ok_or(NoTarget);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        text.parse().map(Self::Peer).map_err(|_| NoTarget)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Subnet(subnet) if subnet.bits == width(subnet.address) => subnet.address.fmt(f),
            Self::Subnet(subnet) => write!(f, "{}/{}", subnet.address, subnet.bits),
        }
    }
}
