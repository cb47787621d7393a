//! Ranges of IP addresses, for lists that an operator writes.

use multiaddr::{Multiaddr, Protocol};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};
use thiserror::Error;

/// The IP addresses that begin with the same bits. Reads `10.0.0.0/8`, `fd00::/8`, a single address, and the form of
/// kubo's configuration, `/ip4/10.0.0.0/ipcidr/8`; prints the first of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IpRange {
    first: IpAddr,
    /// How many bits all of them begin with.
    prefix: u8,
}

/// A text, or a number of bits, that makes no range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RangeError {
    /// The text has none of the forms.
    #[error("not a range of addresses: it is written as 10.0.0.0/8")]
    Form,
    /// More bits than the address has.
    #[error("a prefix of {0} bits is longer than the address")]
    Prefix(u8),
    /// The address goes on behind the prefix: a mistake, or a single address that was meant otherwise.
    #[error("the address has bits set behind the first {0}")]
    HostBits(u8),
}

impl IpRange {
    /// The addresses that begin with the first `prefix` bits of `first`.
    ///
    /// # Errors
    /// [`RangeError`] when the address has fewer bits, or more of them set.
    pub fn new(first: IpAddr, prefix: u8) -> Result<Self, RangeError> {
        if prefix > bits(first) {
            return Err(RangeError::Prefix(prefix));
        }
        if cut(first, prefix) != first {
            return Err(RangeError::HostBits(prefix));
        }
        Ok(Self { first, prefix })
    }

    /// Whether `ip` is one of them. An IPv4 address inside an IPv6 one counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.first.is_ipv4() && cut(ip, self.prefix) == self.first
    }

    /// Whether the IP address that a multiaddr starts with is one of them.
    #[must_use]
    pub fn holds(&self, addr: &Multiaddr) -> bool {
        let mut components = addr
            .iter()
            .skip_while(|component| matches!(component, Protocol::Ip6zone(_)));
        match components.next() {
            Some(Protocol::Ip4(ip)) => self.contains(ip.into()),
            Some(Protocol::Ip6(ip)) => self.contains(ip.into()),
            _ => false,
        }
    }
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// The address with nothing behind its first bits.
fn cut(ip: IpAddr, prefix: u8) -> IpAddr {
    let behind = u32::from(bits(ip).saturating_sub(prefix));
    match ip {
        IpAddr::V4(ip) => {
            let kept = u32::MAX.checked_shl(behind).unwrap_or_default();
            std::net::Ipv4Addr::from_bits(ip.to_bits() & kept).into()
        }
        IpAddr::V6(ip) => {
            let kept = u128::MAX.checked_shl(behind).unwrap_or_default();
            Ipv6Addr::from_bits(ip.to_bits() & kept).into()
        }
    }
}

impl FromStr for IpRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let kubo = text
            .strip_prefix("/ip4/")
            .or_else(|| text.strip_prefix("/ip6/"))
            .map(|rest| rest.split_once("/ipcidr/").ok_or(RangeError::Form));
        let (first, prefix) = match kubo.transpose()? {
            Some((first, prefix)) => (first, Some(prefix)),
            None => match text.split_once('/') {
                Some((first, prefix)) => (first, Some(prefix)),
                None => (text, None),
            },
        };
        let first: IpAddr = first.parse().map_err(|_| RangeError::Form)?;
        let prefix = prefix.map_or(Ok(bits(first)), |prefix| {
            prefix.parse().map_err(|_| RangeError::Form)
        });
        Self::new(first, prefix?)
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::{IpRange, RangeError};
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn range(text: &str) -> IpRange {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_form_is_read_and_one_is_printed() {
        for (text, printed) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("/ip4/10.0.0.0/ipcidr/8", "10.0.0.0/8"),
            ("/ip6/fc00::/ipcidr/7", "fc00::/7"),
            ("1.2.3.4", "1.2.3.4/32"),
            ("::1", "::1/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(range(text).to_string(), printed);
        }
        for (text, error) in [
            ("10.0.0.1/8", RangeError::HostBits(8)),
            ("10.0.0.0/33", RangeError::Prefix(33)),
            ("::/129", RangeError::Prefix(129)),
            ("10.0.0.0/x", RangeError::Form),
            ("example.org/8", RangeError::Form),
            ("/ip4/10.0.0.0", RangeError::Form),
            ("/ip4/10.0.0.0/tcp/8", RangeError::Form),
            ("", RangeError::Form),
        ] {
            assert_eq!(text.parse::<IpRange>(), Err(error), "{text}");
        }
    }

    #[test]
    fn what_is_inside() {
        let ten = range("10.0.0.0/8");
        for (ip, inside) in [
            ("10.255.1.2", true),
            ("11.0.0.0", false),
            ("::ffff:10.1.1.1", true),
            ("fd00::10.1.1.1", false),
        ] {
            assert_eq!(ten.contains(ip.parse().unwrap()), inside, "{ip}");
        }
        let holds = |text: &str| ten.holds(&text.parse().unwrap());
        assert!(holds("/ip4/10.0.0.1/udp/1/quic-v1") && !holds("/dns4/10.example.org/tcp/1"));
        assert!(range("fe80::/10").holds(&"/ip6zone/eth0/ip6/fe80::1/tcp/1".parse().unwrap()));
        assert!(range("::/0").contains("fe80::1".parse().unwrap()));
    }

    proptest! {
        /// A range holds exactly those that share its bits, and reads back from its text.
        #[test]
        fn bits_decide(first: IpAddr, other: IpAddr, prefix in 0..=128u8) {
            let prefix = prefix.min(super::bits(first));
            let range = IpRange::new(super::cut(first, prefix), prefix).unwrap();
            prop_assert_eq!(range.to_string().parse(), Ok(range));
            prop_assert!(first != first.to_canonical() || range.contains(first));
            let (a, b) = (super::cut(first, prefix), super::cut(other.to_canonical(), prefix));
            let same = first.is_ipv4() == other.to_canonical().is_ipv4() && a == b;
            prop_assert_eq!(range.contains(other), same);
        }
    }
}
