//! Which addresses a node tells others: what it listens on and what is confirmed, as the operator has it.

use multiaddr::Multiaddr;
use sinew_addr::{AddrError, IpRange};
use std::str::FromStr;

/// What the operator wants to be told, as in go-libp2p's and kubo's configuration (`Announce`, `AppendAnnounce`,
/// `NoAnnounce`).
#[derive(Clone, Default, Debug)]
pub(crate) struct Announcing {
    /// Told instead of what the node listens on.
    pub(crate) only: Vec<Multiaddr>,
    /// Told besides.
    pub(crate) also: Vec<Multiaddr>,
    /// Never told, wherever it comes from.
    pub(crate) never: Vec<NoAnnounce>,
}

/// An address, or the addresses of a range, that are not told to anybody. Reads `/ip4/10.0.0.1/tcp/4001`,
/// `10.0.0.0/8` and `/ip4/10.0.0.0/ipcidr/8`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NoAnnounce {
    /// Exactly this address.
    Addr(Multiaddr),
    /// Every address that starts with an IP address of the range.
    Range(IpRange),
}

impl NoAnnounce {
    fn covers(&self, addr: &Multiaddr) -> bool {
        match self {
            Self::Addr(never) => never == addr,
            Self::Range(range) => range.holds(addr),
        }
    }
}

impl From<Multiaddr> for NoAnnounce {
    fn from(addr: Multiaddr) -> Self {
        Self::Addr(addr)
    }
}

impl From<IpRange> for NoAnnounce {
    fn from(range: IpRange) -> Self {
        Self::Range(range)
    }
}

impl FromStr for NoAnnounce {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        match text.parse() {
            Ok(range) => Ok(Self::Range(range)),
            Err(_) => sinew_addr::parse(text).map(Self::Addr),
        }
    }
}

impl Announcing {
    /// What is told of the addresses that the node listens on and those that are confirmed. What the operator wrote
    /// comes first: whoever has room for a few only takes those.
    pub(crate) fn choose(&self, listen: &[Multiaddr], confirmed: &[Multiaddr]) -> Vec<Multiaddr> {
        let own = [confirmed, listen];
        let base = if self.only.is_empty() { &own[..] } else { &[] };
        let all = [&self.only[..], &self.also]
            .into_iter()
            .chain(base.iter().copied());
        let mut told: Vec<Multiaddr> = Vec::new();
        for addr in all.flatten() {
            if !told.contains(addr) && !self.never.iter().any(|never| never.covers(addr)) {
                told.push(addr.clone());
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::{Announcing, NoAnnounce};
    use multiaddr::Multiaddr;

    const LAN: &str = "/ip4/10.0.0.1/tcp/1";
    const WAN: &str = "/ip4/8.8.8.8/tcp/1";
    const SEEN: &str = "/ip4/9.9.9.9/tcp/7";
    const NAME: &str = "/dns4/example.org/tcp/1";

    fn addrs(texts: &[&str]) -> Vec<Multiaddr> {
        texts
            .iter()
            .map(|text| text.parse().expect("an address"))
            .collect()
    }

    fn told(only: &[&str], also: &[&str], never: &[&str]) -> Vec<String> {
        let never = never.iter().map(|text| text.parse().expect("a rule"));
        let announcing = Announcing {
            only: addrs(only),
            also: addrs(also),
            never: never.collect(),
        };
        let told = announcing.choose(&addrs(&[LAN, WAN]), &addrs(&[SEEN]));
        told.iter().map(Multiaddr::to_string).collect()
    }

    #[test]
    fn announce_replaces_append_adds_and_no_announce_wins() {
        assert_eq!(told(&[], &[], &[]), [SEEN, LAN, WAN]);
        assert_eq!(told(&[NAME], &[], &[]), [NAME]);
        assert_eq!(told(&[NAME], &[WAN], &[]), [NAME, WAN]);
        assert_eq!(told(&[], &[NAME, LAN], &[]), [NAME, LAN, SEEN, WAN]);
        assert_eq!(told(&[], &[], &["10.0.0.0/8"]), [SEEN, WAN]);
        assert_eq!(told(&[], &[LAN], &["/ip4/10.0.0.0/ipcidr/8", SEEN]), [WAN]);
        assert_eq!(told(&[NAME, LAN], &[], &["0.0.0.0/0"]), [NAME]);
        assert_eq!(
            told(&[], &[], &["/ip4/8.8.8.8/tcp/2"]),
            [SEEN, LAN, WAN],
            "exactly that one"
        );
    }

    #[test]
    fn a_rule_is_a_range_or_an_address() {
        assert!(matches!("fd00::/8".parse(), Ok(NoAnnounce::Range(_))));
        assert!(matches!(WAN.parse(), Ok(NoAnnounce::Addr(_))));
        assert!("nothing".parse::<NoAnnounce>().is_err());
    }
}
