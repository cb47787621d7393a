//! Why a connection cannot go on after its handshake.

use std::io;

use rustls::AlertDescription;
use sinew_machine::{Blame, Culpable};

/// Why no more records are sent or received.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A record of a type that may not stand there.
    #[error("unexpected TLS record of type {0}")]
    Type(u8),
    /// A record that says another version than all records do.
    #[error("TLS record of version {0:?}")]
    Version([u8; 2]),
    /// A record longer than any may be.
    #[error("TLS record of {0} bytes, longer than any may be")]
    TooLong(usize),
    /// A record was changed on the way, left out or repeated, or its content breaks a rule.
    #[error("TLS record refused: {0}")]
    Refused(#[source] rustls::Error),
    /// A handshake message that may not come after the handshake, or is cut up in a way that it may not be.
    #[error("unexpected TLS handshake message of type {0}")]
    Message(u8),
    /// The peer sends records without text and next to nothing else.
    #[error("too many TLS records without text")]
    Flood,
    /// The peer gave up the connection and said why.
    #[error("the other side ended the TLS connection: {0:?}")]
    Alert(AlertDescription),
    /// The bytes end without the goodbye of TLS: somebody may have cut them.
    #[error("the TLS connection ends without a goodbye")]
    Truncated,
}

impl RecordError {
    /// What the other side is told about it.
    pub(crate) fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Type(_) | Self::Message(_) | Self::Flood => Some(AlertDescription::UnexpectedMessage),
            Self::Version(_) => Some(AlertDescription::ProtocolVersion),
            Self::TooLong(_) | Self::Refused(rustls::Error::PeerSentOversizedRecord) => {
                Some(AlertDescription::RecordOverflow)
            }
            Self::Refused(_) => Some(AlertDescription::BadRecordMac),
            Self::Alert(_) | Self::Truncated => None,
        }
    }
}

impl Culpable for RecordError {
    fn blame(&self) -> Blame {
        match self {
            Self::Alert(_) | Self::Truncated => Blame::Network,
            _ => Blame::Peer,
        }
    }
}

impl From<RecordError> for io::Error {
    fn from(error: RecordError) -> Self {
        let kind = match error {
            RecordError::Truncated => io::ErrorKind::UnexpectedEof,
            RecordError::Alert(_) => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
