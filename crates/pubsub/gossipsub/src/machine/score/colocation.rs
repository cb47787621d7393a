//! Who shares an address with whom (P6).

use sinew_identity::PeerId;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

/// The peers behind each address; an IPv6 address counts together with its /64.
#[derive(Default, Debug)]
pub(super) struct Colocation {
    peers: BTreeMap<IpAddr, BTreeSet<PeerId>>,
    addrs: BTreeMap<PeerId, BTreeSet<IpAddr>>,
}

impl Colocation {
    /// These are the addresses of a peer from now on.
    pub(super) fn set(&mut self, peer: PeerId, ips: &[IpAddr]) {
        for addr in self.addrs.remove(&peer).unwrap_or_default() {
            if let Some(peers) = self.peers.get_mut(&addr) {
                peers.remove(&peer);
                if peers.is_empty() {
                    self.peers.remove(&addr);
                }
            }
        }
        let addrs: BTreeSet<_> = ips.iter().flat_map(|ip| counted(*ip)).collect();
        for addr in &addrs {
            self.peers.entry(*addr).or_default().insert(peer);
        }
        if !addrs.is_empty() {
            self.addrs.insert(peer, addrs);
        }
    }

    /// How many peers each address of a peer has.
    pub(super) fn crowds(&self, peer: &PeerId) -> impl Iterator<Item = usize> {
        let addrs = self.addrs.get(peer).into_iter().flatten();
        addrs.filter_map(|addr| self.peers.get(addr)).map(BTreeSet::len)
    }
}

/// The /64 of an IPv6 address: whoever has one address in it has them all.
pub(crate) fn subnet(ip: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))
}

/// By what an address is counted: itself, and the /64 of an IPv6 address. Loopback ones are this machine.
fn counted(ip: IpAddr) -> Vec<IpAddr> {
    match ip {
        ip if ip.is_loopback() => Vec::new(),
        IpAddr::V4(_) => vec![ip],
        IpAddr::V6(v6) => vec![ip, subnet(v6).into()],
    }
}

#[cfg(test)]
mod tests {
    use super::Colocation;
    use sinew_identity::PeerId;

    #[test]
    fn nothing_is_left_of_who_left() {
        let (mut colocation, a, b) = (Colocation::default(), PeerId::random(), PeerId::random());
        let ip = |text: &str| text.parse().expect("an address");
        colocation.set(a, &[ip("192.0.2.1"), ip("2001:db8::1"), ip("127.0.0.1")]);
        colocation.set(b, &[ip("2001:db8::2")]);
        assert_eq!(
            colocation.crowds(&a).collect::<Vec<_>>(),
            [1, 2, 1],
            "the /64 is shared"
        );
        colocation.set(b, &[]);
        assert_eq!(colocation.crowds(&a).collect::<Vec<_>>(), [1, 1, 1]);
        colocation.set(a, &[]);
        assert!(colocation.peers.is_empty() && colocation.addrs.is_empty());
    }
}
