//! Closes connections when there are too many.

use crate::{
    entry::Entry,
    limits::Meter,
    machine::trim::{Candidate, victims},
    shared::Shared,
};
use sinew_machine::{Direction, Instant, code};
use sinew_runtime::{now, sleep};
use std::{sync::Arc, time::Duration};

/// Two trims are never closer together, whatever silence is asked for.
const LEAST_SILENCE: Duration = Duration::from_millis(100);

/// Trims whenever there are more connections than the high watermark.
pub(crate) fn follow(shared: &Arc<Shared>) {
    shared.accepting.spawn("trimming", run(shared.clone()));
}

async fn run(shared: Arc<Shared>) {
    let silence = shared.parts().watermarks.silence.max(LEAST_SILENCE);
    loop {
        shared.crowded.notified().await;
        while is_crowded(&shared) {
            trim(&shared);
            sleep(silence).await;
        }
    }
}

/// Wakes the trimming if there are too many connections.
pub(crate) fn notice(shared: &Shared) {
    if is_crowded(shared) {
        shared.crowded.notify_one();
    }
}

fn is_crowded(shared: &Shared) -> bool {
    let (parts, meter) = (shared.parts(), Meter::Connections(Direction::Inbound));
    let inbound = parts.system.used(meter) > parts.system.limits.inbound_watermarks().high as u64;
    inbound || shared.table.len() > parts.watermarks.high
}

/// Closes connections down to the low watermarks, and says how many.
pub(crate) fn trim(shared: &Shared) -> usize {
    let Some(parts) = shared.running() else { return 0 };
    let (mut connections, now) = (shared.table.all(), now());
    connections.retain(|entry| !entry.is_spent());
    let candidates: Vec<_> = connections
        .iter()
        .map(|entry| candidate(shared, entry, now))
        .collect();
    let inbound = parts.system.limits.inbound_watermarks().low;
    let victims = victims(&parts.watermarks, inbound, now, &candidates);
    for id in &victims {
        // They are in the order of their ids.
        if let Ok(index) = connections.binary_search_by_key(id, |entry| entry.info.id) {
            connections[index].close(code::connection::GARBAGE_COLLECTED);
        }
    }
    tracing::debug!(connections = connections.len(), closed = victims.len(), "trimmed");
    victims.len()
}

fn candidate(shared: &Shared, entry: &Entry, now: Instant) -> Candidate {
    let info = &entry.info;
    Candidate {
        id: info.id,
        peer: info.peer,
        direction: info.direction,
        established: entry.established,
        last_used: entry.last_used(),
        useful: entry.is_useful(),
        kept: entry.standing.hidden || entry.standing.exempt || shared.table.is_protected(&info.peer),
        value: shared.tags().sum(now, &info.peer),
    }
}
