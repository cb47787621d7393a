//! The plan of a dial: which addresses, in which order, when each is started.

use multiaddr::{Multiaddr, Protocol};
use sinew_addr::Scope;
use std::time::Duration;

/// How far apart two addresses are started: RFC 8305, section 5 recommends 250 ms.
pub(crate) const STAGGER: Duration = Duration::from_millis(250);

/// Addresses of one dial; more are left out, best first. go-libp2p's dialler draws its line at 8 at once.
pub(crate) const MAX_ADDRS: usize = 32;

/// Orders addresses for a race: this machine first, then the local network, then the rest; IPv6 and IPv4 in turn,
/// IPv6 first (RFC 8305, section 4). Duplicates and what exceeds [`MAX_ADDRS`] are left out.
pub(crate) fn order(addrs: impl IntoIterator<Item = Multiaddr>) -> Vec<Multiaddr> {
    let mut unique: Vec<Multiaddr> = Vec::new();
    for addr in addrs {
        if !unique.contains(&addr) && unique.len() < MAX_ADDRS * 4 {
            unique.push(addr);
        }
    }
    let mut ordered = Vec::with_capacity(unique.len());
    for reach in [Reach::Machine, Reach::Local, Reach::Global] {
        let (six, rest): (Vec<_>, Vec<_>) = unique
            .iter()
            .filter(|addr| Reach::of(addr) == reach)
            .cloned()
            .partition(is_ip6);
        ordered.extend(alternate(six, rest));
    }
    ordered.truncate(MAX_ADDRS);
    ordered
}

fn alternate(first: Vec<Multiaddr>, second: Vec<Multiaddr>) -> impl Iterator<Item = Multiaddr> {
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turn = false;
    std::iter::from_fn(move || {
        turn = !turn;
        if turn {
            first.next().or_else(|| second.next())
        } else {
            second.next().or_else(|| first.next())
        }
    })
}

fn is_ip6(addr: &Multiaddr) -> bool {
    matches!(addr.iter().next(), Some(Protocol::Ip6(_)))
}

/// How far an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    Machine,
    Local,
    Global,
}

impl Reach {
    fn of(addr: &Multiaddr) -> Self {
        match sinew_addr::scope(addr) {
            _ if matches!(addr.iter().next(), Some(Protocol::Memory(_))) => Self::Machine,
            Some(Scope::Loopback) => Self::Machine,
            Some(Scope::Private | Scope::UniqueLocal | Scope::LinkLocal) => Self::Local,
            _ => Self::Global,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ADDRS, order};
    use multiaddr::Multiaddr;

    #[test]
    fn near_before_far_and_families_in_turn() {
        let addrs = [
            "/ip4/8.8.8.8/tcp/1",
            "/ip4/8.8.4.4/tcp/1",
            "/ip6/2001:4860::1/tcp/1",
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/8.8.8.8/tcp/1",
        ];
        let ordered: Vec<_> = order(addrs.iter().map(|text| text.parse().expect("an address")))
            .iter()
            .map(Multiaddr::to_string)
            .collect();
        assert_eq!(
            ordered,
            [
                "/ip4/127.0.0.1/tcp/1",
                "/ip4/10.0.0.1/tcp/1",
                "/ip6/2001:4860::1/tcp/1",
                "/ip4/8.8.8.8/tcp/1",
                "/ip4/8.8.4.4/tcp/1"
            ]
        );
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let many = (1..=999).map(|port| format!("/ip4/8.8.8.8/tcp/{port}").parse().expect("an address"));
        assert_eq!(order(many).len(), MAX_ADDRS);
    }
}
