//! How often a source may connect: a bucket of tokens an address and a subnet, in bounded tables.

use super::source::{Source, Subnet};
use crate::config::Rate;
use sinew_machine::Instant;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Sources that are remembered, addresses and subnets each. Beyond it, the one whose bucket is full soonest is forgotten:
/// who is forgotten starts with a full one.
const MAX_SOURCES: usize = 4096;

/// Whose bucket is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TooOften {
    Address(Rate),
    Subnet(Rate),
}

/// The buckets of all sources.
#[derive(Debug)]
pub(crate) struct Rates {
    addresses: Buckets<IpAddr>,
    subnets: Buckets<Subnet>,
}

impl Rates {
    pub(crate) fn new(per_address: Rate, per_subnet: Rate) -> Self {
        Self {
            addresses: Buckets::new(per_address),
            subnets: Buckets::new(per_subnet),
        }
    }

    /// Takes a token for a connection from `source`. One that may be forged gets at most half of the tokens, so that
    /// nobody can spend those of others: from there on, the source has to prove that it is there.
    pub(crate) fn take(&mut self, now: Instant, source: &Source, validated: bool) -> Result<(), TooOften> {
        // A source without an address (memory) is this very process.
        let Some(address) = source.address() else {
            return Ok(());
        };
        let subnet = source.subnet();
        // Both are asked before either is charged.
        let for_address = self.addresses.next(now, &address, validated);
        let for_subnet = self.subnets.next(now, &subnet, validated);
        let for_address = for_address.ok_or(TooOften::Address(self.addresses.rate))?;
        let for_subnet = for_subnet.ok_or(TooOften::Subnet(self.subnets.rate))?;
        self.addresses.set(now, address, for_address);
        self.subnets.set(now, subnet, for_subnet);
        Ok(())
    }
}

