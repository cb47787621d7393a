//! What an mplex connection allows itself and its peer.

use std::time::Duration;

/// Limits and times of a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Payload that may lie unread on a stream before the connection's socket is no longer read: 256 KiB, as much as a
    /// stream of yamux has before its reader shows that it reads. A read that was begun may exceed it by 128 KiB.
    pub max_stream_unread: usize,
    /// Payload that may lie unread on a connection before its socket is no longer read: 4 MiB.
    pub max_unread: usize,
    /// How long a stream may hold up its connection without being read, before it is reset: 5 s, as in go-libp2p, and
    /// half of what a remote may wait for its own bytes to be taken.
    pub patience: Duration,
    /// Streams that the remote opened and nobody has accepted; further ones are reset. 256.
    pub accept_backlog: usize,
    /// Our streams that the remote has not been told of; opening waits beyond. 256.
    pub open_backlog: usize,
    /// Streams of the remote that may exist at once, whatever the host allows: 8,192, a few MiB of bookkeeping.
    pub max_inbound: usize,
    /// Payload that may wait to be written, on all streams of a connection: 256 KiB less a little, four frames that
    /// fill a message of Noise each.
    pub send_buffer: usize,
    /// How long a closing connection may take to send what is queued: 3 s.
    pub close_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_stream_unread: 256 << 10,
            max_unread: 4 << 20,
            patience: Duration::from_secs(5),
            accept_backlog: 256,
            open_backlog: 256,
            max_inbound: 8192,
            send_buffer: 4 * 65_507,
            close_timeout: Duration::from_secs(3),
        }
    }
}
