//! Dialling: whom, over which addresses, and one flight for all who want the same.

mod admit;
mod attempt;
mod names;
mod progress;
mod race;
mod slot;

pub(crate) use slot::DialSlots;

use crate::{
    entry::Entry,
    machine::{backoff::Backoff, black_hole::BlackHoles, plan},
    shared::Shared,
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared as SharedFuture, WeakShared},
};
use multiaddr::Multiaddr;
use progress::Progress;
use race::Race;
use sinew_core::{DialError, DialOptions, DialReport, DialTarget, Purpose};
use sinew_identity::PeerId;
use sinew_machine::Direction;
use sinew_runtime::{now, timeout};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::Instrument;

/// Addresses taken from one caller or one peer; more are left out.
const MAX_GIVEN: usize = 64;

/// The dials that go on, by whom they are for and what for, and what earlier ones have taught.
#[derive(Default)]
pub(crate) struct Flights {
    flights: Mutex<HashMap<Key, (WeakFlight, Progress)>>,
    backoff: Mutex<Backoff>,
    black_holes: Mutex<BlackHoles>,
}

type Flight = SharedFuture<BoxFuture<'static, Outcome>>;
type WeakFlight = WeakShared<BoxFuture<'static, Outcome>>;

/// What callers share a dial by.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    peer: Option<PeerId>,
    /// Empty: those of the peerstore.
    addrs: Vec<Multiaddr>,
    purpose: Purpose,
    hearsay: bool,
}

impl Key {
    /// Whether the application wants just these addresses: then what earlier dials have taught does not count.
    fn is_told_where(&self) -> bool {
        !self.addrs.is_empty() && !self.hearsay
    }

    /// Whether others may join the dial, and its outcome says something of the ways to the peer.
    fn is_ordinary(&self) -> bool {
        matches!(self.purpose, Purpose::Use | Purpose::Direct)
    }
}

/// What a dial came to; a failed one says more in its [`Progress`].
type Outcome = Option<Arc<Entry>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Dials, or uses what is there.
pub(crate) async fn dial(shared: &Arc<Shared>, target: DialTarget, options: DialOptions) -> DialReport {
    let key = match check(shared, target, &options) {
        Ok(key) => key,
        Err(error) => return DialReport::new(Vec::new(), Err(error)),
    };
    if let Some(connection) = existing(shared, &key) {
        return DialReport::new(Vec::new(), Ok(connection));
    }
    let Some(parts) = shared.running() else {
        return DialReport::new(Vec::new(), Err(DialError::NotRunning));
    };
    if let Err(refused) = parts.system.has_room(key.peer.as_ref(), Direction::Outbound) {
        return DialReport::new(Vec::new(), Err(DialError::Limit(refused)));
    }
    let unknown = |peer: &PeerId| shared.peerstore().addrs(peer, now()).is_empty();
    if let Some(peer) = key.peer.filter(|peer| key.addrs.is_empty() && unknown(peer)) {
        return DialReport::new(Vec::new(), Err(DialError::NoAddresses(peer)));
    }
    let peer = key.peer;
    let (flight, progress) = join(shared, key);
    let mut stop = shared.stop.subscribe();
    let entry = tokio::select! {
        entry = timeout(options.timeout, flight) => entry.ok().flatten(),
        // An error cannot be: the sender lives as long as `shared`.
        _ = stop.wait_for(|ends| *ends) => return DialReport::new(progress.attempts(), Err(DialError::NotRunning)),
    };
    let attempts = progress.attempts();
    match entry.and_then(|entry| shared.handle(&entry)) {
        Some(connection) => DialReport::new(attempts, Ok(connection)),
        None => {
            let failed = DialError::Failed {
                peer,
                attempts: attempts.clone().into(),
            };
            DialReport::new(attempts, Err(failed))
        }
    }
}

/// Whom and where: the peer that the addresses name, and the addresses without it.
fn check(shared: &Shared, target: DialTarget, options: &DialOptions) -> Result<Key, DialError> {
    let (mut peer, given) = match target {
        DialTarget::Peer(peer) => (Some(peer), None),
        DialTarget::PeerAt(peer, addrs) => (Some(peer), Some(addrs)),
        DialTarget::Addrs(addrs) => (None, Some(addrs)),
        _ => return Err(DialError::NoTarget),
    };
    let mut addrs = Vec::new();
    for addr in given.iter().flatten().take(MAX_GIVEN) {
        let (addr, named) = sinew_addr::split_peer(addr);
        if named.is_some()
            && *peer.get_or_insert_with(|| named.expect("just seen")) != named.expect("just seen")
        {
            return Err(DialError::DifferentPeers);
        }
        addrs.push(addr);
    }
    if given.is_some() && addrs.is_empty() {
        return Err(DialError::NoTarget);
    }
    if peer == Some(shared.local) {
        return Err(DialError::OwnPeerId);
    }
    Ok(Key {
        peer,
        addrs,
        purpose: options.purpose,
        hearsay: options.hearsay,
    })
}

/// A connection that serves the purpose already.
fn existing(shared: &Arc<Shared>, key: &Key) -> Option<sinew_core::Connection> {
    let limited = match key.purpose {
        Purpose::Use => true,
        Purpose::Direct => false,
        _ => return None,
    };
    let known = shared.table.best(&key.peer?, limited)?;
    shared.handle(&known)
}

/// Joins the flight to the same target, or starts one. Punches and probes fly alone.
fn join(shared: &Arc<Shared>, key: Key) -> (Flight, Progress) {
    let mut flights = lock(&shared.flights.flights);
    let known = flights
        .get(&key)
        .and_then(|(flight, progress)| Some((flight.upgrade()?, progress.clone())));
    if let Some(known) = known {
        return known;
    }
    let progress = Progress::default();
    let span = tracing::debug_span!("dial", peer = key.peer.map(tracing::field::display));
    let flight = fly(shared.clone(), key.clone(), progress.clone())
        .instrument(span)
        .boxed()
        .shared();
    if key.is_ordinary()
        && let Some(weak) = flight.downgrade()
    {
        flights.retain(|_, (flight, _)| flight.upgrade().is_some());
        flights.insert(key, (weak, progress.clone()));
    }
    (flight, progress)
}

/// Resolves, admits, plans, and races.
async fn fly(shared: Arc<Shared>, key: Key, progress: Progress) -> Outcome {
    let found = names::look_up(&shared, &key, &progress).await;
    let candidates = admit::all(&shared, &key, found, &progress);
    let addrs: Vec<_> = candidates.iter().map(|candidate| &candidate.addr).collect();
    let plan = plan::plan(&addrs, matches!(key.purpose, Purpose::Punch(_)));
    Race::new(shared, key, progress, plan).run(candidates).await
}
