//! Ranges of IP addresses, for lists that an operator writes.

use multiaddr::{Multiaddr, Protocol};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};
use thiserror::Error;

/// The IP addresses that begin with the same bits. Reads `10.0.0.0/8`, `fd00::/8`, a single address, and the form of
/// kubo's configuration, `/ip4/10.0.0.0/ipcidr/8`; prints the first of these, and a single address as it is.
///
/// An IPv4 address inside an IPv6 one (`::ffff:10.0.0.1`) is an IPv4 address, in a range as in what it is asked for.
/// Wider ranges come before narrower ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IpRange {
    /// How many bits all of them begin with.
    prefix: u8,
    first: IpAddr,
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
        // Of a mapped address no fewer bits than 96 are left: behind fewer, some would be set.
        let mapped = bits(first) - bits(first.to_canonical());
        Ok(Self::around(first, prefix - mapped))
    }

    /// The addresses that share the first `prefix` bits of `ip`; itself alone, where it has no more bits than that.
    #[must_use]
    pub fn around(ip: IpAddr, prefix: u8) -> Self {
        let ip = ip.to_canonical();
        let prefix = prefix.min(bits(ip));
        let first = cut(ip, prefix);
        Self { prefix, first }
    }

    /// This range and all that it lies in, the narrowest first.
    pub fn and_wider(self) -> impl Iterator<Item = Self> {
        (0..=self.prefix)
            .rev()
            .map(move |prefix| Self::around(self.first, prefix))
    }

    /// Whether `ip` is one of them.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        Self::around(ip, self.prefix) == *self
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
        if self.prefix == bits(self.first) {
            return self.first.fmt(f);
        }
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl From<IpAddr> for IpRange {
    /// The address alone.
    fn from(ip: IpAddr) -> Self {
        Self::around(ip, u8::MAX)
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
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.4/32", "1.2.3.4"),
            ("::1/128", "::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(range(text).to_string(), printed);
        }
        for (text, error) in [
            ("10.0.0.1/8", RangeError::HostBits(8)),
            ("10.0.0.0/33", RangeError::Prefix(33)),
            ("::/129", RangeError::Prefix(129)),
            ("::ffff:0.0.0.0/90", RangeError::HostBits(90)),
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
        // A range in the longer form holds what it names, in either form.
        for text in ["10.1.1.1", "::ffff:10.1.1.1"] {
            assert!(
                range("::ffff:10.0.0.0/104").contains(text.parse().unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_a_range_lies_in() {
        let all: Vec<_> = range("10.0.0.0/7")
            .and_wider()
            .map(|range| range.to_string())
            .collect();
        assert_eq!(all[..2], ["10.0.0.0/7", "8.0.0.0/6"]);
        assert_eq!((all.len(), all[7].as_str()), (8, "0.0.0.0/0"));
        let wider = IpRange::around("10.1.2.3".parse().unwrap(), 8);
        assert_eq!(wider, range("10.0.0.0/8"));
        assert!(wider < range("9.0.0.0/9") && range("1.2.3.4") == IpRange::from(IpAddr::from([1, 2, 3, 4])));
    }

    proptest! {
        /// A range holds exactly those that share its bits, and reads back from its text.
        #[test]
        fn bits_decide(first: IpAddr, other: IpAddr, prefix in 0..=128u8) {
            let prefix = prefix.min(super::bits(first));
            let range = IpRange::new(super::cut(first, prefix), prefix).unwrap();
            prop_assert_eq!(range.to_string().parse(), Ok(range));
            // Behind 96 bits, a mapped address is an IPv4 one.
            let (first, prefix) = match first.to_canonical() {
                inside if inside != first && prefix >= 96 => (inside, prefix - 96),
                _ => (first, prefix),
            };
            prop_assert!(first != first.to_canonical() || range.contains(first));
            let other = other.to_canonical();
            let same = first.is_ipv4() == other.is_ipv4() && super::cut(first, prefix) == super::cut(other, prefix);
            prop_assert_eq!(range.contains(other), same);
        }
    }
}
