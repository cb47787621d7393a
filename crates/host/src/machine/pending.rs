//! Places for inbound connections that are not established yet: fair before full.
//!
//! Places have quotas in all, per address and per subnet. A source that would exceed its own quota loses its oldest
//! place; when all places are taken, the source with the most of them does. The newcomer always gets in, so that a
//! flood from anywhere cannot lock anybody else out.

use super::source::{Source, Subnet, Visitor};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// How many inbound connections may be pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Quotas {
    /// In all.
    pub(crate) total: usize,
    /// From one address.
    pub(crate) per_address: usize,
    /// From one subnet: /24 of IPv4, /56 of IPv6. On loopback the address is the subnet.
    pub(crate) per_subnet: usize,
}

/// The table of pending places. `T` is what it takes to evict one.
#[derive(Debug)]
pub(crate) struct Pending<T> {
    quotas: Quotas,
    next: u64,
    /// With the source of who is not exempt.
    places: BTreeMap<u64, (Option<Source>, T)>,
    by_address: BTreeMap<IpAddr, BTreeSet<u64>>,
    by_subnet: BTreeMap<Subnet, BTreeSet<u64>>,
    /// The subnets by how many places they hold, then by how old their oldest place is: the last is the busiest.
    busiest: BTreeSet<(usize, Reverse<u64>, Subnet)>,
}

impl<T> Pending<T> {
    /// An empty table.
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self {
            quotas,
            next: 0,
            places: BTreeMap::new(),
            by_address: BTreeMap::new(),
            by_subnet: BTreeMap::new(),
            busiest: BTreeSet::new(),
        }
    }

    /// Gives a newcomer a place, and returns its number and whoever had to go.
    pub(crate) fn enter(&mut self, visitor: impl Into<Visitor>, place: T) -> (u64, Option<T>) {
        let Visitor { source, exempt } = visitor.into();
        let counted = (!exempt).then_some(source);
        let evicted = self.victim(counted.as_ref()).and_then(|id| self.leave(id));
        let id = self.next;
        self.next += 1;
        if let Some(source) = counted {
            if let Some(address) = source.address() {
                self.by_address.entry(address).or_default().insert(id);
            }
            self.resize(source.subnet(), |ids| ids.insert(id));
        }
        self.places.insert(id, (counted, place));
        (id, evicted)
    }

    /// Frees a place; `None` if it was evicted before.
    pub(crate) fn leave(&mut self, id: u64) -> Option<T> {
        let (source, place) = self.places.remove(&id)?;
        let Some(source) = source else {
            return Some(place);
        };
        if let Some(address) = source.address()
            && let Some(ids) = self.by_address.get_mut(&address)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_address.remove(&address);
            }
        }
        self.resize(source.subnet(), |ids| ids.remove(&id));
        Some(place)
    }

    /// Whether more than half of the places are taken: deadlines are short then, and addresses are validated.
    pub(crate) fn is_crowded(&self) -> bool {
        self.places.len() > self.quotas.total / 2
    }

    /// Who must go so that `newcomer` gets in.
    fn victim(&self, newcomer: Option<&Source>) -> Option<u64> {
        let oldest = |ids: &BTreeSet<u64>| ids.first().copied();
        let own_address = newcomer
            .and_then(Source::address)
            .and_then(|address| self.by_address.get(&address));
        if let Some(ids) = own_address.filter(|ids| ids.len() >= self.quotas.per_address) {
            return oldest(ids);
        }
        let own_subnet = newcomer.and_then(|newcomer| self.by_subnet.get(&newcomer.subnet()));
        if let Some(ids) = own_subnet.filter(|ids| ids.len() >= self.quotas.per_subnet) {
            return oldest(ids);
        }
        // If all are exempt, nobody goes: an operator who trusts more than there is room for gets it.
        if self.places.len() < self.quotas.total {
            return None;
        }
        let (.., busiest) = self.busiest.last()?;
        self.by_subnet.get(busiest).and_then(oldest)
    }

    fn resize(&mut self, subnet: Subnet, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let ids = self.by_subnet.entry(subnet).or_default();
        let rank = |ids: &BTreeSet<u64>| ids.first().map(|oldest| (ids.len(), Reverse(*oldest), subnet));
        let before = rank(ids);
        change(ids);
        let after = rank(ids);
        if after.is_none() {
            self.by_subnet.remove(&subnet);
        }
        if let Some(before) = before {
            self.busiest.remove(&before);
        }
        self.busiest.extend(after);
    }
}

