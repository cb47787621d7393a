//! What can go wrong before there are frames.

use std::{io, path::PathBuf};

use rustls_pki_types::pem;
use sinew_core::TransportError;
use sinew_machine::{Blame, Culpable};
use thiserror::Error;

use crate::http::MAX_HEAD;

/// Why a connection did not become a WebSocket.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The other side does not speak HTTP.
    #[error("the other side does not speak HTTP")]
    NotHttp,
    /// The head of a request or response goes on for too long.
    #[error("HTTP head of more than {MAX_HEAD} bytes")]
    HeadTooLong,
    /// A request or response that is none, or that is not for a WebSocket.
    #[error("HTTP: {0}")]
    Http(#[from] Box<tungstenite::Error>),
    /// The client asks for a path that is not listened on.
    #[error("a path that is not listened on was asked for")]
    Path,
    /// The server does not switch to WebSocket.
    #[error("the server answers with HTTP status {0}")]
    Status(u16),
    /// The server answers what was not asked: another key, an extension, a protocol.
    #[error("the server's answer is not to what was asked: {0}")]
    Answer(&'static str),
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(#[source] rustls::Error),
    /// The other side ended, or the network failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Secure WebSockets are to be listened for, and there is no certificate.
    #[error("listening on a secure websocket needs a certificate")]
    NoCertificate,
    /// The platform's roots cannot be read, so that no server can be verified.
    #[error("no roots to verify servers with: {0}")]
    NoRoots(#[source] rustls::Error),
}

impl Culpable for HandshakeError {
    fn blame(&self) -> Blame {
        match self {
            Self::Io(_) => Blame::Network,
            Self::NoCertificate | Self::NoRoots(_) => Blame::Local,
            _ => Blame::Peer,
        }
    }
}

impl From<HandshakeError> for TransportError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Io(error) => Self::Io(error),
            error => Self::Failed(Box::new(error)),
        }
    }
}

impl HandshakeError {
    /// What a TLS handshake came to: the error of TLS itself, if it is one.
    pub(crate) fn of_tls(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(error) => Self::Tls(error),
            Err(error) => Self::Io(error),
        }
    }
}

/// Why a certificate is not used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The text is no certificate, or no key, in PEM.
    #[error("PEM: {0}")]
    Pem(#[from] pem::Error),
    /// There is no certificate.
    #[error("there is no certificate in it")]
    Empty,
    /// A key of an unknown kind, or not that of the certificate.
    #[error("certificate and key: {0}")]
    Key(#[from] rustls::Error),
    /// It was not read from files, so that there is nothing to read again.
    #[error("the certificate was not read from files")]
    NotFromFiles,
}

impl Culpable for CertificateError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}
