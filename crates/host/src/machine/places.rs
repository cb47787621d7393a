//! Places for established inbound connections: fair before full.
//!
//! Places have quotas in all, per address and per subnet. Who comes when a quota is full takes the place of a connection
//! that nobody uses: one of its own source, or of a source that has more places, the busiest first. One place in eight is
//! kept for sources that have few. Only when nothing can make room is the newcomer refused, and that is known before any
//! handshake.

use super::source::{Source, Subnet, Visitor};
use sinew_machine::{ConnectionId, Instant};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// One place in so many is kept for sources that have few.
pub(crate) const RESERVED: usize = 8;

/// Fewer places than these are few: a home has some machines.
const FEW: usize = 4;

/// How many inbound connections may be established.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Quotas {
    /// In all.
    pub(crate) total: usize,
    /// From one address.
    pub(crate) per_address: usize,
    /// From one subnet.
    pub(crate) per_subnet: usize,
}

/// The quota that is full, and nobody in it can make room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    /// All places that the newcomer may have.
    Total { used: usize, limit: usize },
    /// Those of its address.
    Address { used: usize, limit: usize },
    /// Those of its subnet.
    Subnet { used: usize, limit: usize },
}

/// The table of established inbound connections. `T` is what is known of one.
#[derive(Debug)]
pub(crate) struct Places<T> {
    quotas: Quotas,
    places: BTreeMap<ConnectionId, (Source, T)>,
    by_address: BTreeMap<IpAddr, BTreeSet<ConnectionId>>,
    by_subnet: BTreeMap<Subnet, BTreeSet<ConnectionId>>,
    /// The subnets by how many places they hold: the last is the busiest.
    busiest: BTreeSet<(usize, Subnet)>,
}

