//! Secure upgrades: from bytes to bytes that only one known peer can read.

use crate::{BoxedIo, SecurityError};
use async_trait::async_trait;
use sinew_identity::{PeerId, PublicKey};
use sinew_machine::{Direction, ProtocolId};
use std::fmt;

/// Which part a side plays in a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// The side that speaks first.
    Dialer,
    /// The side that answers.
    Listener,
}

impl From<Direction> for Role {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::Listener,
            Direction::Outbound => Self::Dialer,
        }
    }
}

/// What lies below security and wraps every byte: the key of a private network.
#[async_trait]
pub trait RawUpgrade: Send + Sync + fmt::Debug + 'static {
    /// Wraps `io`. Both sides are alike.
    ///
    /// # Errors
    /// [`SecurityError`]; the bytes are lost then.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection. The caller sets the deadline.
    async fn wrap(&self, io: BoxedIo) -> Result<BoxedIo, SecurityError>;
}

/// A security protocol: Noise, TLS, or plaintext in tests.
#[async_trait]
pub trait SecureUpgrade: Send + Sync + fmt::Debug + 'static {
    /// The name under which it is negotiated, `/noise` for instance.
    fn protocol(&self) -> ProtocolId;

    /// Secures `io` and proves who is at the other end.
    ///
    /// # Errors
    /// [`SecurityError`]; the bytes are lost then.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection. The caller sets the deadline.
    async fn secure(&self, io: BoxedIo, request: SecureRequest) -> Result<Secured, SecurityError>;
}

/// What a secure upgrade is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SecureRequest {
    /// Our part in the handshake.
    pub role: Role,
    /// The only peer that will do; `None` takes any.
    pub expected: Option<PeerId>,
    /// Muxers that we speak, best first, for protocols that can agree on one inside the handshake.
    pub muxers: Vec<ProtocolId>,
}

impl SecureRequest {
    /// A request with all its parts.
    #[must_use]
    pub fn new(role: Role, expected: Option<PeerId>, muxers: Vec<ProtocolId>) -> Self {
        Self {
            role,
            expected,
            muxers,
        }
    }
}

/// Secured bytes and who is at the other end.
#[non_exhaustive]
pub struct Secured {
    /// The secured bytes.
    pub io: BoxedIo,
    /// The peer.
    pub peer: PeerId,
    /// The key that proves it.
    pub key: PublicKey,
    /// The muxer that was agreed on inside the handshake, if any.
    pub muxer: Option<ProtocolId>,
}

impl Secured {
    /// Secured bytes to the peer that `key` belongs to.
    #[must_use]
    pub fn new(io: BoxedIo, key: PublicKey, muxer: Option<ProtocolId>) -> Self {
        Self {
            io,
            peer: key.peer_id(),
            key,
            muxer,
        }
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured")
            .field("peer", &self.peer)
            .field("muxer", &self.muxer)
            .finish_non_exhaustive()
    }
}
