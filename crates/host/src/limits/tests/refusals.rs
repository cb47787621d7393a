//! Who is refused what, and how it is told.

use super::{Limits, Place, System, peer, tight};
use sinew_core::{Reservation, Resource, ResourceScope, ScopeKind};
use sinew_machine::{ConnectionId, Direction};
use std::sync::Arc;

#[test]
fn a_peer_may_have_four_fifths_of_the_memory_that_others_leave() {
    let system = System::new(Limits {
        memory: 1000,
        ..Limits::default()
    });
    let places: Vec<Place> = (1..=3)
        .map(|number| {
            let mut place = Place::pending(&system, 0).expect("room");
            place
                .establish(ConnectionId(number.into()), &peer(number), Direction::Inbound)
                .expect("room");
            place
        })
        .collect();
    let most = |place: &Place| {
        let scope: Arc<dyn ResourceScope> = place.scope().clone();
        let refused = Reservation::new(scope.clone(), Resource::Memory, 1001).expect_err("too much");
        assert!(refused.to_string().contains("memory of peer "), "{refused}");
        let left = refused.limit.saturating_sub(refused.used);
        Reservation::new(scope, Resource::Memory, left).expect("what is left can be had")
    };
    let mut first = most(&places[0]);
    assert_eq!(first.amount(), 800, "one alone");
    let second = most(&places[1]);
    assert_eq!(second.amount(), 160, "and always something for who comes");
    first.resize(0).expect("shrinks");
    assert_eq!(
        most(&places[0]).amount(),
        672,
        "four fifths of what the second leaves"
    );
    assert_eq!(most(&places[2]).amount(), 672);
}

#[test]
fn the_last_streams_are_for_peers_that_have_few() {
    let system = System::new(tight());
    let connect = |id: u64, number: u8| {
        let mut place = Place::pending(&system, 0).expect("room");
        place
            .establish(ConnectionId(id), &peer(number), Direction::Inbound)
            .expect("room");
        place
    };
    let (greedy, modest) = ([connect(1, 1), connect(2, 1)], connect(3, 2));
    let mut held = Vec::new();
    for place in greedy.iter().cycle().take(60) {
        held.extend(place.scope().stream(Direction::Inbound));
    }
    assert_eq!(
        held.len(),
        30,
        "as many as a peer may have, and none of those that are reserved"
    );
    let refused = modest.scope().stream(Direction::Inbound);
    held.push(refused.expect("one with few gets a reserved one"));
    for _ in 0..30 {
        held.extend(modest.scope().stream(Direction::Inbound));
    }
    assert_eq!(held.len(), 40, "down to the last");
    let refused = modest
        .scope()
        .stream(Direction::Inbound)
        .expect_err("all are taken");
    assert!(
        refused.to_string().contains("inbound streams of the node"),
        "{refused}"
    );
}

#[test]
fn refusals_name_scope_and_numbers_and_are_counted_by_both() {
    let system = System::new(tight());
    let mut place = Place::pending(&system, 1).expect("room");
    let refused = place
        .scope()
        .charge(Resource::Memory, 41)
        .expect_err("more than one may have");
    assert_eq!(
        refused.to_string(),
        "limit of memory of a pending connection reached: 0 of 40 bytes of memory used, 41 more asked"
    );
    place
        .establish(ConnectionId(7), &peer(1), Direction::Inbound)
        .expect("room");
    for _ in 0..2 {
        let refused = place.scope().charge(Resource::Memory, 50).expect_err("as before");
        assert!(
            refused.to_string().contains("memory of connection c7 of peer "),
            "{refused}"
        );
    }
    let counts: Vec<_> = system
        .snapshot()
        .refusals
        .iter()
        .map(|one| (one.scope, one.resource, one.count))
        .collect();
    assert_eq!(counts, [(ScopeKind::Connection, Resource::Memory, 3)]);
}

#[test]
fn whether_there_is_room_is_known_before_a_place_is_taken() {
    let system = System::new(tight());
    let dialled: Vec<_> = (0..3)
        .map(|number| {
            let mut place = Place::pending(&system, 0).expect("room");
            assert_eq!(system.has_room(Some(&peer(number)), Direction::Outbound), Ok(()));
            let id = ConnectionId(number.into());
            place
                .establish(id, &peer(number), Direction::Outbound)
                .expect("room");
            place
        })
        .collect();
    let refused = system.has_room(Some(&peer(4)), Direction::Outbound);
    let text = refused.expect_err("all are taken").to_string();
    assert!(text.contains("outbound connections of the node"), "{text}");
    system
        .has_room(None, Direction::Outbound)
        .expect_err("whoever it is");
    assert_eq!(system.has_room(Some(&peer(4)), Direction::Inbound), Ok(()));
    assert_eq!(system.snapshot().refusals[0].count, 2);
    dialled[0].vacate();
    assert_eq!(system.has_room(None, Direction::Outbound), Ok(()));
}
