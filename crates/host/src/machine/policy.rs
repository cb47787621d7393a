//! On whose word which addresses are dialled: nobody elsewhere makes this node connect to its own network.

use crate::address_policy::AddressPolicy;
use multiaddr::{Multiaddr, Protocol};
use sinew_addr::{Embedding, Scope};
use std::net::{IpAddr, Ipv6Addr};

/// Whose word an address of a dial is, the most trusted first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Origin {
    /// The application's, to the letter; or that of the peerstore, which takes in nothing that [`may_tell`] forbids.
    Application,
    /// That of whoever owns a name that the application gave.
    Name,
    /// That of others.
    Others,
}

impl Origin {
    /// The end of a sentence that begins with what kind of address it is.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Application => "given by the application",
            Self::Name => "behind a name",
            Self::Others => "on the word of others",
        }
    }
}

/// Why an address is not to be dialled, as the kind of address that it is; `None` if it may be.
pub(crate) fn forbids(policy: AddressPolicy, origin: Origin, addr: &Multiaddr) -> Option<&'static str> {
    match (policy, origin) {
        (AddressPolicy::Any, _) | (_, Origin::Application) | (AddressPolicy::LocalNames, Origin::Name) => {
            None
        }
        _ => addr.iter().find_map(|component| not_public(&component)),
    }
}

/// Whether a peer that is seen at `from` may tell of `addr`; `None` stands for somebody on the Internet. Names are
/// judged when they have been resolved.
///
/// Who is in a network of ours may tell of addresses in networks; who is on this machine, or reaches it by other ways
/// than IP, of this machine too.
pub(crate) fn may_tell(policy: AddressPolicy, from: Option<&Multiaddr>, addr: &Multiaddr) -> bool {
    if policy == AddressPolicy::Any {
        return true;
    }
    // What comes over a relay comes from anywhere.
    let near = match from.filter(|from| !sinew_addr::is_circuit(from)) {
        Some(from) => sinew_addr::scope(from).unwrap_or(Scope::Loopback),
        None => Scope::Global,
    };
    // Who is seen at a reserved address is far away as well: Teredo (RFC 4380) leads through the whole Internet.
    if !near.is_local() {
        return forbids(policy, Origin::Others, addr).is_none();
    }
    match sinew_addr::scope(addr) {
        Some(Scope::Loopback) => near == Scope::Loopback,
        scope => scope.is_none_or(|scope| scope.is_local() || scope.is_global()),
    }
}

