//! Quotas, who makes room, and what is kept for sources that have few.

use super::{FEW, Full, LOOKS, Places, Quotas, RESERVED};
use crate::machine::source::{Source, Visitor};
use proptest::prelude::*;
use sinew_machine::{ConnectionId, Instant};
use std::{cell::Cell, collections::BTreeMap};

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
    fn enter(&mut self, visitor: impl Into<Visitor>, unused: Option<u64>) -> Result<Option<u64>, Full> {
        let (visitor, id, unused) = (visitor.into(), self.next, unused.map(Instant));
        self.next += 1;
        let admitted = self.places.admits(&visitor, |(_, unused)| unused.is_some());
        let victim = self.places.victim(&visitor, |(_, unused)| *unused);
        assert_eq!(admitted.err(), victim.err(), "both say the same");
        let evicted = victim?.and_then(|id| self.places.leave(id));
        self.places.enter(ConnectionId(id), &visitor, (id, unused));
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
fn the_exempt_take_no_place_from_their_source_and_make_no_room() {
    let mut rig = Rig::new(QUOTAS);
    for _ in 0..4 {
        let friend = Visitor {
            source: from("1.2.3.4"),
            exempt: true,
        };
        assert_eq!(rig.enter(friend, Some(0)), Ok(None));
    }
    for unused in 1..4 {
        assert_eq!(rig.enter(from("1.2.3.4"), Some(unused)), Ok(None));
    }
    assert_eq!(rig.enter(from("1.2.3.4"), Some(9)), Ok(Some(4)));
    for host in 0..9 {
        rig.enter(from(&format!("10.0.{host}.1")), None).expect("room");
    }
    assert_eq!(rig.enter(from("7.7.7.7"), None), Ok(Some(5)), "not a friend");
    for id in 0..4 {
        assert!(rig.places.leave(ConnectionId(id)).is_some());
    }
    assert_eq!(
        rig.enter(from("7.7.7.8"), None),
        Ok(None),
        "their places count in all"
    );
}

#[test]
fn a_newcomer_looks_at_few_however_many_could_make_room() {
    let quotas = Quotas {
        total: 4096,
        ..QUOTAS
    };
    let mut rig = Rig::new(quotas);
    for host in 0..4096u64 {
        let source = from(&format!("10.{}.{}.1", host / 256, host % 256));
        let unused = (host >= 100).then_some(5000 - host);
        rig.places
            .enter(ConnectionId(host), &source.into(), (host, unused.map(Instant)));
    }
    let (looks, newcomer) = (Cell::new(0), from("7.7.7.7").into());
    let look = |unused: Option<Instant>| {
        looks.set(looks.get() + 1);
        unused
    };
    let admitted = rig
        .places
        .admits(&newcomer, |(_, unused)| look(*unused).is_some());
    assert_eq!((admitted, looks.take()), (Ok(()), 101), "as far as the first");
    let victim = rig.places.victim(&newcomer, |(_, unused)| look(*unused));
    assert_eq!((victim, looks.take()), (Ok(Some(ConnectionId(100))), 101));
    for host in 0..100 {
        rig.places.leave(ConnectionId(host));
        rig.places.enter(
            ConnectionId(5000 + host),
            &from(&format!("11.1.{host}.1")).into(),
            (0, None),
        );
    }
    let victim = rig.places.victim(&newcomer, |(_, unused)| look(*unused));
    let oldest = 100 + LOOKS as u64 - 1;
    assert_eq!(
        victim,
        Ok(Some(ConnectionId(oldest))),
        "unused for longest of the oldest"
    );
    assert_eq!(looks.take(), LOOKS);
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
