//! How much a host admits.

use super::{Watermarks, capacity, rate::Rate};
use crate::machine::{pending, places};

const MIB: u64 = 1 << 20;

/// The machine that the defaults are for: 4 GiB of memory.
const USUAL_MEMORY: u64 = 4096 * MIB;

/// The machine that the defaults are for: a limit of 16,384 open files.
const USUAL_DESCRIPTORS: u64 = 16_384;

/// Memory that a connection may cost: what it leaves unread for its own, what waits to be written, the state of its
/// security and muxer, and the streams and tasks that usually go with it.
const OF_A_CONNECTION: u64 = MIB / 2;

/// Memory that an inbound stream may cost: its task, its place in the muxer, and what its handler holds.
const OF_A_STREAM: u64 = MIB / 4;

/// How much a host admits.
///
/// [`Limits::default`] are numbers for a machine with 4 GiB of memory and 16,384 descriptors: the same program
/// behaves alike everywhere. [`Limits::auto`] asks the machine, and [`Limits::for_machine`] is the formula behind
/// both. Every number can be changed; none is without effect.
///
/// # How to size them
///
/// 1. Begin with [`Limits::auto`]. Is the machine shared, give [`Limits::for_machine`] the part that is the node's.
/// 2. Run with [`Limits::dry_run`] for a day under your own load: nothing is refused, and what would have been is
///    logged and counted ([`Host::resources`](sinew_core::Host::resources)). Honest peers should cause none.
/// 3. Raise what was reached, and look at the cost: a connection is taken for half a MiB and an inbound stream for a
///    quarter, both in the worst case; idle, a connection takes a few KiB. The most that peers can make a node hold is
///    about `connections × 0.3 MiB + memory + unread`, with 0.5 MiB for a connection over QUIC.
/// 4. Keep `descriptors` above the connections of both directions and twice `pending`, so that it is the tables of
///    connections that are full first: they make room for newcomers, descriptors cannot.
///
/// A limit alone moves the damage to whoever comes next. Therefore places of connections are taken from the busiest
/// source, and a part of the inbound streams is kept for peers that have few.
///
/// ```
/// use sinew_host::Limits;
///
/// // A node that may use a quarter of a GiB and 1,024 files.
/// let mut limits = Limits::for_machine(256 << 20, 1024);
/// assert_eq!((limits.inbound_connections, limits.descriptors), (192, 768));
/// limits.connections_per_peer = 2;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Limits {
    /// Inbound connections that are not established yet, in all. When full, the busiest source makes room.
    pub pending: usize,
    /// Pending inbound connections of one address.
    pub pending_per_address: usize,
    /// Pending inbound connections of one subnet: /24 of IPv4, /56 of IPv6, the address itself on loopback.
    pub pending_per_subnet: usize,
    /// Established inbound connections. When full, one that nobody uses makes room, of the busiest source first. One
    /// place in eight is kept for sources that have fewer than four; once those are touched, connections are trimmed
    /// ([`Watermarks`]), used ones too.
    pub inbound_connections: usize,
    /// Established inbound connections of one address. When full, one of them that nobody uses makes room.
    pub inbound_per_address: usize,
    /// Established inbound connections of one subnet: /24 of IPv4, /56 of IPv6, the address itself on loopback. When
    /// full, one of them that nobody uses makes room.
    pub inbound_per_subnet: usize,
    /// How often an address may connect. Beyond it, it is refused before anything is paid.
    pub inbound_rate_per_address: Rate,
    /// How often a subnet may connect: /24 of IPv4, /56 of IPv6, the address itself on loopback.
    pub inbound_rate_per_subnet: Rate,
    /// Established outbound connections.
    pub outbound_connections: usize,
    /// Established connections to or from one peer.
    pub connections_per_peer: usize,
    /// Addresses that are dialled at once, in all; others wait for their turn.
    pub dials: usize,
    /// Inbound streams in all, those that are being negotiated included.
    pub inbound_streams: usize,
    /// Of the inbound streams, how many are kept for peers that have fewer than 16.
    pub inbound_streams_reserved: usize,
    /// Inbound streams of one peer, over all of its connections: its share.
    pub inbound_streams_per_peer: usize,
    /// Inbound streams of one protocol, of all peers. How many one peer may have is its handler's to say.
    pub inbound_streams_per_protocol: usize,
    /// Inbound streams of one connection, those that are being negotiated included.
    pub inbound_streams_per_connection: usize,
    /// Outbound streams in all.
    pub outbound_streams: usize,
    /// Outbound streams of one connection.
    pub outbound_streams_per_connection: usize,
    /// Bytes that peers may be allowed to send beyond what every stream promises: the growth of receive windows.
    /// Without it streams are slower, and that is all. The share of a peer is four fifths of what others leave: one alone
    /// gets four fifths, twenty get four eighty-firsts each.
    pub memory: u64,
    /// Bytes of [`Limits::memory`] for one peer.
    pub memory_per_peer: u64,
    /// Bytes of [`Limits::memory`] for one connection.
    pub memory_per_connection: u64,
    /// Bytes that may have arrived on all connections together without being read, beyond the first 64 KiB of each
    /// connection and what was reserved of [`Limits::memory`]. The share of a connection is what is free of them: one alone
    /// gets half, twenty a twenty-first part each. A connection over its share is not read from, and after 5 s the
    /// muxer resets its streams that were not read for as long.
    pub unread: u64,
    /// File descriptors of connections, pending or established.
    pub descriptors: u64,
    /// Only record: what a limit forbids is logged and counted, and done in spite of it. The places of pending
    /// connections are still bounded. For sizing limits, not for the open internet.
    pub dry_run: bool,
}

