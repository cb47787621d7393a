//! Places of established connections: who gets one, and who makes room for whom.

use crate::{
    entry::Entry,
    limits::{Place, Refused},
    machine::{
        places::{Full, Places},
        source::Source,
    },
    shared::Shared,
};
use multiaddr::Multiaddr;
use sinew_core::{ConnectionInfo, LimitExceeded, Muxed, Resource, ScopeKind};
use sinew_machine::{ConnectionId, Direction, Instant};
use std::sync::Arc;

/// Whether somebody from `remote` would get a place now: asked before any handshake.
pub(crate) fn admits(shared: &Shared, remote: &Multiaddr) -> Result<(), LimitExceeded> {
    let places = shared.places();
    victim(shared, &places, &Source::of(remote)).map(drop)
}

/// Puts a connection into the table with all its places, and closes the one that has to make room for it.
pub(crate) fn enter(
    shared: &Shared,
    info: ConnectionInfo,
    muxed: &Muxed,
    (mut place, hidden): (Place, bool),
) -> Result<Arc<Entry>, LimitExceeded> {
    let (id, peer, direction) = (info.id, info.peer, info.direction);
    if direction == Direction::Outbound {
        place.establish(id, &peer, direction)?;
        let entry = Entry::new(info, muxed.handle.clone(), place, hidden);
        shared.table.insert(entry.clone());
        return Ok(entry);
    }
    let source = Source::of(&info.remote);
    // Held to the end: the place that one frees is the newcomer's, and nobody else's.
    let mut places = shared.places();
    // Nobody makes room for who does not get in.
    shared.parts().system.has_room(&peer, direction)?;
    if let Some(victim) = victim(shared, &places, &source)?.and_then(|victim| places.leave(victim)) {
        tracing::debug!(connection = %victim.info.id, peer = %victim.info.peer, newcomer = %id, "makes room");
        victim.evict();
    }
    place.establish(id, &peer, direction)?;
    let entry = Entry::new(info, muxed.handle.clone(), place, hidden);
    places.enter(id, source, entry.clone());
    shared.table.insert(entry.clone());
    Ok(entry)
}

/// Who has to make room for somebody from `source`. While the limits only record, nobody has to.
fn victim(
    shared: &Shared,
    places: &Places<Arc<Entry>>,
    source: &Source,
) -> Result<Option<ConnectionId>, LimitExceeded> {
    let system = &shared.parts().system;
    let victim = system.attempt(|force| {
        if force {
            return Ok(None);
        }
        let found = places.victim(source, |entry| unused_since(shared, entry));
        found.map_err(|full| refused(full, source))
    });
    victim.map(|victim| victim.filter(|_| !system.limits.dry_run))
}

/// Since when a connection may make room for others; `None` while it may not.
fn unused_since(shared: &Shared, entry: &Entry) -> Option<Instant> {
    if entry.is_spent() {
        return Some(Instant::ZERO);
    }
    let kept = entry.is_useful() || shared.table.is_protected(&entry.info.peer);
    (!kept).then(|| entry.last_used())
}

fn refused(full: Full, source: &Source) -> Refused {
    let (kind, scope, used, limit) = match full {
        Full::Total { used, limit } => (ScopeKind::System, "the node".to_owned(), used, limit),
        Full::Address { used, limit } => (ScopeKind::Source, source.to_string(), used, limit),
        Full::Subnet { used, limit } => (ScopeKind::Source, source.subnet().to_string(), used, limit),
    };
    let scope = format!("inbound connections of {scope}");
    let error = LimitExceeded::one(scope, Resource::Connections, used as u64, limit as u64);
    Refused { kind, error }
}
