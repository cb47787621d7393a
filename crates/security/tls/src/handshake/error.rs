//! Why a handshake fails, certificates aside.

use rustls::AlertDescription;
use sinew_machine::{Blame, Culpable};

/// Why a handshake did not end with a secured connection; what is wrong with a certificate is told by
/// [`CertificateError`](crate::CertificateError).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer broke a rule of TLS 1.3, or speaks nothing that we speak.
    #[error("tls: {0}")]
    Tls(#[source] rustls::Error),
    /// The peer gave up and said why.
    #[error("the other side refused the handshake: {0:?}")]
    Refused(AlertDescription),
    /// The peer sends more than any handshake needs.
    #[error("the handshake takes more bytes than any honest one")]
    TooLong,
}

impl Culpable for HandshakeError {
    fn blame(&self) -> Blame {
        match self {
            Self::Tls(_) | Self::TooLong => Blame::Peer,
            Self::Refused(_) => Blame::Network,
        }
    }
}
