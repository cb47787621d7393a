//! What goes wrong before a connection stands, in the words of the core.

use std::{error::Error, io};

use quinn::{ConnectError, ConnectionError, TransportErrorCode};
use sinew_core::{Blame, Culpable, SecurityError, TransportError};
use sinew_tls::Verifier;

/// Why there is no connection, where only QUIC knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// An address of the draft version, which no implementation speaks any more.
    #[error("/quic is the draft version of QUIC, which nobody speaks any more: use /quic-v1")]
    Draft,
    /// Nobody can come through a hole to this node: it does not listen where the remote would arrive.
    #[error("this node does not listen over QUIC where a connection through a hole could arrive")]
    Deaf,
    /// The remote takes no connections now.
    #[error("the remote refuses the connection")]
    Refused,
    /// The remote speaks no version of ours.
    #[error("the remote does not speak QUIC version 1")]
    Version,
    /// The TLS handshake failed, at this side or at the other.
    #[error("TLS: {0}")]
    Handshake(#[source] Cause),
    /// The remote broke a rule of QUIC.
    #[error("the remote broke a rule of QUIC: {0}")]
    Violation(#[source] Cause),
    /// The remote ended the connection before it stood.
    #[error("the remote ended the handshake: {0}")]
    Closed(#[source] Cause),
    /// This side could not begin.
    #[error("this node could not do its part: {0}")]
    Local(#[source] Cause),
}

impl Culpable for Failure {
    fn blame(&self) -> Blame {
        match self {
            Self::Draft | Self::Deaf | Self::Local(_) => Blame::Local,
            Self::Refused | Self::Closed(_) => Blame::Network,
            Self::Version | Self::Handshake(_) | Self::Violation(_) => Blame::Peer,
        }
    }
}

/// The error of the QUIC library underneath.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Cause(Box<dyn Error + Send + Sync>);

impl Cause {
    fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

fn failed(failure: Failure) -> TransportError {
    TransportError::Failed(Box::new(failure))
}

/// The address is of the draft version.
pub(crate) fn draft() -> TransportError {
    failed(Failure::Draft)
}

/// A hole is asked for, and nobody listens behind it.
pub(crate) fn deaf() -> TransportError {
    failed(Failure::Deaf)
}

/// Why a dial did not begin.
pub(crate) fn not_begun(error: ConnectError) -> TransportError {
    failed(Failure::Local(Cause::new(error)))
}

/// Why a handshake failed. What `verifier` saw says more than what is left of it in `error`.
pub(crate) fn handshake(error: ConnectionError, verifier: &Verifier) -> TransportError {
    if let Some(refusal) = verifier.refusal() {
        return SecurityError::from(refusal).into();
    }
    match error {
        ConnectionError::TimedOut => io::Error::from(io::ErrorKind::TimedOut).into(),
        ConnectionError::Reset => io::Error::from(io::ErrorKind::ConnectionReset).into(),
        ConnectionError::LocallyClosed => io::Error::from(io::ErrorKind::ConnectionAborted).into(),
        ConnectionError::VersionMismatch => failed(Failure::Version),
        ConnectionError::CidsExhausted => failed(Failure::Local(Cause::new(error))),
        ConnectionError::TransportError(ours) if is_tls(ours.code) => tls(Cause::new(ours)),
        ConnectionError::TransportError(ours) => failed(Failure::Violation(Cause::new(ours))),
        ConnectionError::ConnectionClosed(theirs) => match theirs.error_code {
            TransportErrorCode::CONNECTION_REFUSED => failed(Failure::Refused),
            code if is_tls(code) => tls(Cause::new(ConnectionError::ConnectionClosed(theirs))),
            _ => failed(Failure::Closed(Cause::new(ConnectionError::ConnectionClosed(
                theirs,
            )))),
        },
        ConnectionError::ApplicationClosed(_) => failed(Failure::Closed(Cause::new(error))),
    }
}

/// The handshake took too long.
pub(crate) fn too_late() -> TransportError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

fn tls(cause: Cause) -> TransportError {
    SecurityError::Handshake(Box::new(Failure::Handshake(cause))).into()
}

/// RFC 9001, section 4.8: the alerts of TLS are errors from 0x100 on.
fn is_tls(code: TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}
