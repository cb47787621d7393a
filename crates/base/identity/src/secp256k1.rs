//! ECDSA on the curve secp256k1 with SHA-256, by Bitcoin's library.

use secp256k1::ecdsa::Signature;
use secp256k1::{Message, SecretKey};
use sinew_crypto::{KeyRejected, random, sha256};
use zeroize::Zeroizing;

use crate::{KeyError, KeyType};

/// Bytes of a private scalar.
pub(crate) const SCALAR: usize = 32;
/// Bytes of a compressed point: a tag and a coordinate.
pub(crate) const COMPRESSED: usize = 33;
/// Bytes of an uncompressed point: a tag and two coordinates.
const UNCOMPRESSED: usize = 65;

/// A point of the curve.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PublicKey(secp256k1::PublicKey);

impl PublicKey {
    /// Reads a point, compressed or (as all libp2p implementations do) uncompressed.
    pub(crate) fn from_point(bytes: &[u8]) -> Result<Self, KeyError> {
        let point = match (bytes.len(), bytes.first()) {
            (COMPRESSED, _) | (UNCOMPRESSED, Some(4)) => secp256k1::PublicKey::from_slice(bytes),
            (UNCOMPRESSED, _) => return Err(rejected(KeyRejected::Point)), // hybrid forms
            (found, _) => {
                return Err(KeyError::Length {
                    key_type: KeyType::Secp256k1,
                    found,
                });
            }
        };
        point.map(Self).map_err(|_| rejected(KeyRejected::Point))
    }

    pub(crate) fn to_compressed(self) -> [u8; COMPRESSED] {
        self.0.serialize()
    }

    pub(crate) fn to_uncompressed(self) -> [u8; UNCOMPRESSED] {
        self.0.serialize_uncompressed()
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(mut signature) = Signature::from_der(signature) else {
            return false;
        };
        // go and others sign without lowering s, and the library takes the lower half only.
        signature.normalize_s();
        signature.verify(digest(message), &self.0).is_ok()
    }
}

/// A private key, wiped when it is dropped.
pub(crate) struct SigningKey(SecretKey);

impl SigningKey {
    pub(crate) fn generate() -> Self {
        loop {
            let mut scalar = Zeroizing::new([0; SCALAR]);
            random(&mut scalar[..]);
            // One in 2^128 draws is out of range.
            if let Ok(key) = Self::from_scalar(&scalar[..]) {
                return key;
            }
        }
    }

    pub(crate) fn from_scalar(bytes: &[u8]) -> Result<Self, KeyError> {
        let found = bytes.len();
        let length = |_| KeyError::Length {
            key_type: KeyType::Secp256k1,
            found,
        };
        let scalar = Zeroizing::new(<[u8; SCALAR]>::try_from(bytes).map_err(length)?);
        SecretKey::from_secret_bytes(*scalar)
            .map(Self)
            .map_err(|_| rejected(KeyRejected::Scalar))
    }

    pub(crate) fn scalar(&self) -> &[u8; SCALAR] {
        self.0.as_secret_bytes()
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key())
    }

    /// Signs by RFC 6979: the same message always gives the same signature, with s in the lower half.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign_ecdsa(digest(message)).serialize_der().to_vec()
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

/// spec: peer-ids, Secp256k1: the SHA-256 of the message is signed.
fn digest(message: &[u8]) -> Message {
    Message::from_digest(sha256(message))
}

fn rejected(source: KeyRejected) -> KeyError {
    KeyError::Rejected {
        key_type: KeyType::Secp256k1,
        source,
    }
}