#[cfg(test)]
mod tests {
    use super::{Pending, Quotas};
    use crate::machine::source::{Source, Visitor};
    use proptest::prelude::*;

    const QUOTAS: Quotas = Quotas {
        total: 8,
        per_address: 3,
        per_subnet: 5,
    };

    fn from(text: &str) -> Source {
        Source::of(&format!("/ip4/{text}/tcp/1").parse().expect("an address"))
    }

    #[test]
    fn a_full_quota_evicts_its_own_source() {
        let mut pending = Pending::new(QUOTAS);
        for n in 0..3 {
            assert_eq!(pending.enter(from("1.2.3.4"), n).1, None);
        }
        assert_eq!(
            pending.enter(from("1.2.3.4"), 3).1,
            Some(0),
            "the oldest of the address"
        );
        assert_eq!(pending.enter(from("1.2.3.5"), 4).1, None);
        assert_eq!(pending.enter(from("1.2.3.6"), 5).1, None);
        assert_eq!(
            pending.enter(from("1.2.3.7"), 6).1,
            Some(1),
            "the oldest of the subnet"
        );
        assert_eq!(pending.places.len(), 5);
    }

    #[test]
    fn when_all_is_taken_the_busiest_source_makes_room_and_the_newcomer_gets_in() {
        let mut pending = Pending::new(QUOTAS);
        pending.enter(from("9.9.9.9"), 100);
        for n in 0..5 {
            pending.enter(from(&format!("1.2.3.{n}")), n);
        }
        pending.enter(from("5.5.5.1"), 101);
        pending.enter(from("5.5.5.2"), 102);
        assert!(pending.is_crowded());
        assert_eq!(
            pending.enter(from("7.7.7.7"), 103).1,
            Some(0),
            "of the subnet with five"
        );
    }

    #[test]
    fn of_sources_with_as_many_places_the_one_that_is_pending_longest_makes_room() {
        let mut pending = Pending::new(QUOTAS);
        for (age, host) in [5, 3, 8, 1, 7, 2, 6, 4].into_iter().enumerate() {
            assert_eq!(pending.enter(from(&format!("10.0.{host}.1")), age).1, None);
        }
        for age in 0..8 {
            let (_, evicted) = pending.enter(from(&format!("10.1.{age}.1")), 100 + age);
            assert_eq!(evicted, Some(age), "whatever its address is");
        }
    }

    #[test]
    fn loopback_addresses_are_subnets_of_their_own() {
        let mut pending = Pending::new(QUOTAS);
        for n in 1..=8 {
            assert_eq!(pending.enter(from(&format!("127.0.0.{n}")), n).1, None);
        }
    }

    #[test]
    fn the_exempt_count_in_nobodys_quota_and_make_no_room() {
        let mut pending = Pending::new(QUOTAS);
        for n in 0..6 {
            let exempt = Visitor {
                source: from("1.2.3.4"),
                exempt: true,
            };
            assert_eq!(pending.enter(exempt, n).1, None, "twice the quota of an address");
        }
        for n in 6..8 {
            assert_eq!(pending.enter(from("1.2.3.4"), n).1, None);
        }
        assert_eq!(
            pending.enter(from("5.5.5.5"), 8).1,
            Some(6),
            "the oldest that is not exempt"
        );
        for id in 0..10 {
            pending.leave(id);
        }
        assert!(pending.places.is_empty());
    }

    proptest! {
        #[test]
        fn the_indexes_agree_with_the_places(moves in prop::collection::vec((0u8..12, 0u64..40, any::<bool>()), 0..200)) {
            let mut pending = Pending::new(QUOTAS);
            for (host, id, enter) in moves {
                if enter {
                    pending.enter(from(&format!("10.0.{}.{}", host % 3, host)), ());
                } else {
                    pending.leave(id);
                }
                let counted: usize = pending.by_subnet.values().map(std::collections::BTreeSet::len).sum();
                let addressed: usize = pending.by_address.values().map(std::collections::BTreeSet::len).sum();
                prop_assert_eq!((counted, addressed), (pending.places.len(), pending.places.len()));
                prop_assert_eq!(pending.busiest.len(), pending.by_subnet.len());
                prop_assert!(pending.places.len() <= QUOTAS.total);
                prop_assert!(pending.by_subnet.values().all(|ids| ids.len() <= QUOTAS.per_subnet));
            }
        }
    }
}
