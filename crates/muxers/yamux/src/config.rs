//! What a yamux connection allows itself and its peer.

use std::time::Duration;

/// Limits and times of a connection. The defaults are those that go-libp2p uses where it has such a setting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// A receive window grows up to this: 16 MiB, as in go-libp2p.
    pub max_window: u32,
    /// All windows of a connection together grow by at most this beyond their first 256 KiB, as far as it can be reserved
    /// in the connection's scope: 16 MiB.
    pub max_growth: u64,
    /// Payload that may lie unread on a connection, beside what was reserved for the growth of windows, before its socket
    /// is no longer read: 16 MiB. While a stream waits to write, 256 KiB more are read.
    pub max_unread: usize,
    /// How long a connection may hold more than [`Config::max_unread`], or than its share, before streams that were not read
    /// for as long are reset: 5 s, half of what a remote may wait for its own bytes to be taken, so that it does not cut
    /// the connection first.
    pub patience: Duration,
    /// Streams that the remote opened and nobody has accepted; further ones are reset. 256, the backlog of
    /// unacknowledged streams that the specification recommends.
    pub accept_backlog: usize,
    /// Our streams that the remote has not acknowledged; opening waits beyond. 256 by the specification.
    pub ack_backlog: usize,
    /// Streams of the remote that may exist at once, whatever the host allows: 8,192, a few MiB of bookkeeping.
    pub max_inbound: usize,
    /// Payload that may wait to be written, on all streams of a connection: 256 KiB less a little, four frames that
    /// fill a message of Noise each, so that a full buffer leaves in full messages.
    pub send_buffer: usize,
    /// A ping after this time: 30 s, as in go-libp2p. `None` sends none.
    pub keep_alive: Option<Duration>,
    /// How long a ping may stay unanswered while nothing else arrives either: 10 s.
    pub keep_alive_timeout: Duration,
    /// How long a closing connection may take to say goodbye: 3 s.
    pub close_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_window: 16 << 20,
            max_growth: 16 << 20,
            max_unread: 16 << 20,
            patience: Duration::from_secs(5),
            accept_backlog: 256,
            ack_backlog: 256,
            max_inbound: 8192,
            send_buffer: 4 * 65_507,
            keep_alive: Some(Duration::from_secs(30)),
            keep_alive_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(3),
        }
    }
}
