//! Where a connection comes from: its address and its subnet.

use multiaddr::{Multiaddr, Protocol};
use sinew_addr::IpRange;
use std::net::IpAddr;

/// The source of a connection. Transports without an address (memory) are one source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Source(Option<IpAddr>);

/// Somebody from a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Visitor {
    pub(crate) source: Source,
    /// No limit of its source holds for it, and it makes no room for others.
    pub(crate) exempt: bool,
}

impl From<Source> for Visitor {
    fn from(source: Source) -> Self {
        let exempt = false;
        Self { source, exempt }
    }
}

/// The network that a source is counted with: /24 of IPv4, /56 of IPv6, the address itself on loopback.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Subnet(Option<IpRange>);

/// The addresses of whoever has this one, as far as it tells: of IPv4 itself alone, of IPv6 the /56 that a provider gives
/// to one customer.
pub(crate) fn customer(address: IpAddr) -> IpRange {
    match address.to_canonical() {
        IpAddr::V6(_) => IpRange::around(address, 56),
        v4 => v4.into(),
    }
}

impl Source {
    /// The source at a remote address. An IPv4 address inside an IPv6 one counts as IPv4.
    pub(crate) fn of(remote: &Multiaddr) -> Self {
        // In front of the address may stand which interface leads to it.
        let mut parts = remote.iter().filter(|part| !matches!(part, Protocol::Ip6zone(_)));
        Self(match parts.next() {
            Some(Protocol::Ip4(address)) => Some(IpAddr::V4(address)),
            Some(Protocol::Ip6(address)) => Some(IpAddr::V6(address).to_canonical()),
            _ => None,
        })
    }

    /// The address, if there is one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.0
    }

    /// The network that it is counted with.
    pub(crate) fn subnet(&self) -> Subnet {
        Subnet(self.0.map(|address| match address {
            loopback if loopback.is_loopback() => loopback.into(),
            IpAddr::V4(_) => IpRange::around(address, 24),
            IpAddr::V6(_) => customer(address),
        }))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("an address without IP"),
        }
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(range) => range.fmt(f),
            None => f.write_str("an address without IP"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn subnets_are_24_and_56_bits() {
        let subnet = |text: &str| Source::of(&text.parse().expect("an address")).subnet();
        assert_eq!(
            subnet("/ip4/1.2.3.4/tcp/1"),
            subnet("/ip4/1.2.3.200/udp/9/quic-v1")
        );
        assert_ne!(subnet("/ip4/1.2.3.4/tcp/1"), subnet("/ip4/1.2.4.4/tcp/1"));
        assert_eq!(
            subnet("/ip6/2001:db8:0:1200::1/tcp/1"),
            subnet("/ip6/2001:db8:0:12ff::1/tcp/1")
        );
        assert_ne!(
            subnet("/ip6/2001:db8:0:1200::1/tcp/1"),
            subnet("/ip6/2001:db8:0:1300::1/tcp/1")
        );
        assert_ne!(subnet("/ip4/127.0.0.1/tcp/1"), subnet("/ip4/127.0.0.2/tcp/1"));
        assert_eq!(subnet("/ip6/::ffff:1.2.3.4/tcp/1"), subnet("/ip4/1.2.3.4/tcp/1"));
    }
}
