//! Counters with limits: what each connection, protocol and the whole host may hold.

use sinew_core::{LimitExceeded, Resource, ResourceScope};
use sinew_identity::PeerId;
use sinew_machine::ProtocolId;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Counts one resource up to a limit, and charges what it counts to its parent too.
#[derive(Debug)]
pub(crate) struct Scope {
    name: &'static str,
    resource: Resource,
    used: AtomicU64,
    limit: u64,
    parent: Option<Arc<Self>>,
}

impl Scope {
    pub(crate) fn new(
        name: &'static str,
        resource: Resource,
        limit: u64,
        parent: Option<Arc<Self>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            resource,
            used: AtomicU64::new(0),
            limit,
            parent,
        })
    }

    /// Whether one more would be refused now.
    pub(crate) fn is_full(&self) -> bool {
        self.used.load(Ordering::Acquire) >= self.limit
    }
}

impl ResourceScope for Scope {
    fn charge(&self, resource: Resource, amount: u64) -> Result<(), LimitExceeded> {
        if resource != self.resource {
            return Ok(());
        }
        let more = |used: u64| used.checked_add(amount).filter(|sum| *sum <= self.limit);
        let charged = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        charged.map_err(|used| LimitExceeded::new(self.name, resource, amount, used, self.limit))?;
        let Some(parent) = &self.parent else { return Ok(()) };
        parent.charge(resource, amount).inspect_err(|_| {
            self.used.fetch_sub(amount, Ordering::AcqRel);
        })
    }

    fn release(&self, resource: Resource, amount: u64) {
        if resource == self.resource {
            self.used.fetch_sub(amount, Ordering::AcqRel);
            self.parent
                .iter()
                .for_each(|parent| parent.release(resource, amount));
        }
    }
}

/// Shards of the table of streams.
const SHARDS: usize = 16;

/// Inbound streams by peer and protocol.
#[derive(Default)]
pub(crate) struct StreamCounts {
    shards: [Mutex<HashMap<(PeerId, ProtocolId), usize>>; SHARDS],
}

impl StreamCounts {
    /// Takes one of `max` places of a peer in a protocol.
    pub(crate) fn enter(
        self: &Arc<Self>,
        peer: PeerId,
        protocol: ProtocolId,
        max: usize,
    ) -> Result<StreamPlace, LimitExceeded> {
        let mut shard = self.shard(&peer).lock().unwrap_or_else(PoisonError::into_inner);
        let count = shard.entry((peer, protocol.clone())).or_default();
        if *count >= max {
            let scope = format!("inbound streams of {protocol} of peer {peer}");
            return Err(LimitExceeded::one(
                scope,
                Resource::Streams,
                *count as u64,
                max as u64,
            ));
        }
        *count += 1;
        Ok(StreamPlace {
            counts: self.clone(),
            key: (peer, protocol),
        })
    }

    fn shard(&self, peer: &PeerId) -> &Mutex<HashMap<(PeerId, ProtocolId), usize>> {
        // The last byte of a peer id is one of a hash or a public key.
        let last = peer.as_bytes().last().copied().unwrap_or_default();
        &self.shards[usize::from(last) % SHARDS]
    }
}

/// A place of a stream; dropping it frees it.
pub(crate) struct StreamPlace {
    counts: Arc<StreamCounts>,
    key: (PeerId, ProtocolId),
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut shard = self
            .counts
            .shard(&self.key.0)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = shard.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Scope, StreamCounts};
    use sinew_core::{Reservation, Resource};
    use sinew_identity::PeerId;
    use std::sync::Arc;

    #[test]
    fn a_charge_that_the_parent_refuses_is_not_kept() {
        let all = Scope::new("all", Resource::Memory, 10, None);
        let [a, b] = std::array::from_fn(|_| Scope::new("one", Resource::Memory, 8, Some(all.clone())));
        let held = Reservation::new(a.clone(), Resource::Memory, 8).expect("room");
        let refused = Reservation::new(b.clone(), Resource::Memory, 3).expect_err("no room in all");
        assert_eq!(
            (refused.scope.as_str(), refused.used, refused.limit),
            ("all", 8, 10)
        );
        drop(Reservation::new(b, Resource::Memory, 2).expect("room for two"));
        assert!(a.is_full());
        drop(held);
        assert!(!a.is_full());
        drop(Reservation::new(all, Resource::Memory, 10).expect("everything came back"));
    }

    #[test]
    fn places_of_a_protocol_are_counted_by_peer() {
        let (counts, [a, b]) = (
            Arc::new(StreamCounts::default()),
            std::array::from_fn(|_| PeerId::random()),
        );
        let enter = |peer| counts.enter(peer, "/x".into(), 1);
        let place = enter(a).expect("the first");
        assert!(enter(a).is_err());
        let other = enter(b).expect("of another peer");
        drop((place, other));
        let left: usize = counts
            .shards
            .iter()
            .map(|shard| shard.lock().expect("one thread").len())
            .sum();
        assert_eq!(left, 0);
        enter(a).expect("free again");
    }
}
