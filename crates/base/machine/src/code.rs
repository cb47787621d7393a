//! Codes that say why a stream was reset or a connection closed.
//!
//! The values are those that go-libp2p sends (`core/network/mux.go`, `core/network/conn.go`). A code that a peer
//! sees never names which limit was met: that goes to logs.

use std::fmt;

/// Why a stream was reset or a connection closed, as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct CloseCode(pub u32);

impl CloseCode {
    /// No reason given: the ordinary end.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {:#x}", self.0)
    }
}

/// Codes of a reset stream.
pub mod stream {
    use super::CloseCode;

    /// No protocol was agreed on.
    pub const NEGOTIATION_FAILED: CloseCode = CloseCode(0x1001);
    /// A limit of the receiver refused the stream.
    pub const RESOURCE_LIMIT: CloseCode = CloseCode(0x1002);
    /// Too many requests in too short a time.
    pub const RATE_LIMITED: CloseCode = CloseCode(0x1003);
    /// The peer broke a rule of the protocol spoken on the stream, or sends what is in vain without end. It is at fault, and
    /// its connection pays for it.
    pub const PROTOCOL_VIOLATION: CloseCode = CloseCode(0x1004);
    /// The stream was given up to free resources.
    pub const GARBAGE_COLLECTED: CloseCode = CloseCode(0x1006);
    /// The node is shutting down.
    pub const SHUTDOWN: CloseCode = CloseCode(0x1007);
    /// The node wants nothing of the peer.
    pub const GATED: CloseCode = CloseCode(0x1008);
}

/// Codes of a closed connection.
pub mod connection {
    use super::CloseCode;

    /// No security protocol or muxer was agreed on.
    pub const NEGOTIATION_FAILED: CloseCode = CloseCode(0x1000);
    /// A limit of the receiver refused the connection.
    pub const RESOURCE_LIMIT: CloseCode = CloseCode(0x1001);
    /// Too many connections in too short a time.
    pub const RATE_LIMITED: CloseCode = CloseCode(0x1002);
    /// The peer broke a rule of a protocol.
    pub const PROTOCOL_VIOLATION: CloseCode = CloseCode(0x1003);
    /// Another connection to the same peer took its place.
    pub const SUPPLANTED: CloseCode = CloseCode(0x1004);
    /// The connection was idle and nobody needed it.
    pub const GARBAGE_COLLECTED: CloseCode = CloseCode(0x1005);
    /// The node is shutting down.
    pub const SHUTDOWN: CloseCode = CloseCode(0x1006);
    /// A connection gater refused the peer.
    pub const GATED: CloseCode = CloseCode(0x1007);
}
