//! What a failed negotiation is to those who asked for it.

use crate::machine::{Unsendable, Violation};
use sinew_core::NegotiationError;
use sinew_machine::{CloseCode, code};
use std::io;

impl From<Violation> for NegotiationError {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::TooManyMessages => Self::TooLong("more messages than one negotiation may take"),
            Violation::TooManyBytes => Self::TooLong("more bytes than one negotiation may take"),
            Violation::TooLong => {
                Self::Malformed("a message is announced that is longer than any protocol's name")
            }
            Violation::Header => Self::Malformed("the first message is not the header"),
            Violation::Length => Self::Malformed("a length is not a minimal varint above zero"),
            Violation::Newline => Self::Malformed("a message is not ended by its only newline"),
            Violation::Utf8 => Self::Malformed("a message is not UTF-8"),
            Violation::Answer => Self::Malformed("a proposal was answered by something else"),
            Violation::List => Self::Malformed("a list of protocols does not follow its own lengths"),
        }
    }
}

impl From<Unsendable> for NegotiationError {
    fn from(unsendable: Unsendable) -> Self {
        match unsendable {
            Unsendable::Nothing => Self::Unsupported(Vec::new()),
            Unsendable::Name(name) => Self::BadName(name),
        }
    }
}

/// The code with which a stream is reset whose negotiation failed for this reason.
pub(crate) fn stream_code(error: &NegotiationError) -> CloseCode {
    match error {
        NegotiationError::Malformed(_) | NegotiationError::TooLong(_) => code::stream::PROTOCOL_VIOLATION,
        _ => code::stream::NEGOTIATION_FAILED,
    }
}

/// The error of a read or write that found the negotiation failed, with the reason inside.
pub(crate) fn into_io(error: NegotiationError) -> io::Error {
    let kind = match &error {
        NegotiationError::Unsupported(_) => io::ErrorKind::Unsupported,
        NegotiationError::Malformed(_) | NegotiationError::TooLong(_) => io::ErrorKind::InvalidData,
        NegotiationError::Ended => io::ErrorKind::UnexpectedEof,
        NegotiationError::Timeout(_) => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
