//! Why this side ended a session.

use sinew_core::CloseReason;
use sinew_machine::{Blame, CloseCode, Culpable};

/// Why this side ended a session: what the peer did, or failed to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A header or a length that is no varint, or whose value needs more than 63 bits.
    #[error("frame whose header is no varint of at most 63 bits")]
    Header,
    /// A flag that does not exist.
    #[error("frame with unknown flag {0}")]
    Flag(u8),
    /// A frame longer than the protocol allows.
    #[error("frame of {0} bytes, more than 1 MiB")]
    TooLong(u64),
    /// A name of a stream that is no name.
    #[error("name of a stream of {0} bytes, more than 1 KiB")]
    Name(usize),
    /// The peer opened a stream that is open.
    #[error("the peer opened stream {0} twice")]
    Duplicate(u64),
    /// Useless frames without end.
    #[error("too many useless frames")]
    Flood,
}

impl sinew_session::machine::Fault for Fault {
    fn reason(self) -> CloseReason {
        match self {
            Self::Header => CloseReason::Violation("mplex: a header that is no varint of at most 63 bits"),
            Self::Flag(_) => CloseReason::Violation("mplex: unknown flag"),
            Self::TooLong(_) => CloseReason::Violation("mplex: frame longer than 1 MiB"),
            Self::Name(_) => CloseReason::Violation("mplex: stream name longer than 1 KiB"),
            Self::Duplicate(_) => CloseReason::Violation("mplex: stream opened twice"),
            Self::Flood => CloseReason::Violation("mplex: too many useless frames"),
        }
    }

    fn code(self) -> CloseCode {
        // The wire has no codes.
        CloseCode::NONE
    }
}

impl Culpable for Fault {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}
