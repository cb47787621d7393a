//! Random operations on the tree of scopes: what the children hold is what their parents count, whatever happens.

use super::{
    Place, StreamPlace, System,
    meter::{Amounts, Meter},
    pool::{OWN, Pool},
};
use crate::config::Limits;
use proptest::prelude::*;
use sinew_core::{Reservation, Resource, ResourceScope, ScopeKind};
use sinew_identity::PeerId;
use sinew_machine::{ConnectionId, Direction, ProtocolId};
use std::{collections::BTreeMap, sync::Arc};

const MAX_PER_PEER: usize = 2;

fn tight() -> Limits {
    Limits {
        inbound_connections: 4,
        outbound_connections: 3,
        connections_per_peer: 3,
        inbound_streams: 40,
        inbound_streams_reserved: 10,
        inbound_streams_per_peer: 30,
        inbound_streams_per_protocol: 3,
        inbound_streams_per_connection: 20,
        outbound_streams: 6,
        outbound_streams_per_connection: 4,
        memory: 100,
        memory_per_peer: 60,
        memory_per_connection: 40,
        unread: 1000,
        descriptors: 6,
        ..Limits::default()
    }
}

fn peer(number: u8) -> PeerId {
    let mut bytes = [0; 34];
    (bytes[0], bytes[1], bytes[33]) = (0x12, 32, number);
    PeerId::from_bytes(&bytes).expect("a hash of 32 bytes")
}

fn protocol(number: u8) -> ProtocolId {
    format!("/{}", number % 2).into()
}

