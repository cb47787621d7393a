//! Why connections and streams end, between quinn's words and ours.

use std::io;

use quinn::{ConnectionError, ReadError, TransportErrorCode, VarInt, WriteError};
use sinew_core::{CloseCode, CloseReason};

/// What ended a direction of a stream.
#[derive(Clone, Debug)]
pub(crate) enum StreamEnd {
    /// The remote gave it up.
    Remote(CloseCode),
    /// This side gave it up, because nobody read it.
    GivenUp,
    /// Its connection ended.
    Connection(ConnectionError),
    /// It was over before.
    Over,
}

impl From<ReadError> for StreamEnd {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::Remote(from_wire(code)),
            ReadError::ConnectionLost(error) => Self::Connection(error),
            // Neither early data nor unordered reads are used.
            ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected => {
                Self::Over
            }
        }
    }
}

impl From<WriteError> for StreamEnd {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::Remote(from_wire(code)),
            WriteError::ConnectionLost(error) => Self::Connection(error),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Over,
        }
    }
}

/// A code of ours, as QUIC carries it.
pub(crate) fn to_wire(code: CloseCode) -> VarInt {
    VarInt::from_u32(code.0)
}

/// QUIC's codes have 62 bits; nobody in libp2p uses more than 32, and what is larger is told as the largest.
pub(crate) fn from_wire(code: VarInt) -> CloseCode {
    CloseCode(u32::try_from(code.into_inner()).unwrap_or(u32::MAX))
}

/// Why a connection ended. `ours` is why this side closed it, if it did.
pub(crate) fn close_reason(error: ConnectionError, ours: Option<CloseReason>) -> CloseReason {
    match error {
        ConnectionError::LocallyClosed => ours.unwrap_or(CloseReason::Local(CloseCode::NONE)),
        ConnectionError::ApplicationClosed(close) => CloseReason::Remote(from_wire(close.error_code)),
        ConnectionError::ConnectionClosed(close) if close.error_code == TransportErrorCode::NO_ERROR => {
            CloseReason::Remote(CloseCode::NONE)
        }
        ConnectionError::TimedOut => CloseReason::TimedOut("quic: nothing arrived for the idle time"),
        ConnectionError::TransportError(ours) if ours.code != TransportErrorCode::INTERNAL_ERROR => {
            CloseReason::Violation(rule(ours.code))
        }
        lost @ (ConnectionError::ConnectionClosed(_)
        | ConnectionError::TransportError(_)
        | ConnectionError::VersionMismatch
        | ConnectionError::CidsExhausted) => {
            CloseReason::lost(io::Error::new(io::ErrorKind::ConnectionAborted, lost))
        }
        ConnectionError::Reset => CloseReason::lost(io::ErrorKind::ConnectionReset.into()),
    }
}

/// RFC 9000, section 20.1: the rule that was broken.
fn rule(code: TransportErrorCode) -> &'static str {
    match code {
        TransportErrorCode::FLOW_CONTROL_ERROR => "quic: more bytes than the window allows",
        TransportErrorCode::STREAM_LIMIT_ERROR => "quic: more streams than are allowed",
        TransportErrorCode::STREAM_STATE_ERROR => "quic: a frame for a stream in another state",
        TransportErrorCode::FINAL_SIZE_ERROR => "quic: the length of a stream changed",
        TransportErrorCode::FRAME_ENCODING_ERROR => "quic: a malformed frame",
        TransportErrorCode::TRANSPORT_PARAMETER_ERROR => "quic: malformed parameters",
        TransportErrorCode::CONNECTION_ID_LIMIT_ERROR => "quic: too many connection ids",
        TransportErrorCode::CRYPTO_BUFFER_EXCEEDED => "quic: more handshake than is kept",
        TransportErrorCode::KEY_UPDATE_ERROR => "quic: a key update out of turn",
        TransportErrorCode::AEAD_LIMIT_REACHED => "quic: too many packets that do not open",
        _ => "quic: a rule of the protocol",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_beyond_ours_are_told_as_the_largest() {
        assert_eq!(from_wire(to_wire(CloseCode(0x1002))), CloseCode(0x1002));
        assert_eq!(from_wire(to_wire(CloseCode(u32::MAX))), CloseCode(u32::MAX));
        assert_eq!(from_wire(VarInt::MAX), CloseCode(u32::MAX));
    }

    #[test]
    fn ends_that_need_no_network() {
        let local = |ours| close_reason(ConnectionError::LocallyClosed, ours);
        assert!(matches!(local(None), CloseReason::Local(CloseCode::NONE)));
        assert!(matches!(
            local(Some(CloseReason::Local(CloseCode(7)))),
            CloseReason::Local(CloseCode(7))
        ));
        let lost = close_reason(ConnectionError::Reset, None);
        assert!(matches!(lost, CloseReason::Lost(error) if error.kind() == io::ErrorKind::ConnectionReset));
        assert!(matches!(
            close_reason(ConnectionError::TimedOut, None),
            CloseReason::TimedOut(_)
        ));
    }
}
