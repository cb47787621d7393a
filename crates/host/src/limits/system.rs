//! The scope of the whole node: what is used in all, and the scopes under it.

use super::{
    meter::Meter,
    peer::Peer,
    pool::Pool,
    protocol::Protocol,
    refusals::{Refusals, Refused},
    scopes::Scopes,
    whose::Whose,
};
use crate::config::Limits;
use sinew_core::{LimitExceeded, Resource, Resources, Usage};
use sinew_identity::PeerId;
use sinew_machine::{Direction, ProtocolId};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Inbound streams that a peer may have and still be given reserved ones.
pub(crate) const FEW_STREAMS: u64 = 16;

/// A number that several count at once.
#[derive(Default, Debug)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Adds `amount` if the sum is at most `limit`, else says what is used.
    pub(crate) fn add(&self, amount: u64, limit: u64) -> Result<(), u64> {
        let more = |used: u64| used.checked_add(amount).filter(|sum| *sum <= limit);
        let added = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        added.map(drop)
    }

    pub(crate) fn subtract(&self, amount: u64) {
        let before = self.0.fetch_sub(amount, Ordering::AcqRel);
        debug_assert!(before >= amount, "{amount} is given back of {before}");
    }
}

/// The whole node.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) limits: Limits,
    used: [Gauge; Meter::ALL.len()],
    pub(crate) unread: Pool,
    pub(crate) peers: Arc<Scopes<PeerId, Peer>>,
    pub(crate) protocols: Arc<Scopes<ProtocolId, Protocol>>,
    refusals: Refusals,
}

impl System {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            used: Default::default(),
            unread: Pool::new(limits.unread),
            peers: Scopes::new(),
            protocols: Scopes::new(),
            refusals: Refusals::default(),
            limits,
        })
    }

    /// What is used of `meter`.
    pub(crate) fn used(&self, meter: Meter) -> u64 {
        self.used[meter.index()].now()
    }

    /// Whether one more connection, of a peer if it is known, would be refused now; a refusal is counted. For an inbound
    /// one another may make room among those of the node. While the limits only record, the place itself is refused later,
    /// and counted once.
    pub(crate) fn has_room(&self, peer: Option<&PeerId>, direction: Direction) -> Result<(), LimitExceeded> {
        if self.limits.dry_run {
            return Ok(());
        }
        let meter = Meter::Connections(direction);
        self.attempt(|_| {
            if direction == Direction::Outbound {
                Refused::unless_fits(|| Whose::Node, meter, 1, self.used(meter), self.limit(meter))?;
            }
            let Some(peer) = peer else { return Ok(()) };
            self.peers.of(peer).lock().has_room(peer, meter, 1, &self.limits)
        })
    }

    /// Does what may be refused. A refusal is counted; while the limits only record, it is done in spite of them.
    pub(crate) fn attempt<T>(
        &self,
        mut act: impl FnMut(bool) -> Result<T, Refused>,
    ) -> Result<T, LimitExceeded> {
        let refused = match act(false) {
            Ok(done) => return Ok(done),
            Err(refused) => refused,
        };
        self.note(&refused);
        if self.limits.dry_run {
            act(true).map_err(|refused| refused.error)
        } else {
            Err(refused.error)
        }
    }

    /// Counts a refusal.
    pub(crate) fn note(&self, refused: &Refused) {
        self.refusals.record(refused, self.limits.dry_run);
    }

    /// Adds `amount`; `streams` are those that its peer has already.
    pub(super) fn add(&self, meter: Meter, amount: u64, streams: u64, force: bool) -> Result<(), Refused> {
        let limit = match meter {
            _ if force => u64::MAX,
            Meter::Streams(Direction::Inbound) if streams >= FEW_STREAMS => {
                let reserved = self.limits.inbound_streams_reserved;
                self.limits.inbound_streams.saturating_sub(reserved) as u64
            }
            meter => self.limit(meter),
        };
        let gauge = &self.used[meter.index()];
        let added = gauge.add(amount, limit);
        added.or_else(|used| Refused::unless_fits(|| Whose::Node, meter, amount, used, limit))
    }

    pub(super) fn subtract(&self, meter: Meter, amount: u64) {
        self.used[meter.index()].subtract(amount);
    }

    /// The numbers of now.
    pub(crate) fn snapshot(&self) -> Resources {
        let system = Meter::ALL.map(|meter| {
            Usage::new(
                meter.resource(),
                meter.direction(),
                self.used(meter),
                self.limit(meter),
            )
        });
        let unread = Usage::new(Resource::Unread, None, self.unread.held(), self.limits.unread);
        let mut protocols = Vec::new();
        for scope in self.protocols.all() {
            for direction in [Direction::Inbound, Direction::Outbound] {
                let used = scope.streams(direction).now();
                if used > 0 {
                    let limit = self.protocol_limit(direction);
                    let usage = Usage::new(Resource::Streams, Some(direction), used, limit);
                    protocols.push((scope.key.clone(), usage));
                }
            }
        }
        protocols.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut resources = Resources::default();
        resources.system = system.into_iter().chain([unread]).collect();
        resources.protocols = protocols;
        resources.peers = self.peers.count();
        resources.refusals = self.refusals.counts();
        resources.dry_run = self.limits.dry_run;
        resources
    }

    pub(super) fn protocol_limit(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Inbound => self.limits.inbound_streams_per_protocol as u64,
            Direction::Outbound => u64::MAX,
        }
    }

    fn limit(&self, meter: Meter) -> u64 {
        let limits = &self.limits;
        match meter {
            Meter::Connections(Direction::Inbound) => limits.inbound_connections as u64,
            Meter::Connections(Direction::Outbound) => limits.outbound_connections as u64,
            Meter::Streams(Direction::Inbound) => limits.inbound_streams as u64,
            Meter::Streams(Direction::Outbound) => limits.outbound_streams as u64,
            Meter::Memory => limits.memory,
            Meter::Descriptors => limits.descriptors,
        }
    }
}