impl Default for Limits {
    /// For a machine with 4 GiB of memory and 16,384 descriptors, whatever machine it is.
    fn default() -> Self {
        Self::for_machine(USUAL_MEMORY, USUAL_DESCRIPTORS)
    }
}

impl Limits {
    /// For this machine: its memory, or that of the control group if it is less, and the process's limit of open
    /// files. What cannot be found out (on systems other than Linux, the memory) is taken as for
    /// [`Limits::default`].
    ///
    /// The files of `/proc` and `/sys` are read each time: call it once.
    #[must_use]
    pub fn auto() -> Self {
        let memory = capacity::memory().unwrap_or(USUAL_MEMORY);
        Self::for_machine(memory, capacity::descriptors().unwrap_or(USUAL_DESCRIPTORS))
    }

    /// For a machine, or the part of one, with `memory` bytes and `descriptors` open files.
    ///
    /// | limit | formula | for 4 GiB and 16,384 files |
    /// |---|---|---|
    /// | `descriptors` | three quarters of the files | 12,288 |
    /// | `pending` | a quarter of `descriptors`, 16 to 256 | 256 |
    /// | …`_per_address`, …`_per_subnet` | a quarter and a half of `pending` | 64, 128 |
    /// | `inbound_`, `outbound_connections` | half each of: one for 512 KiB, as far as `descriptors` less twice `pending` reach | 4,096 |
    /// | `inbound_per_address`, …`_per_subnet` | a 64th and a 16th of `inbound_connections`, at least 8 | 64, 256 |
    /// | `inbound_rate_per_address`, …`_per_subnet` | as many at once as may be pending; one more each 100 ms and 25 ms | 64, 128 |
    /// | `connections_per_peer` | | 8 |
    /// | `dials` | as many as `pending`, at most 160 | 160 |
    /// | `inbound_streams` | one for 256 KiB, at least 512 | 16,384 |
    /// | …`_reserved`, …`_per_peer`, …`_per_protocol` | a quarter, an eighth, a half of them | 4,096, 2,048, 8,192 |
    /// | …`_per_connection` | an eighth of them, at most 1,024 | 1,024 |
    /// | `outbound_streams` | four for an inbound one | 65,536 |
    /// | …`_per_connection` | | 4,096 |
    /// | `memory` | a 256th, at least 1 MiB: enough for one stream at 1 Gbit/s over 100 ms | 16 MiB |
    /// | …`_per_peer`, …`_per_connection` | all of that, at most 64 and 16 MiB | 16, 16 MiB |
    /// | `unread` | a 512th, at least 1 MiB | 8 MiB |
    ///
    /// 256 pending places admit 850 newcomers a second whose upgrade takes three round trips of 100 ms.
    /// `connections_per_peer`, `dials`, the memory of one connection and its unread bytes follow go-libp2p.
    #[must_use]
    pub fn for_machine(memory: u64, descriptors: u64) -> Self {
        let descriptors = descriptors / 4 * 3;
        let pending = (descriptors / 4).clamp(16, 256);
        let affordable = memory / OF_A_CONNECTION;
        let connections = affordable.min(descriptors.saturating_sub(2 * pending)) / 2;
        let connections = count(connections.max(8));
        let streams = count((memory / OF_A_STREAM).max(512));
        let pending = count(pending);
        let growth = (memory / 256).max(MIB);
        Self {
            pending,
            pending_per_address: pending / 4,
            pending_per_subnet: pending / 2,
            inbound_connections: connections,
            inbound_per_address: (connections / 64).max(8),
            inbound_per_subnet: (connections / 16).max(8),
            inbound_rate_per_address: Rate::new(burst(pending / 4), 100),
            inbound_rate_per_subnet: Rate::new(burst(pending / 2), 25),
            outbound_connections: connections,
            connections_per_peer: 8,
            dials: pending.min(160),
            inbound_streams: streams,
            inbound_streams_reserved: streams / 4,
            inbound_streams_per_peer: streams / 8,
            inbound_streams_per_protocol: streams / 2,
            inbound_streams_per_connection: (streams / 8).min(1024),
            outbound_streams: streams.saturating_mul(4),
            outbound_streams_per_connection: 4096,
            memory: growth,
            memory_per_peer: growth.min(64 * MIB),
            memory_per_connection: growth.min(16 * MIB),
            unread: (memory / 512).max(MIB),
            descriptors,
            dry_run: false,
        }
    }

