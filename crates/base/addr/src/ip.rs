//! What an IP address reaches: this machine, this network, or everybody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use multiaddr::{Multiaddr, Protocol};

/// How far an IP address reaches, after the IANA special-purpose registries (RFC 6890).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scope {
    /// `0.0.0.0` or `::`: all interfaces when listening, nothing when dialling.
    Unspecified,
    /// This machine: `127.0.0.0/8`, `::1`.
    Loopback,
    /// This link: `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// A private IPv4 network (RFC 1918).
    Private,
    /// A private IPv6 network: `fc00::/7` (RFC 4193), and what is left of site-local `fec0::/10`.
    UniqueLocal,
    /// Behind a carrier's NAT: `100.64.0.0/10` (RFC 6598).
    CarrierNat,
    /// Set aside for documentation and benchmarks; nobody is there.
    Documentation,
    /// Groups and broadcast; no peer answers there.
    Multicast,
    /// Reserved for protocols or for the future.
    Reserved,
    /// Everybody can reach it, as far as the address tells.
    Global,
}

impl Scope {
    /// Whether strangers elsewhere on the Internet may be expected to reach such an address.
    #[must_use]
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Global)
    }

    /// Whether it is of this machine, or of a network that this machine may be in.
    #[must_use]
    pub const fn is_local(self) -> bool {
        matches!(
            self,
            Self::Loopback | Self::LinkLocal | Self::Private | Self::UniqueLocal | Self::CarrierNat
        )
    }
}

/// An IPv4 address inside an IPv6 one. Its scope is that of the IPv4 address: `::ffff:10.0.0.1` is as private as
/// `10.0.0.1`, and a dial to `64:ff9b::7f00:1` may end at the translator's loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Embedding {
    /// `::ffff:0:0/96`: the operating system speaks IPv4 to it.
    V4Mapped(Ipv4Addr),
    /// `64:ff9b::/96`: a translator speaks IPv4 to it (RFC 6052).
    Nat64(Ipv4Addr),
    /// `2002::/16`: a 6to4 relay speaks IPv4 to it (RFC 3056, retired by RFC 7526).
    SixToFour(Ipv4Addr),
}

impl Embedding {
    /// The IPv4 address.
    #[must_use]
    pub const fn ipv4(self) -> Ipv4Addr {
        match self {
            Self::V4Mapped(ip) | Self::Nat64(ip) | Self::SixToFour(ip) => ip,
        }
    }
}

/// The scope of the IP address that a multiaddr starts with; `None` for names and other things.
#[must_use]
pub fn scope(addr: &Multiaddr) -> Option<Scope> {
    let ip = addr
        .iter()
        .find(|component| !matches!(component, Protocol::Ip6zone(_)))?;
    match ip {
        Protocol::Ip4(ip) => Some(v4_scope(ip)),
        Protocol::Ip6(ip) => Some(v6_scope(ip)),
        _ => None,
    }
}

/// The scope of an IP address; of one that embeds an IPv4 address, the scope of that.
#[must_use]
pub fn ip_scope(ip: IpAddr) -> Scope {
    match ip {
        IpAddr::V4(ip) => v4_scope(ip),
        IpAddr::V6(ip) => v6_scope(ip),
    }
}

/// The IPv4 address inside an IPv6 address, if it is of a kind that has one.
#[must_use]
pub fn embedded(ip: Ipv6Addr) -> Option<Embedding> {
    let [a, b, c, d, e, f, high, low] = ip.segments();
    let tail = v4(high, low);
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] => Some(Embedding::V4Mapped(tail)),
        [0x64, 0xff9b, 0, 0, 0, 0] => Some(Embedding::Nat64(tail)),
        [0x2002, high, low, ..] => Some(Embedding::SixToFour(v4(high, low))),
        _ => None,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

