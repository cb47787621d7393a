//! Whatever interleaves.

use super::{MAX_PER_PEER, Place, System, assert_empty, direction, peer, protocol, tight};
use crate::limits::pool::OWN;
use sinew_core::{Reservation, Resource, ResourceScope};
use sinew_machine::ConnectionId;
use std::sync::Arc;

/// Fixed seeds, many threads: whatever interleaves, no limit is passed and nothing is left.
#[test]
fn threads_that_charge_at_once_pass_no_limit_and_leave_nothing() {
    let system = System::new(tight());
    std::thread::scope(|threads| {
        for seed in 1..=4u64 {
            let system = &system;
            threads.spawn(move || churn(system, seed));
        }
    });
    assert_empty(&system);
    let refusals = system.snapshot().refusals;
    assert!(
        refusals.iter().any(|one| one.resource == Resource::Streams),
        "it was tight: {refusals:?}"
    );
}

fn churn(system: &Arc<System>, seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = move |below: u64| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for round in 0..2000 {
        let Ok(mut place) = Place::pending(system, 1) else {
            continue;
        };
        let memory = Reservation::new(place.scope().clone(), Resource::Memory, random(30));
        let number = u8::try_from(random(3)).expect("less than three");
        let way = direction(random(2) == 0);
        if place.establish(ConnectionId(round), &peer(number), way).is_err() {
            continue;
        }
        let mut streams = Vec::new();
        for _ in 0..random(25) {
            let Ok(mut stream) = place.scope().stream(direction(random(2) == 0)) else {
                continue;
            };
            if stream
                .join(
                    &protocol(u8::try_from(random(2)).expect("less than two")),
                    MAX_PER_PEER,
                )
                .is_ok()
            {
                streams.push(stream);
            }
        }
        place.scope().note_unread(OWN + random(300));
        for usage in system.snapshot().system {
            let bounded = usage.resource != Resource::Unread;
            assert!(!bounded || usage.used <= usage.limit, "{usage:?}");
        }
        place.scope().note_unread(0);
        if random(2) == 0 {
            drop(place);
        }
        drop((memory, streams));
    }
}