    /// For tests of scale and benches, where one machine plays many: nothing is limited per address, subnet or
    /// peer, and the totals are high.
    #[must_use]
    pub fn one_machine_plays_many() -> Self {
        const MANY: usize = 1 << 20;
        Self {
            pending: 65_536,
            pending_per_address: 65_536,
            pending_per_subnet: 65_536,
            inbound_connections: MANY,
            inbound_per_address: MANY,
            inbound_per_subnet: MANY,
            inbound_rate_per_address: Rate::UNLIMITED,
            inbound_rate_per_subnet: Rate::UNLIMITED,
            outbound_connections: MANY,
            connections_per_peer: MANY,
            dials: 65_536,
            inbound_streams: MANY,
            inbound_streams_reserved: 0,
            inbound_streams_per_peer: MANY,
            inbound_streams_per_protocol: MANY,
            outbound_streams: MANY,
            memory: 512 * MIB,
            memory_per_peer: u64::MAX,
            descriptors: MANY as u64,
            ..Self::default()
        }
    }

    /// Established connections of both directions.
    pub(crate) fn connections(&self) -> usize {
        self.inbound_connections.saturating_add(self.outbound_connections)
    }

    /// Inbound ones are trimmed once the part is touched that is kept for sources with few places, so that there is always
    /// room for those. Never while the limits only record.
    pub(crate) fn inbound_watermarks(&self) -> Watermarks {
        let total = if self.dry_run {
            usize::MAX
        } else {
            self.inbound_connections
        };
        let part = total / places::RESERVED;
        Watermarks::new(total - 2 * part, total - part)
    }

