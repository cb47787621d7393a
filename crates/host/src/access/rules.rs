//! The rules: parsing, order, and which one judges.

use super::{
    error::{AccessError, Malformed},
    target::{NoTarget, Target},
};
use multiaddr::Multiaddr;
use sinew_addr::IpRange;
use sinew_identity::PeerId;
use std::{collections::BTreeMap, fmt};

/// Rules that the lists may have. A file of them is a MiB.
const MAX_RULES: usize = 16_384;

/// Which list a target is on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// The allow list.
    Allow,
    /// The deny list.
    Deny,
}

/// All rules, one a target.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Rules(BTreeMap<Target, Access>);

impl Rules {
    /// Reads a rule a line.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut rules = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(list) = words.next() else { continue };
            let access = match list {
                "allow" => Access::Allow,
                "deny" => Access::Deny,
                _ => return Err(Malformed::new(number, "a rule begins with allow or deny")),
            };
            let (Some(target), None) = (words.next(), words.next()) else {
                return Err(Malformed::new(number, "a rule has one address, subnet or peer"));
            };
            let target = target.parse();
            let target = target.map_err(|NoTarget| Malformed::new(number, NoTarget::TEXT))?;
            rules
                .set(target, access)
                .map_err(|_| Malformed::new(number, "more rules than there may be"))?;
        }
        Ok(rules)
    }

    pub(super) fn set(&mut self, target: Target, access: Access) -> Result<(), AccessError> {
        if self.0.len() >= MAX_RULES && !self.0.contains_key(&target) {
            return Err(AccessError::Full { max: MAX_RULES });
        }
        self.0.insert(target, access);
        Ok(())
    }

    pub(super) fn remove(&mut self, target: &Target) {
        self.0.remove(target);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Target, Access)> + '_ {
        self.0.iter().map(|(target, access)| (*target, *access))
    }

    pub(super) fn of_peer(&self, peer: &PeerId) -> Option<Access> {
        self.0.get(&Target::Peer(*peer)).copied()
    }

    /// The rule of the narrowest subnet that the address is in.
    pub(super) fn of_addr(&self, addr: &Multiaddr) -> Option<Access> {
        if self.0.is_empty() {
            return None;
        }
        let address = crate::machine::source::Source::of(addr).address()?;
        let mut subnets = IpRange::from(address).and_wider();
        subnets.find_map(|subnet| self.0.get(&subnet.into()).copied())
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(target, access)| match access {
            Access::Allow => writeln!(f, "allow {target}"),
            Access::Deny => writeln!(f, "deny {target}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, MAX_RULES, Rules};
    use proptest::prelude::*;
    use sinew_addr::IpRange;
    use sinew_identity::PeerId;
    use std::net::IpAddr;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn the_narrowest_subnet_judges() {
        let text = format!(
            "# a comment\n\nallow 10.1.2.3 # a friend\n deny  10.1.0.0/16\nallow 10.0.0.0/8\ndeny 2001:db8::/32\nallow 2001:db8::1\ndeny {PEER}"
        );
        let rules = Rules::parse(&text).expect("well-formed");
        for (addr, access) in [
            ("/ip4/10.1.2.3/tcp/1", Some(Access::Allow)),
            ("/ip4/10.1.2.4/udp/1/quic-v1", Some(Access::Deny)),
            ("/ip6/::ffff:10.1.2.4/tcp/1", Some(Access::Deny)),
            ("/ip4/10.2.2.4/tcp/1", Some(Access::Allow)),
            ("/ip4/11.2.2.4/tcp/1", None),
            ("/ip6/2001:db8::2/tcp/1", Some(Access::Deny)),
            ("/ip6/2001:db8::1/tcp/1", Some(Access::Allow)),
            ("/memory/1", None),
        ] {
            assert_eq!(
                rules.of_addr(&addr.parse().expect("an address")),
                access,
                "{addr}"
            );
        }
        assert_eq!(rules.of_peer(&PEER.parse().expect("a peer")), Some(Access::Deny));
        assert_eq!(rules.of_peer(&PeerId::random()), None);
        assert_eq!(Rules::parse(&rules.to_string()), Ok(rules));
    }

    #[test]
    fn what_is_no_rule_is_named_by_its_line() {
        for bad in [
            "permit 1.2.3.4",
            "allow",
            "allow 1.2.3.4 1.2.3.5",
            "deny 1.2.3",
            "deny 1.2.3.4/33",
            "deny 1.2.3.4/",
            "deny 1.2.3.4/24",
            "deny ::/129",
            "deny ::ffff:1.2.3.4/90",
            "allow 12D3KooW",
        ] {
            let error = Rules::parse(&format!("allow 1.2.3.4\n{bad}\n")).expect_err(bad);
            assert_eq!(error.line, 2, "{bad}: {error}");
        }
    }

    #[test]
    fn the_number_of_rules_is_bounded() {
        let line = |n: usize| format!("deny 10.{}.{}.{}\n", n >> 16, (n >> 8) & 255, n & 255);
        let text: String = (0..=MAX_RULES).map(line).collect();
        assert_eq!(Rules::parse(&text).expect_err("one too many").line, MAX_RULES + 1);
        assert!(Rules::parse(text.trim_end().rsplit_once('\n').expect("lines").0).is_ok());
    }

    proptest! {
        #[test]
        fn a_subnet_of_any_width_holds_what_shares_its_bits(address: u32, other: u32, bits in 0u8..=32) {
            let (address, other) = (IpAddr::from(address.to_be_bytes()), IpAddr::from(other.to_be_bytes()));
            let subnet = IpRange::around(address, bits);
            let rules = Rules::parse(&format!("deny {subnet}")).expect("well-formed");
            let number = |address: IpAddr| match address {
                IpAddr::V4(v4) => u64::from(v4.to_bits()),
                IpAddr::V6(_) => unreachable!("made of four bytes"),
            };
            let same = number(address) >> (32 - bits) == number(other) >> (32 - bits);
            let found = rules.of_addr(&format!("/ip4/{other}/tcp/1").parse().expect("an address"));
            prop_assert_eq!(found.is_some(), same);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(allow|deny|[ -~]{0,3})?[ \n]?[ -~\n]{0,60}") {
            if let Ok(rules) = Rules::parse(&text) {
                prop_assert_eq!(Rules::parse(&rules.to_string()), Ok(rules));
            }
        }
    }
}