fn direction(inbound: bool) -> Direction {
    if inbound {
        Direction::Inbound
    } else {
        Direction::Outbound
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Accept,
    Establish {
        connection: usize,
        peer: u8,
        inbound: bool,
    },
    Close {
        connection: usize,
    },
    Open {
        connection: usize,
        inbound: bool,
    },
    Join {
        stream: usize,
        protocol: u8,
    },
    End {
        stream: usize,
    },
    Reserve {
        connection: usize,
        amount: u64,
    },
    Resize {
        reservation: usize,
        amount: u64,
    },
    Release {
        reservation: usize,
    },
    Unread {
        connection: usize,
        amount: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let one = 0usize..8;
    prop_oneof![
        Just(Step::Accept),
        (one.clone(), 0u8..3, any::<bool>()).prop_map(|(connection, peer, inbound)| Step::Establish {
            connection,
            peer,
            inbound
        }),
        one.clone().prop_map(|connection| Step::Close { connection }),
        (one.clone(), any::<bool>()).prop_map(|(connection, inbound)| Step::Open { connection, inbound }),
        (0usize..40, 0u8..2).prop_map(|(stream, protocol)| Step::Join { stream, protocol }),
        (0usize..40).prop_map(|stream| Step::End { stream }),
        (one.clone(), 0u64..50).prop_map(|(connection, amount)| Step::Reserve { connection, amount }),
        (one.clone(), 0u64..50).prop_map(|(reservation, amount)| Step::Resize { reservation, amount }),
        one.clone().prop_map(|reservation| Step::Release { reservation }),
        (one, 0u64..2000).prop_map(|(connection, amount)| Step::Unread { connection, amount }),
    ]
}

/// What a test holds, beside what it should amount to.
struct Rig {
    system: Arc<System>,
    next: u64,
    places: Vec<Held>,
    streams: Vec<(usize, Direction, Option<ProtocolId>, StreamPlace)>,
    reservations: Vec<(usize, Reservation)>,
}

/// A connection, which keeps its number and its peer when its place is gone: streams may outlive it.
struct Held {
    place: Option<Place>,
    scope: Arc<super::connection::ConnectionScope>,
    peer: Option<(PeerId, Direction)>,
    unread: u64,
}

impl Rig {
    fn new(limits: Limits) -> Self {
        Self {
            system: System::new(limits),
            next: 0,
            places: Vec::new(),
            streams: Vec::new(),
            reservations: Vec::new(),
        }
    }

    /// Takes a step and says whether it was refused.
    fn take(&mut self, step: Step) -> bool {
        match step {
            Step::Accept => self.accept(),
            Step::Establish {
                connection,
                peer: number,
                inbound,
            } => self.establish(connection, &peer(number), direction(inbound)),
            Step::Close { connection } => {
                if let Some(held) = pick(&mut self.places, connection) {
                    held.place = None;
                }
                false
            }
            Step::Open { connection, inbound } => self.open(connection, direction(inbound)),
            Step::Join {
                stream,
                protocol: number,
            } => {
                let Some((.., joined, place)) = pick(&mut self.streams, stream) else {
                    return false;
                };
                if joined.is_some() {
                    return false;
                }
                let done = place.join(&protocol(number), MAX_PER_PEER).is_ok();
                *joined = done.then(|| protocol(number));
                !done
            }
            Step::End { stream } => {
                let index = stream % self.streams.len().max(1);
                drop((index < self.streams.len()).then(|| self.streams.swap_remove(index)));
                false
            }
            Step::Reserve { connection, amount } => self.reserve(connection, amount),
            Step::Resize { reservation, amount } => {
                let held = pick(&mut self.reservations, reservation);
                held.is_some_and(|(_, reservation)| reservation.resize(amount).is_err())
            }
            Step::Release { reservation } => {
                let index = reservation % self.reservations.len().max(1);
                drop((index < self.reservations.len()).then(|| self.reservations.swap_remove(index)));
                false
            }
            Step::Unread { connection, amount } => {
                if let Some(held) = pick(&mut self.places, connection) {
                    held.unread = OWN + amount;
                    held.scope.note_unread(held.unread);
                }
                false
            }
        }
    }

    fn establish(&mut self, connection: usize, peer: &PeerId, direction: Direction) -> bool {
        let id = self.next_id();
        let Some(held) = pick(&mut self.places, connection).filter(|held| held.peer.is_none()) else {
            return false;
        };
        let Some(place) = held.place.as_mut() else {
            return false;
        };
        let done = place.establish(id, peer, direction).is_ok();
        held.peer = done.then_some((*peer, direction));
        !done
    }

    fn next_id(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId(self.next)
    }

    fn accept(&mut self) -> bool {
        let Ok(place) = Place::pending(&self.system, 1) else {
            return true;
        };
        self.places.push(Held {
            scope: place.scope().clone(),
            place: Some(place),
            peer: None,
            unread: 0,
        });
        false
    }

    fn open(&mut self, connection: usize, direction: Direction) -> bool {
        if self.places.is_empty() {
            return false;
        }
        let connection = connection % self.places.len();
        // As in the host: streams come once the connection is established.
        if self.places[connection].peer.is_none() {
            return false;
        }
        let Ok(place) = self.places[connection].scope.stream(direction) else {
            return true;
        };
        self.streams.push((connection, direction, None, place));
        false
    }

    fn reserve(&mut self, connection: usize, amount: u64) -> bool {
        if self.places.is_empty() {
            return false;
        }
        let connection = connection % self.places.len();
        let scope = self.places[connection].scope.clone();
        let Ok(reservation) = Reservation::new(scope, Resource::Memory, amount) else {
            return true;
        };
        self.reservations.push((connection, reservation));
        false
    }

    /// Everything that the scopes say, as one comparable value.
    fn told(&self) -> String {
        let system = Meter::ALL.map(|meter| self.system.used(meter));
        let mut peers: Vec<_> = (self.system.peers.all().iter())
            .map(|peer| {
                let used = peer.lock();
                (
                    peer.key.to_string(),
                    Meter::ALL.map(|meter| used.amounts[meter]),
                    used.protocols.clone(),
                )
            })
            .collect();
        peers.sort();
        let mut protocols: Vec<_> = (self.system.protocols.all().iter())
            .map(|scope| {
                (
                    scope.key.clone(),
                    [Direction::Inbound, Direction::Outbound].map(|way| scope.streams(way).now()),
                )
            })
            .collect();
        protocols.sort();
        format!("{system:?} {peers:?} {protocols:?} {}", self.system.unread.held())
    }

    /// The same from what is held.
    fn expected(&self) -> String {
        let mut system = Amounts::default();
        let mut peers: BTreeMap<String, (Amounts, BTreeMap<ProtocolId, u64>)> = BTreeMap::new();
        let mut protocols: BTreeMap<ProtocolId, [u64; 2]> = BTreeMap::new();
        let mut charge = |connection: &Held, meter: Meter, amount: u64| {
            system[meter] += amount;
            if let Some((peer, _)) = connection.peer {
                peers.entry(peer.to_string()).or_default().0[meter] += amount;
            }
        };
        for held in &self.places {
            charge(held, Meter::Descriptors, u64::from(held.place.is_some()));
            if let (Some(_), Some((_, direction))) = (&held.place, held.peer) {
                charge(held, Meter::Connections(direction), 1);
            }
        }
        for (connection, reservation) in &self.reservations {
            charge(&self.places[*connection], Meter::Memory, reservation.amount());
        }
        for (connection, direction, ..) in &self.streams {
            charge(&self.places[*connection], Meter::Streams(*direction), 1);
        }
        for (connection, direction, joined, _) in &self.streams {
            let Some(joined) = joined else { continue };
            let inbound = *direction == Direction::Inbound;
            protocols.entry(joined.clone()).or_default()[usize::from(!inbound)] += 1;
            if let Some((peer, _)) = self.places[*connection].peer.filter(|_| inbound) {
                *peers
                    .entry(peer.to_string())
                    .or_default()
                    .1
                    .entry(joined.clone())
                    .or_default() += 1;
            }
        }
        let system = Meter::ALL.map(|meter| system[meter]);
        let peers: Vec<_> = (peers.into_iter())
            .map(|(peer, (amounts, protocols))| (peer, Meter::ALL.map(|meter| amounts[meter]), protocols))
            .collect();
        let protocols: Vec<_> = protocols.into_iter().collect();
        let unread: u64 = self
            .places
            .iter()
            .map(|held| held.unread.saturating_sub(OWN))
            .sum();
        format!("{system:?} {peers:?} {protocols:?} {unread}")
    }

    fn refusals(&self) -> u64 {
        self.system
            .snapshot()
            .refusals
            .iter()
            .filter(|one| one.resource != Resource::Unread)
            .map(|one| one.count)
            .sum()
    }
}

fn pick<T>(all: &mut [T], index: usize) -> Option<&mut T> {
    let count = all.len().max(1);
    all.get_mut(index % count)
}

fn assert_empty(system: &System) {
    assert_eq!(Meter::ALL.map(|meter| system.used(meter)), [0; Meter::ALL.len()]);
    assert_eq!(
        (
            system.peers.count(),
            system.protocols.count(),
            system.unread.held()
        ),
        (0, 0, 0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn parents_count_what_their_children_hold(steps in prop::collection::vec(step(), 0..200)) {
        let mut rig = Rig::new(tight());
        let mut refused = 0;
        for step in steps {
            let before = rig.told();
            if rig.take(step) {
                refused += 1;
                prop_assert_eq!(&before, &rig.told(), "a refusal changes nothing: {:?}", step);
            }
            prop_assert_eq!(rig.told(), rig.expected(), "{:?}", step);
        }
        prop_assert_eq!(rig.refusals(), refused, "every refusal is counted");
        let limits = tight();
        let usage = rig.system.snapshot().system;
        let bounded = usage.iter().filter(|usage| usage.resource != Resource::Unread);
        prop_assert!(bounded.into_iter().all(|usage| usage.used <= usage.limit), "{usage:?}");
        prop_assert!(rig.system.peers.all().iter().all(|peer| peer.lock().amounts[Meter::Memory] <= limits.memory_per_peer));
        let Rig { system, places, streams, reservations, .. } = rig;
        drop((places, streams, reservations));
        assert_empty(&system);
    }

    #[test]
    fn a_dry_run_records_and_refuses_nothing(steps in prop::collection::vec(step(), 0..200)) {
        let mut limits = tight();
        limits.dry_run = true;
        let (mut dry, mut wet) = (Rig::new(limits), Rig::new(tight()));
        let mut first_refusal = false;
        for step in steps {
            prop_assert!(!dry.take(step), "{:?} is refused", step);
            prop_assert_eq!(dry.told(), dry.expected());
            // Up to the first refusal both are alike; from there on the dry one holds more.
            first_refusal |= !first_refusal && wet.take(step);
            prop_assert_eq!(dry.refusals() > 0, first_refusal);
        }
        prop_assert!(dry.system.snapshot().dry_run);
        let Rig { system, places, streams, reservations, .. } = dry;
        drop((places, streams, reservations));
        assert_empty(&system);
    }

    #[test]
    fn connections_that_keep_to_their_shares_never_exceed_the_pool(wants in prop::collection::vec((0usize..20, 1u64..400), 1..400)) {
        let (pool, mut held) = (Pool::new(1000), [0u64; 20]);
        for (index, more) in wants {
            let share = pool.change(held[index], held[index]);
            // What it takes is there; a connection reads until it is at its share, and no further.
            let next = (held[index] + more).min(share.max(held[index]));
            pool.change(held[index], next);
            held[index] = next;
            let counted: u64 = held.iter().map(|held| held.saturating_sub(OWN)).sum();
            prop_assert_eq!(pool.held(), counted);
            prop_assert!(counted <= 1000);
        }
    }
}

#[test]
fn a_share_is_what_is_free() {
    let pool = Pool::new(100);
    assert_eq!(pool.change(0, OWN), OWN + 100, "one's own bytes are not counted");
    assert_eq!(pool.change(OWN, OWN + 50), OWN + 50, "one alone has half");
    assert_eq!(pool.change(0, OWN + 25), OWN + 25, "the next half of the rest");
    assert_eq!(pool.change(0, 0), OWN + 25);
    assert_eq!(pool.change(0, OWN + 500), OWN, "a full pool stops nobody's own");
    assert_eq!(pool.change(OWN + 50, 0), OWN);
    assert_eq!(pool.change(OWN + 500, 0), OWN + 75);
}

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