    pub(crate) fn pending_quotas(&self) -> pending::Quotas {
        pending::Quotas {
            total: self.pending,
            per_address: self.pending_per_address,
            per_subnet: self.pending_per_subnet,
        }
    }

    pub(crate) fn inbound_quotas(&self) -> places::Quotas {
        places::Quotas {
            total: self.inbound_connections,
            per_address: self.inbound_per_address,
            per_subnet: self.inbound_per_subnet,
        }
    }
}

fn burst(places: usize) -> u32 {
    u32::try_from(places).unwrap_or(u32::MAX)
}

/// A number of things; nobody has more than four billion of them.
fn count(number: u64) -> usize {
    usize::try_from(number.min(u64::from(u32::MAX))).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Limits, MIB};

    #[test]
    fn the_defaults_are_the_formula_for_the_usual_machine() {
        let limits = Limits::default();
        assert_eq!(limits, Limits::for_machine(4096 * MIB, 16_384));
        assert_eq!(
            (
                limits.pending,
                limits.pending_per_address,
                limits.pending_per_subnet
            ),
            (256, 64, 128)
        );
        assert_eq!(
            (limits.inbound_connections, limits.outbound_connections),
            (4096, 4096)
        );
        assert_eq!((limits.inbound_per_address, limits.inbound_per_subnet), (64, 256));
        let streams = (
            limits.inbound_streams,
            limits.inbound_streams_reserved,
            limits.inbound_streams_per_peer,
        );
        assert_eq!(streams, (16_384, 4096, 2048));
        assert_eq!(
            (
                limits.inbound_streams_per_protocol,
                limits.inbound_streams_per_connection
            ),
            (8192, 1024)
        );
        assert_eq!((limits.memory, limits.memory_per_peer), (16 * MIB, 16 * MIB));
        assert_eq!((limits.memory_per_connection, limits.unread), (16 * MIB, 8 * MIB));
        assert_eq!((limits.descriptors, limits.dry_run), (12_288, false));
        assert_eq!((limits.connections_per_peer, limits.dials), (8, 160));
    }

    #[test]
    fn descriptors_never_end_before_connections_do() {
        for memory in [0, MIB, 64 * MIB, 512 * MIB, 4096 * MIB, u64::MAX] {
            for descriptors in [256, 1024, 4096, 65_536, 1 << 20, u64::MAX] {
                let limits = Limits::for_machine(memory, descriptors);
                let most = limits.inbound_connections + limits.outbound_connections + 2 * limits.pending;
                assert!(
                    most as u64 <= limits.descriptors,
                    "{memory} {descriptors} {limits:?}"
                );
                assert!(limits.descriptors < descriptors);
                assert!(limits.inbound_connections >= 8 && limits.pending >= 16);
                assert!(limits.inbound_streams_reserved < limits.inbound_streams);
            }
        }
    }

    #[test]
    fn more_of_a_machine_is_never_less_of_a_limit() {
        let numbers = |limits: Limits| {
            [
                limits.pending as u64,
                limits.inbound_connections as u64,
                limits.inbound_streams as u64,
                limits.memory,
                limits.memory_per_peer,
                limits.memory_per_connection,
                limits.unread,
                limits.descriptors,
            ]
        };
        let sizes = [64, 128, 1024, 4096, 65_536].map(|memory| memory * MIB);
        for pair in sizes.windows(2) {
            for descriptors in [256, 1024, 65_536] {
                let less = numbers(Limits::for_machine(pair[0], descriptors));
                let more = numbers(Limits::for_machine(pair[1], 2 * descriptors));
                assert!(
                    less.iter().zip(more).all(|(less, more)| *less <= more),
                    "{less:?} {more:?}"
                );
            }
        }
    }

    #[test]
    fn this_machine_has_limits() {
        let limits = Limits::auto();
        assert!(
            limits.inbound_connections >= 8 && limits.descriptors > 0,
            "{limits:?}"
        );
    }
}
