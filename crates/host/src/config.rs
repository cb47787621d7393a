//! Limits and deadlines of a host.

use crate::machine::{idle::Idle, pending::Quotas};
use std::time::Duration;

/// How much a host admits. Every number can be changed; none is without effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Inbound connections that are not established yet, in all. When full, the busiest source makes room.
    pub pending: usize,
    /// Pending inbound connections of one address.
    pub pending_per_address: usize,
    /// Pending inbound connections of one subnet: /24 of IPv4, /56 of IPv6, the address itself on loopback.
    pub pending_per_subnet: usize,
    /// Established inbound connections.
    pub inbound_connections: usize,
    /// Established outbound connections.
    pub outbound_connections: usize,
    /// Established connections to or from one peer.
    pub connections_per_peer: usize,
    /// Inbound streams of one connection, those that are being negotiated included.
    pub inbound_streams_per_connection: usize,
    /// Outbound streams of one connection.
    pub outbound_streams_per_connection: usize,
    /// Bytes of receive windows beyond the promised ones, one connection.
    pub window_bytes_per_connection: u64,
    /// Bytes of receive windows beyond the promised ones, all connections.
    pub window_bytes: u64,
}

impl Default for Limits {
    /// For a node on the open internet with some GiB of memory. `connections_per_peer` and the streams of a
    /// protocol follow go-libp2p; the pending places follow from an upgrade that takes three round trips: 256
    /// places at 300 ms each admit 850 newcomers a second.
    fn default() -> Self {
        Self {
            pending: 256,
            pending_per_address: 64,
            pending_per_subnet: 128,
            inbound_connections: 4096,
            outbound_connections: 4096,
            connections_per_peer: 8,
            inbound_streams_per_connection: 1024,
            outbound_streams_per_connection: 4096,
            window_bytes_per_connection: 32 << 20,
            window_bytes: 1 << 30,
        }
    }
}

impl Limits {
    /// For tests of scale and benches, where one machine plays many: nothing is limited per address, subnet or
    /// peer, and the totals are high.
    #[must_use]
    pub fn one_machine_plays_many() -> Self {
        Self {
            pending: 65_536,
            pending_per_address: 65_536,
            pending_per_subnet: 65_536,
            inbound_connections: 1 << 20,
            outbound_connections: 1 << 20,
            connections_per_peer: 1 << 20,
            ..Self::default()
        }
    }

    pub(crate) fn quotas(&self) -> Quotas {
        Quotas {
            total: self.pending,
            per_address: self.pending_per_address,
            per_subnet: self.pending_per_subnet,
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Timeouts {
    /// An inbound connection agrees on its security protocol.
    pub inbound_first: Duration,
    /// An inbound connection is established.
    pub inbound: Duration,
    /// An inbound connection is established, while more than half of the pending places are taken.
    pub inbound_crowded: Duration,
    /// One address of a dial.
    pub outbound: Duration,
    /// An inbound stream agrees on its protocol.
    pub negotiation: Duration,
    /// A connection that nobody uses: no handle, no stream, no protection.
    pub idle: Duration,
    /// A connection that nobody uses, beside a better one to the same peer.
    pub spare: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            inbound_first: Duration::from_secs(5),
            inbound: Duration::from_secs(10),
            inbound_crowded: Duration::from_secs(3),
            outbound: Duration::from_secs(10),
            negotiation: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            spare: Duration::from_secs(10),
        }
    }
}

/// The least time that an unused connection stays: it is also how often a connection looks whether it is used.
const LEAST_IDLE: Duration = Duration::from_millis(100);

impl Timeouts {
    pub(crate) fn idle_policy(&self) -> Idle {
        Idle {
            last: self.idle.max(LEAST_IDLE),
            spare: self.spare.min(self.idle).max(LEAST_IDLE),
        }
    }
}
