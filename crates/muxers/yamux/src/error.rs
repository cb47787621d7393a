//! Why this side ended a session.

use sinew_core::CloseReason;
use sinew_machine::{Blame, CloseCode, Culpable};

/// Why this side ended a session: what the peer did, or failed to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A version that does not exist.
    #[error("frame of unknown version {0}")]
    Version(u8),
    /// A frame type that does not exist.
    #[error("frame of unknown type {0}")]
    Type(u8),
    /// The peer opened a stream with an id that is ours to give, or with 0.
    #[error("the peer opened stream {0}, an id that is not its own")]
    Parity(u32),
    /// The peer opened a stream that is open.
    #[error("the peer opened stream {0} twice")]
    Duplicate(u32),
    /// More payload than the window allows.
    #[error("{length} bytes on stream {stream}, whose window has {credit} left")]
    Overrun {
        /// The stream.
        stream: u32,
        /// Announced length of the payload.
        length: u32,
        /// What the peer was allowed to send.
        credit: u32,
    },
    /// Credit beyond what the window can count.
    #[error("window of stream {0} overflows")]
    Overflow(u32),
    /// A length that no window can allow.
    #[error("{length} bytes on stream {stream}, more than any window")]
    TooLong {
        /// The stream.
        stream: u32,
        /// Announced length of the payload.
        length: u32,
    },
    /// Useless frames without end.
    #[error("too many useless frames")]
    Flood,
    /// No answer to a ping and no other byte.
    #[error("the peer does not answer pings")]
    Silent,
}

impl sinew_session::machine::Fault for Fault {
    /// The code of the go-away frame that tells the peer.
    fn code(self) -> CloseCode {
        // spec: yamux, Session termination: 1 is a protocol error, 0 the normal termination. A peer that is
        // silent has broken no rule.
        match self {
            Self::Silent => CloseCode::NONE,
            _ => CloseCode(1),
        }
    }

    fn reason(self) -> CloseReason {
        match self {
            Self::Version(_) => CloseReason::Violation("yamux: unknown version"),
            Self::Type(_) => CloseReason::Violation("yamux: unknown frame type"),
            Self::Parity(_) => CloseReason::Violation("yamux: stream id of the wrong side"),
            Self::Duplicate(_) => CloseReason::Violation("yamux: stream opened twice"),
            Self::Overrun { .. } => CloseReason::Violation("yamux: more payload than the window allows"),
            Self::Overflow(_) => CloseReason::Violation("yamux: window overflow"),
            Self::TooLong { .. } => CloseReason::Violation("yamux: frame longer than any window"),
            Self::Flood => CloseReason::Violation("yamux: too many useless frames"),
            Self::Silent => CloseReason::TimedOut("yamux: pings are not answered"),
        }
    }
}

impl Culpable for Fault {
    fn blame(&self) -> Blame {
        match self {
            Self::Silent => Blame::Network,
            _ => Blame::Peer,
        }
    }
}
