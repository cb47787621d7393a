//! Public keys of the four types, their wire form and their signatures.

use std::fmt;
use std::sync::Arc;

use sinew_crypto::{ed25519, p256, rsa};

use crate::{KeyError, KeyType, PeerId, asn1, protobuf, secp256k1};

/// The public half of an identity.
///
/// Cheap to clone. Every key has one encoding, whatever form it was read from, and therefore one [`PeerId`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Ed25519(ed25519::PublicKey),
    Secp256k1(secp256k1::PublicKey),
    Ecdsa(p256::PublicKey),
    Rsa(Arc<rsa::PublicKey>),
}

impl PublicKey {
    /// Reads the protobuf form.
    ///
    /// # Errors
    /// [`KeyError`] for a malformed message, a missing field, an unknown type, or data that is no key of its type.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Self, KeyError> {
        let (key_type, data) = protobuf::decode(bytes)?;
        match key_type {
            // spec: peer-ids, Ed25519: the key as it is.
            KeyType::Ed25519 => Self::ed25519(data),
            // spec: peer-ids, Secp256k1: Bitcoin's encoding of a point.
            KeyType::Secp256k1 => secp256k1::PublicKey::from_point(data).map(Self::from),
            // spec: peer-ids, ECDSA and RSA: DER-encoded PKIX.
            KeyType::Ecdsa => asn1::p256_from_spki(data).map(Self::from),
            KeyType::Rsa => asn1::rsa_from_spki(data).map(Self::from),
        }
    }

    fn ed25519(data: &[u8]) -> Result<Self, KeyError> {
        let key_type = KeyType::Ed25519;
        let found = data.len();
        let bytes = data
            .try_into()
            .map_err(|_| KeyError::Length { key_type, found })?;
        let key = ed25519::PublicKey::from_bytes(bytes);
        key.map(Self::from)
            .map_err(|source| KeyError::Rejected { key_type, source })
    }

    /// Writes the protobuf form.
    #[must_use]
    pub fn to_protobuf(&self) -> Vec<u8> {
        match &self.0 {
            Repr::Ed25519(key) => protobuf::encode(KeyType::Ed25519, key.as_bytes()),
            Repr::Secp256k1(key) => protobuf::encode(KeyType::Secp256k1, &key.to_compressed()),
            Repr::Ecdsa(key) => protobuf::encode(KeyType::Ecdsa, &asn1::p256_to_spki(key)),
            Repr::Rsa(key) => protobuf::encode(KeyType::Rsa, &asn1::rsa_to_spki(key)),
        }
    }

    /// The type of the key.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self.0 {
            Repr::Ed25519(_) => KeyType::Ed25519,
            Repr::Secp256k1(_) => KeyType::Secp256k1,
            Repr::Ecdsa(_) => KeyType::Ecdsa,
            Repr::Rsa(_) => KeyType::Rsa,
        }
    }

    /// The id of the peer that owns the key.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        PeerId::from_public_key(self)
    }

    /// Whether `signature` was made over `message` by the owner of the key.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Repr::Ed25519(key) => key.verify(message, signature),
            Repr::Secp256k1(key) => key.verify(message, signature),
            Repr::Ecdsa(key) => key.verify(message, signature),
            Repr::Rsa(key) => key.verify(message, signature),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} of {})", self.key_type(), self.peer_id())
    }
}

impl From<ed25519::PublicKey> for PublicKey {
    fn from(key: ed25519::PublicKey) -> Self {
        Self(Repr::Ed25519(key))
    }
}

impl From<secp256k1::PublicKey> for PublicKey {
    fn from(key: secp256k1::PublicKey) -> Self {
        Self(Repr::Secp256k1(key))
    }
}

impl From<p256::PublicKey> for PublicKey {
    fn from(key: p256::PublicKey) -> Self {
        Self(Repr::Ecdsa(key))
    }
}

impl From<rsa::PublicKey> for PublicKey {
    fn from(key: rsa::PublicKey) -> Self {
        Self(Repr::Rsa(Arc::new(key)))
    }
}
