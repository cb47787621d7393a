//! Key pairs: a private key in the process, beside its public half.

use std::fmt;
use std::sync::Arc;

use sinew_crypto::{ed25519, p256, rsa};
use thiserror::Error;

use crate::{KeyError, KeyType, PeerId, PublicKey, Signer, SigningError, asn1, secp256k1};

/// A private key and its public half. Cheap to clone; the secret is wiped with the last clone, and is never in `Debug`.
#[derive(Clone)]
pub struct Keypair {
    secret: Arc<Secret>,
    public: PublicKey,
}

pub(crate) enum Secret {
    Ed25519(ed25519::SigningKey),
    Secp256k1(secp256k1::SigningKey),
    Ecdsa(p256::SigningKey),
    Rsa(rsa::SigningKey),
}

impl Keypair {
    /// A new Ed25519 key: the type to take unless something asks for another.
    ///
    /// # Panics
    /// Where the system has no entropy, as all `generate` functions do.
    #[must_use]
    pub fn generate() -> Self {
        ed25519::SigningKey::generate().into()
    }

    /// A new Secp256k1 key.
    #[must_use]
    pub fn generate_secp256k1() -> Self {
        secp256k1::SigningKey::generate().into()
    }

    /// A new ECDSA key on P-256.
    #[must_use]
    pub fn generate_ecdsa() -> Self {
        p256::SigningKey::generate().into()
    }

    /// A new RSA key of 2048, 3072, 4096 or 8192 bits. Takes from a tenth of a second to a minute.
    ///
    /// # Errors
    /// [`UnsupportedRsaSize`] for any other size.
    pub fn generate_rsa(bits: usize) -> Result<Self, UnsupportedRsaSize> {
        let size = match bits {
            2048 => rsa::Size::Rsa2048,
            3072 => rsa::Size::Rsa3072,
            4096 => rsa::Size::Rsa4096,
            8192 => rsa::Size::Rsa8192,
            _ => return Err(UnsupportedRsaSize { bits }),
        };
        let key = rsa::SigningKey::generate(size);
        Ok(Self::from_rsa(key).expect("the size is within bounds"))
    }

    pub(crate) fn from_rsa(key: rsa::SigningKey) -> Result<Self, KeyError> {
        let public = asn1::rsa_from_pkcs1(key.public_pkcs1())?;
        Ok(Self {
            public: public.into(),
            secret: Arc::new(Secret::Rsa(key)),
        })
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The type of the key.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.public.key_type()
    }

    /// The id of the peer that owns the key.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.public.peer_id()
    }

    /// Signs a message (not a digest).
    ///
    /// # Errors
    /// [`SigningError`] where the cryptography backend fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        match &*self.secret {
            Secret::Ed25519(key) => Ok(key.sign(message)?),
            Secret::Secp256k1(key) => Ok(key.sign(message)),
            Secret::Ecdsa(key) => Ok(key.sign(message)?),
            Secret::Rsa(key) => Ok(key.sign(message)?),
        }
    }
}

impl Signer for Keypair {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.sign(message)
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keypair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl From<ed25519::SigningKey> for Keypair {
    fn from(key: ed25519::SigningKey) -> Self {
        Self {
            public: (*key.public()).into(),
            secret: Arc::new(Secret::Ed25519(key)),
        }
    }
}

impl From<secp256k1::SigningKey> for Keypair {
    fn from(key: secp256k1::SigningKey) -> Self {
        Self {
            public: key.public().into(),
            secret: Arc::new(Secret::Secp256k1(key)),
        }
    }
}

impl From<p256::SigningKey> for Keypair {
    fn from(key: p256::SigningKey) -> Self {
        Self {
            public: (*key.public()).into(),
            secret: Arc::new(Secret::Ecdsa(key)),
        }
    }
}

/// RSA keys are generated in a few sizes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("RSA keys are generated with 2048, 3072, 4096 or 8192 bits, not {bits}")]
pub struct UnsupportedRsaSize {
    /// The size that was asked for.
    pub bits: usize,
}
