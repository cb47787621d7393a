//! What the scopes count and refuse.

mod pool;
mod refusals;
mod rig;
mod threads;
mod tree;

use super::{Place, System, meter::Meter};
use crate::config::Limits;
use sinew_identity::PeerId;
use sinew_machine::{Direction, ProtocolId};

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