impl<T> Places<T> {
    /// An empty table.
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self {
            quotas,
            places: BTreeMap::new(),
            by_address: BTreeMap::new(),
            by_subnet: BTreeMap::new(),
            busiest: BTreeSet::new(),
        }
    }

    /// Gives a newcomer a place, whatever the quotas say.
    pub(crate) fn enter(&mut self, id: ConnectionId, source: Source, place: T) {
        if let Some(address) = source.address() {
            self.by_address.entry(address).or_default().insert(id);
        }
        self.resize(source.subnet(), |ids| ids.insert(id));
        self.places.insert(id, (source, place));
    }

    /// Frees a place; `None` if it made room for another before.
    pub(crate) fn leave(&mut self, id: ConnectionId) -> Option<T> {
        let (source, place) = self.places.remove(&id)?;
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

    /// Who has to leave so that a newcomer may enter; `unused` says since when a connection is of no use, `None` while
    /// it is of use.
    pub(crate) fn victim(
        &self,
        visitor: &Visitor,
        unused: impl Fn(&T) -> Option<Instant>,
    ) -> Result<Option<ConnectionId>, Full> {
        let (Visitor { source, exempt }, unused) = (visitor, &unused);
        let own = |ids: &BTreeSet<ConnectionId>| self.longest_unused(ids, unused).map(|(_, id)| id);
        let subnet = self.by_subnet.get(&source.subnet());
        let count = subnet.filter(|_| !exempt).map_or(0, BTreeSet::len);
        // A source without an address (memory) is this very process.
        if let Some(address) = source.address().filter(|_| !exempt) {
            let Quotas {
                per_address,
                per_subnet,
                ..
            } = self.quotas;
            let address = self.by_address.get(&address);
            if let Some(ids) = address.filter(|ids| ids.len() >= per_address) {
                let (used, limit) = (ids.len(), per_address);
                return own(ids).map(Some).ok_or(Full::Address { used, limit });
            }
            if let Some(ids) = subnet.filter(|ids| ids.len() >= per_subnet) {
                let (used, limit) = (ids.len(), per_subnet);
                return own(ids).map(Some).ok_or(Full::Subnet { used, limit });
            }
        }
        let (used, limit) = (self.places.len(), self.limit(count));
        if used < limit {
            return Ok(None);
        }
        let victim = self.of_busier(count, unused).or_else(|| subnet.and_then(own));
        victim.map(Some).ok_or(Full::Total { used, limit })
    }

    /// How many places may be taken so that a source with `count` of them gets one more.
    fn limit(&self, count: usize) -> usize {
        let total = self.quotas.total;
        if count < FEW {
            total
        } else {
            total - total / RESERVED
        }
    }

    /// The connection that is unused for longest, of the busiest sources that have one and more than `count` places.
    fn of_busier(&self, count: usize, unused: &impl Fn(&T) -> Option<Instant>) -> Option<ConnectionId> {
        let mut found: Option<(usize, (Instant, ConnectionId))> = None;
        for (held, subnet) in self.busiest.iter().rev().take_while(|(held, _)| *held > count) {
            if found.is_some_and(|(most, _)| most > *held) {
                break;
            }
            let longest = self
                .by_subnet
                .get(subnet)
                .and_then(|ids| self.longest_unused(ids, unused));
            let best = found.map(|(_, best)| best);
            found = longest.into_iter().chain(best).min().map(|best| (*held, best));
        }
        found.map(|(_, (_, id))| id)
    }

    fn longest_unused(
        &self,
        ids: &BTreeSet<ConnectionId>,
        unused: &impl Fn(&T) -> Option<Instant>,
    ) -> Option<(Instant, ConnectionId)> {
        ids.iter()
            .filter_map(|id| Some((unused(&self.places.get(id)?.1)?, *id)))
            .min()
    }

    fn resize(&mut self, subnet: Subnet, change: impl FnOnce(&mut BTreeSet<ConnectionId>) -> bool) {
        let ids = self.by_subnet.entry(subnet).or_default();
        self.busiest.remove(&(ids.len(), subnet));
        change(ids);
        if ids.is_empty() {
            self.by_subnet.remove(&subnet);
        } else {
            self.busiest.insert((ids.len(), subnet));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Full, Places, Quotas, RESERVED};
    use crate::machine::source::{Source, Visitor};
    use proptest::prelude::*;
    use sinew_machine::{ConnectionId, Instant};
    use std::collections::BTreeMap;

    const QUOTAS: Quotas = Quotas {
        total: 16,
        per_address: 3,
        per_subnet: 5,
    };

    fn from(text: &str) -> Source {
        Source::of(&format!("/ip4/{text}/tcp/1").parse().expect("an address"))
    }

    /// A table of connections that say themselves since when they are unused.
    struct Rig {
        places: Places<(u64, Option<Instant>)>,
        next: u64,
    }

    impl Rig {
        fn new(quotas: Quotas) -> Self {
            let places = Places::new(quotas);
            Self { places, next: 0 }
        }

        /// Enters with the next id; `unused` in seconds. Who had to go, by id.
        fn enter(&mut self, source: Source, unused: Option<u64>) -> Result<Option<u64>, Full> {
            let (id, unused) = (self.next, unused.map(Instant));
            self.next += 1;
            let victim = self.places.victim(&source.into(), |(_, unused)| *unused)?;
            let evicted = victim.and_then(|id| self.places.leave(id));
            self.places.enter(ConnectionId(id), source, (id, unused));
            Ok(evicted.map(|(id, _)| id))
        }
    }

    #[test]
    fn a_full_address_and_a_full_subnet_give_up_their_own() {
        let mut rig = Rig::new(QUOTAS);
        for unused in [None, Some(20), Some(10)] {
            assert_eq!(rig.enter(from("1.2.3.4"), unused), Ok(None));
        }
        assert_eq!(
            rig.enter(from("1.2.3.4"), None),
            Ok(Some(2)),
            "unused for longest"
        );
        assert_eq!(rig.enter(from("1.2.3.4"), None), Ok(Some(1)));
        let full = Full::Address { used: 3, limit: 3 };
        assert_eq!(rig.enter(from("1.2.3.4"), Some(1)), Err(full), "all are in use");
        assert_eq!(rig.enter(from("1.2.3.5"), None), Ok(None));
        assert_eq!(rig.enter(from("1.2.3.6"), None), Ok(None));
        let full = Full::Subnet { used: 5, limit: 5 };
        assert_eq!(rig.enter(from("1.2.3.7"), None), Err(full));
    }

    #[test]
    fn the_busiest_source_makes_room_first_and_what_is_in_use_never() {
        let mut rig = Rig::new(QUOTAS);
        // Five of one subnet, of which one is unused; then one each of others, unused for longer.
        for host in 0..5 {
            rig.enter(from(&format!("9.9.9.{host}")), (host == 3).then_some(50))
                .expect("room");
        }
        for host in 0..11 {
            rig.enter(from(&format!("10.0.{host}.1")), Some(1 + host))
                .expect("room");
        }
        assert_eq!(rig.enter(from("7.7.7.1"), Some(99)), Ok(Some(3)));
        assert_eq!(
            rig.enter(from("7.7.8.1"), Some(99)),
            Ok(Some(5)),
            "of equals, unused for longest"
        );
    }

    #[test]
    fn nobody_makes_room_for_a_source_that_has_as_many() {
        let mut rig = Rig::new(QUOTAS);
        for host in 0..16 {
            rig.enter(from(&format!("10.0.{host}.1")), (host != 0).then_some(host))
                .expect("room");
        }
        let refused = rig.enter(from("10.0.0.2"), Some(1));
        assert_eq!(
            refused,
            Err(Full::Total { used: 16, limit: 16 }),
            "its own is in use"
        );
        assert_eq!(
            rig.enter(from("10.0.5.2"), Some(1)),
            Ok(Some(5)),
            "its own is not"
        );
        assert_eq!(
            rig.enter(from("10.9.0.1"), Some(1)),
            Ok(Some(1)),
            "of equals, unused for longest"
        );
    }

    #[test]
    fn the_reserve_is_for_those_who_have_few() {
        let quotas = Quotas {
            per_subnet: 16,
            ..QUOTAS
        };
        let mut rig = Rig::new(quotas);
        let free = QUOTAS.total - QUOTAS.total / RESERVED;
        for host in 0..free {
            assert_eq!(rig.enter(from(&format!("1.2.3.{host}")), None), Ok(None));
        }
        let full = Full::Total {
            used: free,
            limit: free,
        };
        assert_eq!(rig.enter(from("1.2.3.99"), None), Err(full));
        assert_eq!(rig.enter(from("4.4.4.4"), None), Ok(None), "it has none");
        assert_eq!(rig.enter(from("5.5.5.5"), None), Ok(None));
        let full = Full::Total { used: 16, limit: 16 };
        assert_eq!(rig.enter(from("6.6.6.6"), None), Err(full));
    }

    #[test]
    fn no_quota_of_its_source_holds_for_the_exempt() {
        let mut rig = Rig::new(QUOTAS);
        for _ in 0..3 {
            rig.enter(from("1.2.3.4"), None).expect("room");
        }
        let exempt = Visitor {
            source: from("1.2.3.4"),
            exempt: true,
        };
        assert_eq!(rig.places.victim(&exempt, |(_, unused)| *unused), Ok(None));
        for host in 0..13 {
            rig.enter(from(&format!("10.0.{host}.1")), None).expect("room");
        }
        let full = Full::Total { used: 16, limit: 16 };
        assert_eq!(
            rig.places.victim(&exempt, |(_, unused)| *unused),
            Err(full),
            "there is no room at all"
        );
    }

    #[test]
    fn memory_is_one_source_without_quotas_of_its_own() {
        let memory = || Source::of(&"/memory/1".parse().expect("an address"));
        let mut rig = Rig::new(QUOTAS);
        for unused in 0..QUOTAS.total - QUOTAS.total / RESERVED {
            assert_eq!(rig.enter(memory(), Some(unused as u64)), Ok(None));
        }
        assert_eq!(
            rig.enter(memory(), None),
            Ok(Some(0)),
            "a newcomer always gets in"
        );
    }

    proptest! {
        #[test]
        fn the_indexes_agree_and_only_the_unused_make_room(
            moves in prop::collection::vec((0u8..40, 0u64..60, any::<bool>(), prop::option::of(0u64..50)), 0..300)
        ) {
            let mut rig = Rig::new(QUOTAS);
            // What should be there, by id: its subnet, its host, and since when it is unused.
            let mut model: BTreeMap<u64, (u8, u8, Option<u64>)> = BTreeMap::new();
            for (host, id, enter, unused) in moves {
                if !enter {
                    prop_assert_eq!(rig.places.leave(ConnectionId(id)).is_some(), model.remove(&id).is_some());
                    continue;
                }
                let (subnet, newcomer) = (host % 10, rig.next);
                let held = |wanted: u8| model.values().filter(|(subnet, ..)| *subnet == wanted).count();
                let own = held(subnet);
                match rig.enter(from(&format!("10.0.{subnet}.{host}")), unused) {
                    Ok(evicted) => {
                        if let Some(evicted) = evicted {
                            let (loser, _, since) = model[&evicted];
                            prop_assert!(since.is_some(), "it was in use");
                            prop_assert!(loser == subnet || held(loser) > own, "from a poorer source");
                            model.remove(&evicted);
                        }
                        model.insert(newcomer, (subnet, host, unused));
                    }
                    Err(full) => {
                        let could = |(of, from, since): &(u8, u8, Option<u64>)| {
                            since.is_some() && match full {
                                Full::Address { .. } => *from == host,
                                Full::Subnet { .. } => *of == subnet,
                                Full::Total { .. } => *of == subnet || held(*of) > own,
                            }
                        };
                        prop_assert!(!model.values().any(could), "somebody could have made room");
                        if let Full::Total { .. } = full {
                            let reserved = if own < FEW { 0 } else { QUOTAS.total / RESERVED };
                            prop_assert!(model.len() + reserved >= QUOTAS.total, "there was room");
                        }
                    }
                }
                let places = &rig.places;
                let counted: usize = places.by_subnet.values().map(std::collections::BTreeSet::len).sum();
                let addressed: usize = places.by_address.values().map(std::collections::BTreeSet::len).sum();
                prop_assert_eq!((counted, addressed), (model.len(), model.len()));
                prop_assert_eq!(places.places.len(), model.len());
                prop_assert_eq!(places.busiest.len(), places.by_subnet.len());
                prop_assert!(model.len() <= QUOTAS.total);
                prop_assert!(places.by_address.values().all(|ids| ids.len() <= QUOTAS.per_address));
                prop_assert!(places.by_subnet.values().all(|ids| ids.len() <= QUOTAS.per_subnet));
            }
        }
    }
}