/// What kind of address it is, if not one of the public Internet.
fn not_public(component: &Protocol<'_>) -> Option<&'static str> {
    let ip: IpAddr = match component {
        Protocol::Ip4(ip) => (*ip).into(),
        Protocol::Ip6(ip) => match embedding(*ip) {
            Some(kind) => return Some(kind),
            None => (*ip).into(),
        },
        _ => return None,
    };
    match sinew_addr::ip_scope(ip) {
        Scope::Global => None,
        Scope::Loopback => Some("a loopback address"),
        Scope::LinkLocal => Some("a link-local address"),
        Scope::Private => Some("a private address"),
        Scope::UniqueLocal => Some("a unique-local address"),
        Scope::CarrierNat => Some("an address behind a carrier's NAT"),
        Scope::Multicast => Some("a multicast address"),
        Scope::Unspecified => Some("an unspecified address"),
        _ => Some("a reserved address"),
    }
}

/// IPv4 in disguise: where it ends is for the system or a translator to say, not for the address.
fn embedding(ip: Ipv6Addr) -> Option<&'static str> {
    match (sinew_addr::embedded(ip), ip.segments()) {
        (Some(Embedding::V4Mapped(_)), _) => Some("an IPv4-mapped address"),
        // RFC 8215 gives 64:ff9b:1::/48 to translators of local networks.
        (Some(Embedding::Nat64(_)), _) | (_, [0x64, 0xff9b, 1, ..]) => Some("a NAT64 address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, forbids, may_tell};
    use crate::address_policy::AddressPolicy;
    use multiaddr::Multiaddr;
    use proptest::prelude::*;

    const LOCAL: [(&str, &str); 14] = [
        ("/ip4/127.0.0.1/tcp/1", "a loopback address"),
        ("/ip6/::1/tcp/1", "a loopback address"),
        ("/ip4/169.254.169.254/tcp/80", "a link-local address"),
        ("/ip6/fe80::1/udp/1/quic-v1", "a link-local address"),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", "a link-local address"),
        ("/ip4/192.168.0.1/tcp/1/ws", "a private address"),
        ("/ip6/fd00::1/tcp/1", "a unique-local address"),
        ("/ip4/100.64.0.1/tcp/1", "an address behind a carrier's NAT"),
        ("/ip6/::ffff:8.8.8.8/tcp/1", "an IPv4-mapped address"),
        ("/ip6/64:ff9b::8.8.8.8/tcp/1", "a NAT64 address"),
        ("/ip6/64:ff9b:1::8.8.8.8/tcp/1", "a NAT64 address"),
        ("/ip6/2002:7f00:1::1/tcp/1", "a loopback address"),
        ("/ip4/10.0.0.1/tcp/1/p2p-circuit", "a private address"),
        ("/ip4/0.0.0.0/tcp/1", "an unspecified address"),
    ];

    const PUBLIC: [&str; 4] = [
        "/ip4/8.8.8.8/tcp/1",
        "/ip6/2606:4700::1/udp/1/quic-v1",
        "/ip4/8.8.8.8/tcp/1/p2p-circuit",
        "/memory/1",
    ];

    fn addr(text: &str) -> Multiaddr {
        text.parse().expect("an address")
    }

    #[test]
    fn names_and_others_lead_to_public_addresses_only() {
        for (text, kind) in LOCAL {
            for origin in [Origin::Name, Origin::Others] {
                assert_eq!(
                    forbids(AddressPolicy::Public, origin, &addr(text)),
                    Some(kind),
                    "{text}"
                );
                assert_eq!(forbids(AddressPolicy::Any, origin, &addr(text)), None, "{text}");
            }
            let policy = AddressPolicy::LocalNames;
            assert_eq!(forbids(policy, Origin::Name, &addr(text)), None, "{text}");
            assert_eq!(forbids(policy, Origin::Others, &addr(text)), Some(kind), "{text}");
            assert_eq!(
                forbids(AddressPolicy::Public, Origin::Application, &addr(text)),
                None
            );
        }
        for text in PUBLIC {
            assert_eq!(
                forbids(AddressPolicy::Public, Origin::Others, &addr(text)),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn strangers_do_not_tell_of_our_networks_and_neighbours_not_of_our_machine() {
        let (far, relayed) = ("/ip4/8.8.8.8/tcp/1", "/ip4/10.0.0.9/tcp/1/p2p-circuit");
        let (neighbour, machine, memory) = ("/ip4/10.0.0.9/tcp/1", "/ip4/127.0.0.1/tcp/1", "/memory/2");
        let (teredo, nowhere) = ("/ip6/2001:0:4136:e378::1/tcp/1", "/ip4/192.0.2.1/tcp/1");
        for (from, to, allowed) in [
            (far, "/ip4/9.9.9.9/tcp/1", true),
            (far, "/ip4/10.0.0.1/tcp/1", false),
            (far, machine, false),
            (far, memory, true),
            (far, "/dns4/example.org/tcp/1", true),
            (teredo, "/ip4/9.9.9.9/tcp/1", true),
            (teredo, "/ip4/10.0.0.1/tcp/1", false),
            (nowhere, "/ip6/fe80::1/tcp/1", false),
            (relayed, "/ip4/10.0.0.1/tcp/1", false),
            (relayed, "/ip4/9.9.9.9/tcp/1", true),
            (neighbour, "/ip4/10.0.0.1/tcp/1", true),
            (neighbour, "/ip6/fe80::1/tcp/1", true),
            (neighbour, machine, false),
            (neighbour, "/ip4/0.0.0.0/tcp/1", false),
            (machine, machine, true),
            (machine, "/ip4/10.0.0.1/tcp/1", true),
            (memory, machine, true),
            (machine, "/ip4/224.0.0.1/tcp/1", false),
        ] {
            let (from, to) = (addr(from), addr(to));
            assert_eq!(
                may_tell(AddressPolicy::Public, Some(&from), &to),
                allowed,
                "{from} {to}"
            );
            assert!(may_tell(AddressPolicy::Any, Some(&from), &to));
        }
        for (text, _) in LOCAL {
            assert!(!may_tell(AddressPolicy::Public, None, &addr(text)), "{text}");
            let far = addr(far);
            assert!(
                !may_tell(AddressPolicy::LocalNames, Some(&far), &addr(text)),
                "{text}"
            );
        }
    }

    proptest! {
        /// Whatever somebody far away may tell of is what may be dialled on the word of others.
        #[test]
        fn the_two_rules_agree_about_strangers(ip in any::<std::net::IpAddr>(), relayed in any::<bool>()) {
            let mut told = Multiaddr::from(ip).with(multiaddr::Protocol::Tcp(1));
            if relayed {
                told.push(multiaddr::Protocol::P2pCircuit);
            }
            let dialled = forbids(AddressPolicy::Public, Origin::Others, &told).is_none();
            prop_assert_eq!(may_tell(AddressPolicy::Public, None, &told), dialled);
            prop_assert!(!dialled || sinew_addr::ip_scope(ip).is_global());
        }
    }
}