/// Buckets by when they are full again: what is missing from one is how far that lies ahead.
#[derive(Debug)]
struct Buckets<K> {
    rate: Rate,
    full_at: BTreeMap<K, Instant>,
    soonest: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Copy> Buckets<K> {
    fn new(rate: Rate) -> Self {
        let (full_at, soonest) = (BTreeMap::new(), BTreeSet::new());
        Self {
            rate,
            full_at,
            soonest,
        }
    }

    /// When the bucket is full again if a token is taken now; `None` when there is none.
    fn next(&self, now: Instant, key: &K, validated: bool) -> Option<Instant> {
        let (burst, refill) = (self.rate.burst, self.rate.refill());
        let tokens = if validated { burst } else { burst.div_ceil(2) };
        let full_at = self.full_at.get(key).map_or(now, |full_at| now.max(*full_at));
        let next = full_at + refill;
        (next - now <= refill.saturating_mul(tokens)).then_some(next)
    }

    fn set(&mut self, now: Instant, key: K, full_at: Instant) {
        if self.rate.refill().is_zero() {
            return;
        }
        self.forget_full(now);
        match self.full_at.insert(key, full_at) {
            Some(before) => drop(self.soonest.remove(&(before, key))),
            None if self.full_at.len() > MAX_SOURCES => {
                if let Some((_, soonest)) = self.soonest.pop_first() {
                    self.full_at.remove(&soonest);
                }
            }
            None => {}
        }
        self.soonest.insert((full_at, key));
    }

    fn forget_full(&mut self, now: Instant) {
        while let Some((full_at, key)) = self.soonest.first().copied().filter(|(at, _)| *at <= now) {
            self.soonest.remove(&(full_at, key));
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SOURCES, Rates, TooOften};
    use crate::{config::Rate, machine::source::Source};
    use proptest::prelude::*;
    use sinew_machine::Instant;
    use std::time::Duration;

    const ADDRESS: Rate = Rate::new(4, 1000);
    const SUBNET: Rate = Rate::new(6, 500);

    fn from(text: &str) -> Source {
        Source::of(&format!("/ip4/{text}/tcp/1").parse().expect("an address"))
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_and_then_one_each_refill() {
        let mut rates = Rates::new(ADDRESS, SUBNET);
        let mut take = |now, text: &str| rates.take(at(now), &from(text), true);
        for _ in 0..4 {
            assert_eq!(take(10, "1.2.3.4"), Ok(()));
        }
        assert_eq!(take(10, "1.2.3.4"), Err(TooOften::Address(ADDRESS)));
        assert_eq!((take(10, "1.2.3.5"), take(10, "1.2.3.5")), (Ok(()), Ok(())));
        assert_eq!(
            take(10, "1.2.3.5"),
            Err(TooOften::Subnet(SUBNET)),
            "the subnet's six"
        );
        assert_eq!(take(10, "1.2.4.5"), Ok(()), "another subnet");
        assert_eq!(take(11, "1.2.3.4"), Ok(()));
        assert_eq!(take(11, "1.2.3.4"), Err(TooOften::Address(ADDRESS)));
        for _ in 0..4 {
            assert_eq!(take(99, "1.2.3.4"), Ok(()), "full again, and no more than full");
        }
        assert_eq!(take(99, "1.2.3.4"), Err(TooOften::Address(ADDRESS)));
    }

    #[test]
    fn forged_addresses_spend_half_of_the_tokens_of_who_lives_there() {
        let mut rates = Rates::new(ADDRESS, SUBNET);
        for spent in 0..10 {
            assert_eq!(rates.take(at(1), &from("1.2.3.4"), false).is_ok(), spent < 2);
        }
        for spent in 0..10 {
            assert_eq!(rates.take(at(1), &from("1.2.3.4"), true).is_ok(), spent < 2);
        }
    }

    #[test]
    fn without_a_limit_nothing_is_kept() {
        let mut rates = Rates::new(Rate::UNLIMITED, Rate::UNLIMITED);
        for _ in 0..1000 {
            assert_eq!(rates.take(at(1), &from("1.2.3.4"), true), Ok(()));
        }
        assert!(rates.addresses.full_at.is_empty() && rates.subnets.full_at.is_empty());
    }

    #[test]
    fn the_tables_are_bounded_and_forget_who_waited_longest() {
        let mut rates = Rates::new(Rate::new(4, 1_000_000), Rate::UNLIMITED);
        for _ in 0..4 {
            rates.take(at(1), &from("9.9.9.9"), true).expect("it has four");
        }
        for n in 0..2 * MAX_SOURCES {
            let source = from(&format!("10.{}.{}.1", n / 256, n % 256));
            rates.take(at(1), &source, true).expect("its first");
        }
        assert_eq!(rates.addresses.full_at.len(), MAX_SOURCES);
        assert_eq!(rates.addresses.soonest.len(), MAX_SOURCES);
        let busiest = rates.take(at(1), &from("9.9.9.9"), true);
        assert!(busiest.is_err(), "who came most is remembered");
    }

    proptest! {
        /// In no stretch of time does a source get more than a burst and what was refilled meanwhile.
        #[test]
        fn nobody_gets_more_than_the_rate(steps in prop::collection::vec((0u8..3, 0u64..3000), 1..200)) {
            let mut rates = Rates::new(ADDRESS, Rate::UNLIMITED);
            let mut now = Instant::ZERO;
            let mut taken: [Vec<Instant>; 3] = Default::default();
            for (host, wait) in steps {
                now = now + Duration::from_millis(wait);
                if rates.take(now, &from(&format!("1.2.{host}.4")), true).is_ok() {
                    taken[usize::from(host)].push(now);
                }
            }
            for taken in taken {
                for (n, from) in taken.iter().enumerate() {
                    for (m, to) in taken.iter().enumerate().skip(n) {
                        let refilled = (*to - *from).as_secs();
                        prop_assert!(((m - n + 1) as u64) <= u64::from(ADDRESS.burst) + refilled);
                    }
                }
            }
            prop_assert_eq!(rates.addresses.full_at.len(), rates.addresses.soonest.len());
        }
    }
}