fn v4_scope(ip: Ipv4Addr) -> Scope {
    match ip.octets() {
        [0, 0, 0, 0] => Scope::Unspecified,
        [127, ..] => Scope::Loopback,
        [169, 254, ..] => Scope::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Scope::Private,
        [100, 64..=127, ..] => Scope::CarrierNat,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18..=19, ..] => Scope::Documentation,
        [224..=239, ..] | [255, 255, 255, 255] => Scope::Multicast,
        // "This network", protocol assignments (RFC 6890), 6to4 relays (RFC 7526) and the old class E.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => Scope::Reserved,
        _ => Scope::Global,
    }
}

fn v6_scope(ip: Ipv6Addr) -> Scope {
    if let Some(embedding) = embedded(ip) {
        return v4_scope(embedding.ipv4());
    }
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Scope::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Scope::Loopback,
        [0xfe80..=0xfebf, ..] => Scope::LinkLocal,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Scope::UniqueLocal,
        // A translator of the local network (RFC 8215).
        [0x64, 0xff9b, 1, ..] => Scope::UniqueLocal,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2001, 2, 0, ..] => Scope::Documentation,
        [0xff00..=0xffff, ..] => Scope::Multicast,
        // Teredo and other protocol assignments (RFC 2928, 4380): none of them is a way to a peer.
        [0x2001, 0..=0x1ff, ..] => Scope::Reserved,
        // spec: RFC 4291 and the IANA registry: global unicast is assigned out of 2000::/3 alone.
        [0x2000..=0x3fff, ..] => Scope::Global,
        _ => Scope::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        let table = [
            (Scope::Unspecified, "0.0.0.0 :: ::ffff:0.0.0.0"),
            (
                Scope::Loopback,
                "127.0.0.1 127.255.0.9 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1 2002:7f00:1::",
            ),
            (Scope::LinkLocal, "169.254.1.1 fe80::1 febf::1 ::ffff:169.254.1.1"),
            (
                Scope::Private,
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 ::ffff:10.1.2.3 64:ff9b::10.0.0.1 2002:a00:1::",
            ),
            (Scope::UniqueLocal, "fc00::1 fd12::1 fec0::1 64:ff9b:1::10.0.0.1"),
            (Scope::CarrierNat, "100.64.0.1 100.127.255.255 ::ffff:100.64.0.1"),
            (
                Scope::Documentation,
                "192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 198.19.1.1 2001:db8::1 3fff::1 2001:2::1",
            ),
            (Scope::Multicast, "224.0.0.251 239.1.1.1 255.255.255.255 ff02::fb"),
            (
                Scope::Reserved,
                "0.1.2.3 192.0.0.8 192.88.99.1 240.0.0.1 ::2 100::1 2001::1 4000::1 fe00::1",
            ),
            (
                Scope::Global,
                "1.1.1.1 11.0.0.1 172.32.0.1 172.15.0.1 100.63.0.1 100.128.0.1 192.167.1.1 8.8.8.8 2606:4700::1111 \
                 2001:4860:4860::8888 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1",
            ),
        ];
        for (scope, ips) in table {
            for ip in ips.split_whitespace() {
                assert_eq!(ip_scope(ip.parse().unwrap()), scope, "{ip}");
            }
        }
    }

    #[test]
    fn embeddings() {
        let ip = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let inner = Ipv4Addr::new(192, 168, 0, 1);
        assert_eq!(
            embedded(ip("::ffff:192.168.0.1")),
            Some(Embedding::V4Mapped(inner))
        );
        assert_eq!(
            embedded(ip("64:ff9b::192.168.0.1")),
            Some(Embedding::Nat64(inner))
        );
        assert_eq!(
            embedded(ip("2002:c0a8:1:5::9")),
            Some(Embedding::SixToFour(inner))
        );
        assert_eq!(embedded(ip("2001:db8::1")), None);
    }

    #[test]
    fn scope_of_an_address() {
        let of = |text: &str| scope(&text.parse().unwrap());
        assert_eq!(of("/ip4/127.0.0.1/tcp/1"), Some(Scope::Loopback));
        assert_eq!(of("/ip6zone/eth0/ip6/fe80::1/tcp/1"), Some(Scope::LinkLocal));
        assert_eq!(of("/dns4/localhost/tcp/1"), None);
        assert_eq!(of("/memory/1"), None);
    }
}
