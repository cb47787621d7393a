//! Places of established connections: who gets one, and who makes room for whom.

use crate::{
    entry::{Entry, Standing},
    limits::{Meter, Place, Refused, Whose},
    machine::{
        places::{Full, Places},
        rate::TooOften,
        source::{Source, Visitor},
        tags::Tags,
    },
    shared::Shared,
};
use sinew_core::{ConnectionInfo, LimitExceeded, Muxed};
use sinew_machine::{ConnectionId, Direction, Instant};
use sinew_runtime::now;
use std::sync::Arc;

const INBOUND: Meter = Meter::Connections(Direction::Inbound);

/// Whether a source comes no more often than it may; counts it. Who is not validated is not refused for it: it has to
/// come again and prove its address.
pub(crate) fn paced(shared: &Shared, visitor: &Visitor, validated: bool) -> Result<(), LimitExceeded> {
    if visitor.exempt {
        return Ok(());
    }
    let taken = shared.rates().take(now(), &visitor.source, validated);
    let Err(too_often) = taken else { return Ok(()) };
    let refused = hurried(too_often, &visitor.source);
    if !validated {
        return Err(refused.error);
    }
    let mut refused = Some(refused);
    shared
        .parts()
        .system
        .attempt(|force| refused.take().filter(|_| !force).map_or(Ok(()), Err))
}

/// Whether a visitor would get a place now: asked before any handshake.
pub(crate) fn admits(shared: &Shared, visitor: &Visitor) -> Result<(), LimitExceeded> {
    let system = &shared.parts().system;
    system.attempt(|force| {
        let (places, tags) = (shared.places(), shared.tags());
        let admitted = places.admits(visitor, |entry| unused_since(shared, &tags, entry).is_some());
        admitted.or_else(|full| {
            if force {
                Ok(())
            } else {
                Err(refused(full, &visitor.source))
            }
        })
    })
}

/// Puts a connection into the table with all its places, and closes the one that has to make room for it. Who is refused
/// gets back its pending place.
pub(crate) fn enter(
    shared: &Shared,
    info: ConnectionInfo,
    muxed: &Muxed,
    (mut place, standing): (Place, Standing),
) -> Result<Arc<Entry>, (LimitExceeded, Place)> {
    let (id, direction) = (info.id, info.direction);
    let visitor = Visitor {
        source: Source::of(&info.remote),
        exempt: standing.exempt,
    };
    // Held to the end: the place that one frees is the newcomer's, and nobody else's.
    let mut places = (direction == Direction::Inbound).then(|| shared.places());
    let room = places.as_deref_mut();
    let room = room.map_or(Ok(()), |places| make_room(shared, places, &info, &visitor));
    if let Err(refused) = room.and_then(|()| place.establish(id, &info.peer, direction)) {
        return Err((refused, place));
    }
    let entry = Entry::new(info, muxed.handle.clone(), place, standing);
    if let Some(places) = &mut places {
        places.enter(id, &visitor, entry.clone());
    }
    shared.table.insert(entry.clone());
    Ok(entry)
}

fn make_room(
    shared: &Shared,
    places: &mut Places<Arc<Entry>>,
    newcomer: &ConnectionInfo,
    visitor: &Visitor,
) -> Result<(), LimitExceeded> {
    // Nobody makes room for who does not get in.
    let system = &shared.parts().system;
    system.has_room(Some(&newcomer.peer), newcomer.direction)?;
    if let Some(victim) = victim(shared, places, visitor)?.and_then(|victim| places.leave(victim)) {
        tracing::debug!(connection = %victim.info.id, peer = %victim.info.peer, newcomer = %newcomer.id, "makes room");
        victim.evict();
    }
    Ok(())
}

/// Who has to make room for somebody from `source`. While the limits only record, nobody has to.
fn victim(
    shared: &Shared,
    places: &Places<Arc<Entry>>,
    visitor: &Visitor,
) -> Result<Option<ConnectionId>, LimitExceeded> {
    let system = &shared.parts().system;
    let victim = system.attempt(|force| {
        if force {
            return Ok(None);
        }
        let tags = shared.tags();
        let found = places.victim(visitor, |entry| unused_since(shared, &tags, entry));
        found.map_err(|full| refused(full, &visitor.source))
    });
    victim.map(|victim| victim.filter(|_| !system.limits.dry_run))
}

/// Since when a connection may make room for others; `None` while it may not.
fn unused_since(shared: &Shared, tags: &Tags, entry: &Entry) -> Option<Instant> {
    if entry.is_spent() {
        return Some(Instant::ZERO);
    }
    let peer = &entry.info.peer;
    let kept = entry.is_useful() || tags.sum(now(), peer) > 0 || shared.table.is_protected(peer);
    (!kept).then(|| entry.last_used())
}

fn refused(full: Full, source: &Source) -> Refused {
    let (whose, used, limit) = match full {
        Full::Total { used, limit } => (Whose::Node, used, limit),
        Full::Address { used, limit } => (Whose::Address(*source), used, limit),
        Full::Subnet { used, limit } => (Whose::Subnet(source.subnet()), used, limit),
    };
    Refused::new(whose, INBOUND, 1, used as u64, limit as u64)
}

fn hurried(too_often: TooOften, source: &Source) -> Refused {
    let (whose, rate) = match too_often {
        TooOften::Address(rate) => (Whose::Address(*source), rate),
        TooOften::Subnet(rate) => (Whose::Subnet(source.subnet()), rate),
    };
    let (whose, burst) = (Whose::Rate(whose.into(), rate.refill()), u64::from(rate.burst));
    Refused::new(whose, INBOUND, 1, burst, burst)
}
