//! Random steps on the tree of scopes, beside what they should amount to.

use super::{
    super::{
        Place, StreamPlace, System,
        connection::ConnectionScope,
        meter::{Amounts, Meter},
        pool::OWN,
    },
    MAX_PER_PEER, direction, peer, protocol,
};
use crate::config::Limits;
use proptest::prelude::*;
use sinew_core::{Reservation, Resource, ResourceScope};
use sinew_identity::PeerId;
use sinew_machine::{ConnectionId, Direction, ProtocolId};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
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

pub(super) fn step() -> impl Strategy<Value = Step> {
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
pub(super) struct Rig {
    pub(super) system: Arc<System>,
    next: u64,
    pub(super) places: Vec<Held>,
    pub(super) streams: Vec<(usize, Direction, Option<ProtocolId>, StreamPlace)>,
    pub(super) reservations: Vec<(usize, Reservation)>,
}

/// A connection, which keeps its number and its peer when its place is gone: streams may outlive it.
pub(super) struct Held {
    place: Option<Place>,
    scope: Arc<ConnectionScope>,
    peer: Option<(PeerId, Direction)>,
    unread: u64,
}

impl Rig {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            system: System::new(limits),
            next: 0,
            places: Vec::new(),
            streams: Vec::new(),
            reservations: Vec::new(),
        }
    }

    /// Takes a step and says whether it was refused.
    pub(super) fn take(&mut self, step: Step) -> bool {
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
    pub(super) fn told(&self) -> String {
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
    pub(super) fn expected(&self) -> String {
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

    pub(super) fn refusals(&self) -> u64 {
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
