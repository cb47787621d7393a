//! What a QUIC connection allows itself and its peer.

use std::{sync::Arc, time::Duration};

use quinn::{IdleTimeout, TransportConfig, VarInt};

use crate::congestion;

const KIB: u32 = 1024;
const MIB: u32 = 1024 * KIB;

/// Streams that the peer may have open at once on a new connection. Once it has half as many, or has had 64 in all, it may have
/// [`Config::max_streams`], one round trip later: quinn holds 80 bytes for each that might be opened, also of handshakes
/// that never end.
pub(crate) const FIRST_STREAMS: u32 = 16;

/// The round trip that is expected before one was measured. RFC 9002 recommends 333 ms; with the 100 ms of go and of browsers
/// a lost first packet is sent again after 300 ms and not after a second, and what is left of a handshake that was given
/// up is forgotten in less than a second.
const FIRST_RTT: Duration = Duration::from_millis(100);

/// After how long quinn has forgotten a handshake that was given up: three time-outs of three such round trips each
/// (RFC 9000, section 10.2).
pub(crate) const FORGOTTEN: Duration = FIRST_RTT.saturating_mul(9);

/// Windows, limits and times of connections. [`Config::default`] suits most nodes, [`Config::high_throughput`] long
/// and fat networks, [`Config::low_memory`] thousands of connections on a small machine.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Bytes that may lie unread on one stream: 10 MiB, enough for 0.9 Gbit/s at 100 ms, and less than the window of a
    /// connection grows to: a stream that nobody reads leaves room for the others.
    pub stream_window: u32,
    /// Bytes that may lie unread on all streams of a new connection: 256 KiB. It grows as the bytes are read, and while a
    /// stream that nobody reads holds up the others.
    pub connection_window: u32,
    /// What the window of a connection grows to at most, as the connection's scope allows: 16 MiB.
    pub max_connection_window: u32,
    /// Bytes of ours that may wait for the peer's acknowledgement on a new connection: 256 KiB. It grows to twice what
    /// the network takes, which only a peer that acknowledges can show.
    pub send_window: u32,
    /// What the send window grows to at most: 16 MiB.
    pub max_send_window: u32,
    /// Streams that the peer may have open at once: 256, as in go-libp2p. It waits with more until some have ended.
    pub max_streams: u32,
    /// A sign of life after this time without one: 15 s, as in go-libp2p. `None` sends none.
    pub keep_alive: Option<Duration>,
    /// A connection without any packet of the peer for this long has ended: 30 s, as in go-libp2p. At least a
    /// millisecond, at most what fits 32 bits of them.
    pub idle_timeout: Duration,
    /// How long the handshake of an incoming connection may take: 5 s.
    pub handshake_timeout: Duration,
    /// Incoming connections of one socket that may wait for a decision at once: 256. Whoever comes beyond is not
    /// heard, and comes again.
    pub max_waiting: usize,
    /// Handshakes with addresses that need not be the remote's: 80, with 60 KiB each. While there are as many, who comes is
    /// asked to come again and to prove its address, and costs nothing until then.
    pub max_unproved: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stream_window: 10 * MIB,
            connection_window: 256 * KIB,
            max_connection_window: 16 * MIB,
            send_window: 256 * KIB,
            max_send_window: 16 * MIB,
            max_streams: 256,
            keep_alive: Some(Duration::from_secs(15)),
            idle_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(5),
            max_waiting: 256,
            max_unproved: 80,
        }
    }
}

impl Config {
    /// For few connections over long and fat networks: a stream fills 1 Gbit/s at 100 ms from its first byte. A peer
    /// can make the node hold 24 MiB a connection, whatever its scope says.
    #[must_use]
    pub fn high_throughput() -> Self {
        Self {
            stream_window: 16 * MIB,
            connection_window: 24 * MIB,
            max_connection_window: 64 * MIB,
            send_window: 16 * MIB,
            max_send_window: 64 * MIB,
            ..Self::default()
        }
    }

    /// For many connections on a small machine: at most 256 KiB in each direction of a connection.
    #[must_use]
    pub fn low_memory() -> Self {
        Self {
            stream_window: 128 * KIB,
            connection_window: 64 * KIB,
            max_connection_window: 256 * KIB,
            send_window: 64 * KIB,
            max_send_window: 256 * KIB,
            max_streams: 64,
            max_waiting: 64,
            max_unproved: 16,
            ..Self::default()
        }
    }

    /// The same for quinn.
    pub(crate) fn transport(&self) -> Arc<TransportConfig> {
        let mut config = TransportConfig::default();
        config
            .stream_receive_window(self.stream_window.into())
            .receive_window(self.connection_window.into())
            .send_window(self.send_window.into())
            .initial_rtt(FIRST_RTT)
            .congestion_controller_factory(Arc::new(congestion::Factory::default()))
            .max_concurrent_bidi_streams(self.max_streams.min(FIRST_STREAMS).into())
            // spec: quic: libp2p's streams are those of two directions.
            .max_concurrent_uni_streams(0_u32.into())
            .datagram_receive_buffer_size(None)
            .keep_alive_interval(self.keep_alive)
            .max_idle_timeout(Some(self.idle()));
        Arc::new(config)
    }

    fn idle(&self) -> IdleTimeout {
        let millis = u32::try_from(self.idle_timeout.as_millis()).unwrap_or(u32::MAX);
        VarInt::from_u32(millis.max(1)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_leave_room_beside_a_stream_that_nobody_reads() {
        for config in [Config::default(), Config::high_throughput(), Config::low_memory()] {
            assert!(config.stream_window < config.max_connection_window, "{config:?}");
            assert!(
                config.connection_window <= config.max_connection_window,
                "{config:?}"
            );
            assert!(config.send_window <= config.max_send_window, "{config:?}");
            assert!(
                config
                    .keep_alive
                    .is_none_or(|every| every * 2 <= config.idle_timeout)
            );
        }
    }

    #[test]
    fn times_beyond_what_the_wire_can_say_are_cut() {
        // Zero would mean no time-out at all.
        for (idle_timeout, millis) in [(Duration::MAX, u32::MAX), (Duration::ZERO, 1)] {
            let config = Config {
                idle_timeout,
                ..Config::default()
            };
            assert_eq!(config.idle(), VarInt::from_u32(millis).into());
        }
    }
}
