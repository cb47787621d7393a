//! Dialling: whom, over which addresses, and one flight for all who want the same.

mod attempt;
mod progress;
mod race;

use crate::{entry::Entry, shared::Shared};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared as SharedFuture, WeakShared, join_all},
};
use multiaddr::Multiaddr;
use progress::Progress;
use race::{Candidate, Race};
use sinew_core::{
    AttemptError, DialError, DialOptions, DialReport, DialTarget, Purpose, ResolveError, Resolved, Verdict,
};
use sinew_identity::PeerId;
use sinew_runtime::{now, timeout};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Addresses taken from one caller or one peer; more are left out.
const MAX_GIVEN: usize = 64;

/// The dials that go on, by whom they are for and what for.
#[derive(Default)]
pub(crate) struct Flights {
    flights: Mutex<HashMap<Key, (WeakFlight, Progress)>>,
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
}

/// What a dial came to; a failed one says more in its [`Progress`].
type Outcome = Option<Arc<Entry>>;

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (WeakFlight, Progress)>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dials, or uses what is there.
pub(crate) async fn dial(shared: &Arc<Shared>, target: DialTarget, options: DialOptions) -> DialReport {
    let key = match check(shared, target, options.purpose) {
        Ok(key) => key,
        Err(error) => return DialReport::new(Vec::new(), Err(error)),
    };
    if let Some(connection) = existing(shared, &key) {
        return DialReport::new(Vec::new(), Ok(connection));
    }
    if shared.running().is_none() {
        return DialReport::new(Vec::new(), Err(DialError::NotRunning));
    }
    if key.addrs.is_empty()
        && shared
            .peerstore()
            .addrs(&key.peer.expect("checked above"), now())
            .is_empty()
    {
        return DialReport::new(
            Vec::new(),
            Err(DialError::NoAddresses(key.peer.expect("checked above"))),
        );
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
fn check(shared: &Shared, target: DialTarget, purpose: Purpose) -> Result<Key, DialError> {
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
    Ok(Key { peer, addrs, purpose })
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
    let alone = matches!(key.purpose, Purpose::Punch(_) | Purpose::Probe);
    let mut flights = shared.flights.lock();
    let known = flights
        .get(&key)
        .and_then(|(flight, progress)| Some((flight.upgrade()?, progress.clone())));
    if let Some(known) = known.filter(|_| !alone) {
        return known;
    }
    let progress = Progress::default();
    let flight = fly(shared.clone(), key.clone(), progress.clone())
        .boxed()
        .shared();
    if !alone && let Some(weak) = flight.downgrade() {
        flights.retain(|_, (flight, _)| flight.upgrade().is_some());
        flights.insert(key, (weak, progress.clone()));
    }
    (flight, progress)
}

/// Resolves, asks the gater, ranks, and races.
async fn fly(shared: Arc<Shared>, key: Key, progress: Progress) -> Outcome {
    let Key { peer, addrs, purpose } = key;
    let given = match (addrs.is_empty(), peer) {
        (true, Some(peer)) => shared.peerstore().addrs(&peer, now()),
        _ => addrs,
    };
    let looked_up = join_all(given.iter().map(|addr| look_up(&shared, peer, addr, &progress))).await;
    let resolved = looked_up.into_iter().flatten();
    let mut candidates = Vec::new();
    for addr in crate::machine::plan::order(resolved) {
        match admit(&shared, peer, &addr) {
            Ok(candidate) => candidates.push(candidate),
            Err(error) => progress.failed(addr, error),
        }
    }
    Race {
        shared,
        peer,
        purpose,
        progress,
    }
    .run(candidates)
    .await
}

/// The addresses behind the names in `addr`; while they are looked up, `addr` stands in the report.
async fn look_up(
    shared: &Shared,
    peer: Option<PeerId>,
    addr: &Multiaddr,
    progress: &Progress,
) -> Vec<Multiaddr> {
    if sinew_addr::dns_name(addr).is_none() {
        return vec![addr.clone()];
    }
    let step = progress.started(addr.clone());
    match resolve(shared, peer, addr).await {
        Ok(found) => {
            progress.replaced(step);
            found
        }
        Err(error) => {
            progress.done(step, Err(error));
            Vec::new()
        }
    }
}

/// Asks the resolver.
async fn resolve(
    shared: &Shared,
    peer: Option<PeerId>,
    addr: &Multiaddr,
) -> Result<Vec<Multiaddr>, AttemptError> {
    let resolver = shared.parts().resolver.as_ref();
    let resolver = resolver.ok_or_else(|| ResolveError::NoResolver(addr.clone()))?;
    // A dnsaddr that names its peer holds the addresses of others too; those are left out.
    let asked = match peer {
        Some(peer) => sinew_addr::join_peer(addr.clone(), &peer).unwrap_or_else(|_| addr.clone()),
        None => addr.clone(),
    };
    let found = resolver.resolve(&asked).await?;
    let fits = |Resolved { addr, name, .. }: Resolved| {
        let (addr, named) = sinew_addr::split_peer(&addr);
        let fits = named.is_none() || peer.is_none() || named == peer;
        fits.then(|| match name {
            Some(name) => sinew_addr::with_server_name(addr, &name),
            None => addr,
        })
    };
    let found: Vec<_> = found.into_iter().filter_map(fits).collect();
    if found.is_empty() {
        Err(ResolveError::NotFound(addr.to_string()).into())
    } else {
        Ok(found)
    }
}

/// What is known before anything is sent: whether the gater and a transport take the address.
fn admit(shared: &Shared, peer: Option<PeerId>, addr: &Multiaddr) -> Result<Candidate, AttemptError> {
    let parts = shared.parts();
    if sinew_addr::check(addr).is_err() {
        return Err(AttemptError::BadAddress("longer than an address may be"));
    }
    if parts.gater.on_dial(peer.as_ref(), addr) == Verdict::Deny {
        return Err(AttemptError::Gated);
    }
    let transport = parts.transports.iter().find(|transport| transport.handles(addr));
    let transport = transport.ok_or(AttemptError::NoTransport)?.clone();
    Ok(Candidate {
        addr: addr.clone(),
        transport,
    })
}
