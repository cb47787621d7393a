//! Places for established inbound connections: fair before full.
//!
//! Places have quotas in all, per address and per subnet. Who comes when a quota is full takes the place of a connection
//! that nobody uses: one of its own source, or of a source that has more places, the busiest first. One place in eight is
//! kept for sources that have few. Only when nothing can make room is the newcomer refused, and that is known before any
//! handshake.

use super::source::{Source, Subnet, Visitor};
use sinew_machine::{ConnectionId, Instant};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// One place in so many is kept for sources that have few.
pub(crate) const RESERVED: usize = 8;

/// Fewer places than these are few: a home has some machines.
const FEW: usize = 4;

/// Of equals, so many of the oldest are compared before one makes room: a newcomer costs no more in a crowd.
const LOOKS: usize = 64;

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
    /// With the source of who is not exempt.
    places: BTreeMap<ConnectionId, (Option<Source>, T)>,
    by_address: BTreeMap<IpAddr, BTreeSet<ConnectionId>>,
    by_subnet: BTreeMap<Subnet, BTreeSet<ConnectionId>>,
    /// The subnets by how many places they hold, then by how old their oldest place is: the last is the busiest.
    busiest: BTreeSet<(usize, Reverse<ConnectionId>, Subnet)>,
}

/// Of whom one has to leave so that a newcomer may enter.
struct Wanted<'a> {
    /// The quota that is full.
    full: Full,
    /// Subnets with more places than these come first.
    busier_than: usize,
    /// The newcomer's own.
    own: Option<&'a BTreeSet<ConnectionId>>,
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

    /// Gives a newcomer a place, whatever the quotas say. Who is exempt takes none from its source.
    pub(crate) fn enter(&mut self, id: ConnectionId, visitor: &Visitor, place: T) {
        let counted = (!visitor.exempt).then_some(visitor.source);
        if let Some(source) = counted {
            if let Some(address) = source.address() {
                self.by_address.entry(address).or_default().insert(id);
            }
            self.resize(source.subnet(), |ids| ids.insert(id));
        }
        self.places.insert(id, (counted, place));
    }

    /// Frees a place; `None` if it made room for another before.
    pub(crate) fn leave(&mut self, id: ConnectionId) -> Option<T> {
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

    /// Whether a newcomer may enter, if somebody leaves for it where need be; `unused` says whether a connection may.
    pub(crate) fn admits(&self, visitor: &Visitor, unused: impl Fn(&T) -> bool) -> Result<(), Full> {
        let Some(wanted) = self.wanted(visitor) else {
            return Ok(());
        };
        let mut candidates = self.candidates(&wanted);
        let found = candidates.any(|(_, _, place)| unused(place));
        found.then_some(()).ok_or(wanted.full)
    }

    /// Who has to leave so that a newcomer may enter; `unused` says since when a connection is of no use, `None` while
    /// it is of use.
    pub(crate) fn victim(
        &self,
        visitor: &Visitor,
        unused: impl Fn(&T) -> Option<Instant>,
    ) -> Result<Option<ConnectionId>, Full> {
        let Some(wanted) = self.wanted(visitor) else {
            return Ok(None);
        };
        let mut found: Option<(usize, (Instant, ConnectionId))> = None;
        for (looked, (held, id, place)) in self.candidates(&wanted).enumerate() {
            if found.is_some_and(|(most, _)| most > held || looked >= LOOKS) {
                break;
            }
            let best = found.map(|(_, best)| best);
            let since = unused(place).map(|since| (since, id));
            found = since.into_iter().chain(best).min().map(|best| (held, best));
        }
        found.map(|(_, (_, id))| Some(id)).ok_or(wanted.full)
    }

    /// Nobody while there is room.
    fn wanted(&self, visitor: &Visitor) -> Option<Wanted<'_>> {
        let Visitor { source, exempt } = visitor;
        let subnet = self.by_subnet.get(&source.subnet()).filter(|_| !exempt);
        let of_source = |full, own| Wanted {
            full,
            busier_than: usize::MAX,
            own: Some(own),
        };
        // A source without an address (memory) is this very process.
        if let Some(address) = source.address().filter(|_| !exempt) {
            let (quotas, address) = (&self.quotas, self.by_address.get(&address));
            if let Some(ids) = address.filter(|ids| ids.len() >= quotas.per_address) {
                let (used, limit) = (ids.len(), quotas.per_address);
                return Some(of_source(Full::Address { used, limit }, ids));
            }
            if let Some(ids) = subnet.filter(|ids| ids.len() >= quotas.per_subnet) {
                let (used, limit) = (ids.len(), quotas.per_subnet);
                return Some(of_source(Full::Subnet { used, limit }, ids));
            }
        }
        let count = subnet.map_or(0, BTreeSet::len);
        let (used, limit) = (self.places.len(), self.limit(count));
        (used >= limit).then_some(Wanted {
            full: Full::Total { used, limit },
            busier_than: count,
            own: subnet,
        })
    }

    /// Those of whom one has to leave, each with how many places its subnet holds: of the busiest subnets first, of equals
    /// those that came first, and the newcomer's own last.
    fn candidates<'a>(&'a self, wanted: &Wanted<'a>) -> impl Iterator<Item = (usize, ConnectionId, &'a T)> {
        let count = wanted.busier_than;
        let busier = self
            .busiest
            .iter()
            .rev()
            .take_while(move |(held, ..)| *held > count);
        let busier = busier.filter_map(|(held, _, subnet)| Some((*held, self.by_subnet.get(subnet)?)));
        let all = busier.chain(wanted.own.map(|ids| (0, ids)));
        all.flat_map(|(held, ids)| ids.iter().map(move |id| (held, *id)))
            .filter_map(|(held, id)| Some((held, id, &self.places.get(&id)?.1)))
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

    fn resize(&mut self, subnet: Subnet, change: impl FnOnce(&mut BTreeSet<ConnectionId>) -> bool) {
        let ids = self.by_subnet.entry(subnet).or_default();
        let rank = |ids: &BTreeSet<ConnectionId>| {
            let oldest = ids.first()?;
            Some((ids.len(), Reverse(*oldest), subnet))
        };
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
mod tests;
