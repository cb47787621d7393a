//! Which addresses come into the plan: what is known of each before anything is sent.

use super::{Key, lock, names::Found, progress::Progress};
use crate::{
    machine::{plan, policy},
    shared::Shared,
};
use multiaddr::Multiaddr;
use sinew_addr::Scope;
use sinew_core::{Attempt, AttemptError, Transport, Verdict};
use sinew_identity::PeerId;
use sinew_runtime::now;
use std::sync::Arc;

/// An address and the transport that dials it.
pub(super) struct Candidate {
    pub(super) addr: Multiaddr,
    pub(super) name: Option<Multiaddr>,
    pub(super) transport: Arc<dyn Transport>,
}

/// Those that may be dialled now. The others go into the report with the reason.
pub(super) fn all(shared: &Shared, key: &Key, mut found: Vec<Found>, progress: &Progress) -> Vec<Candidate> {
    // Of two that are the same, the one on the better word stays.
    found.sort_by_key(|found| found.origin);
    let distinct = plan::distinct(found, |found| &found.addr);
    let refuse = |addr, name, error| {
        let mut refused = Attempt::refused(addr, error);
        refused.name = name;
        progress.add(refused);
    };
    let mut candidates = Vec::new();
    for found in distinct {
        match admit(shared, key.peer.as_ref(), &found) {
            Ok(transport) => candidates.push(Candidate {
                addr: found.addr,
                name: found.name,
                transport,
            }),
            Err(error) => refuse(found.addr, found.name, error),
        }
    }
    if key.is_told_where() || !key.is_ordinary() {
        return candidates;
    }
    let taught = lessons(shared, key, &candidates);
    let judged = candidates.into_iter().zip(taught);
    judged
        .filter_map(|(candidate, lesson)| match lesson {
            None => Some(candidate),
            Some(error) => {
                refuse(candidate.addr, candidate.name, error);
                None
            }
        })
        .collect()
}

/// Whether policy and gater take the address, and which transport.
fn admit(shared: &Shared, peer: Option<&PeerId>, found: &Found) -> Result<Arc<dyn Transport>, AttemptError> {
    let (parts, addr) = (shared.parts(), &found.addr);
    if sinew_addr::check(addr).is_err() {
        return Err(AttemptError::BadAddress("longer than an address may be"));
    }
    if sinew_addr::scope(addr) == Some(Scope::Unspecified) {
        return Err(AttemptError::BadAddress(
            "an unspecified address is for listening, not for dialling",
        ));
    }
    if let Some(reach) = policy::forbids(parts.address_policy, found.origin, addr) {
        let origin = found.origin.text();
        return Err(AttemptError::Forbidden { reach, origin });
    }
    if parts.gates.on_dial(peer, addr) == Verdict::Deny {
        return Err(AttemptError::Gated);
    }
    let transport = parts.transports.iter().find(|transport| transport.handles(addr));
    transport.cloned().ok_or(AttemptError::NoTransport)
}

/// What earlier dials have taught of each address.
fn lessons(shared: &Shared, key: &Key, candidates: &[Candidate]) -> Vec<Option<AttemptError>> {
    let (flights, now) = (&shared.flights, now());
    let addrs: Vec<_> = candidates.iter().map(|candidate| &candidate.addr).collect();
    let holes = lock(&flights.black_holes).refuse(&addrs);
    let backoff = lock(&flights.backoff);
    let lesson = |(addr, hole): (&&Multiaddr, Option<crate::machine::black_hole::Kind>)| {
        let hole = hole.map(|kind| AttemptError::BlackHole(kind.name()));
        let left = || backoff.left(key.peer.as_ref()?, addr, now);
        hole.or_else(|| left().map(AttemptError::BackedOff))
    };
    addrs.iter().zip(holes).map(lesson).collect()
}
