//! Signing behind a trait, so that a private key can live outside the process.

use std::fmt::Debug;

use crate::{PublicKey, SigningError};

/// Something that signs for one identity: a [`Keypair`](crate::Keypair), or a stand-in for an agent or a hardware module.
///
/// The call blocks until there is a signature. A key in the process takes microseconds (RSA: a millisecond); what asks
/// another process should answer within a few milliseconds and fail with [`SigningError::Holder`] rather than wait,
/// because handshakes call it from async tasks. Handshakes, records and certificates ask for one signature each; pubsub asks
/// for one a message that this node publishes, and nothing asks for one a message that is sent or received.
pub trait Signer: Send + Sync + Debug {
    /// The public key of the identity.
    fn public(&self) -> &PublicKey;

    /// Signs a message (not a digest), in the signature format of the key's type.
    ///
    /// # Errors
    /// [`SigningError`] where the key, or its holder, cannot sign now.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError>;
}
