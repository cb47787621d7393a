//! Which addresses a node tells others: what it listens on and what is confirmed, as the operator has it.

use multiaddr::Multiaddr;
use sinew_addr::{AddrError, IpRange, RangeError};
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

/// A text that is neither an address nor a range of IP addresses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnnounceError {
    /// It begins like a multiaddr, and is none.
    #[error(transparent)]
    Addr(#[from] AddrError),
    /// It begins like a range, and is none.
    #[error(transparent)]
    Range(#[from] RangeError),
}

impl FromStr for NoAnnounce {
    type Err = NoAnnounceError;

    fn from_str(text: &str) -> Result<Self, NoAnnounceError> {
        if text.starts_with('/') && !text.contains("/ipcidr/") {
            Ok(Self::Addr(sinew_addr::parse(text)?))
        } else {
            Ok(Self::Range(text.parse()?))
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
        for (text, problem) in [
            ("nothing", "10.0.0.0/8"),
            ("10.0.0.1/8", "behind the first 8"),
            ("/ip4/10.0.0.0/ipcidr/33", "33 bits"),
            ("/ip4/10.0.0.0/tcp", "multiaddr"),
        ] {
            let error = text.parse::<NoAnnounce>().expect_err(text).to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
