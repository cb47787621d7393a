//! The four key types of libp2p.

use std::fmt;

use crate::KeyError;

/// The algorithm of a key; the values are those of the wire (peer-ids spec, Keys).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum KeyType {
    /// RSA of 2048 to 8192 bits, signatures by PKCS#1 v1.5 with SHA-256.
    Rsa = 0,
    /// Ed25519, the one that everybody speaks.
    Ed25519 = 1,
    /// ECDSA on secp256k1 with SHA-256.
    Secp256k1 = 2,
    /// ECDSA on P-256 with SHA-256.
    Ecdsa = 3,
}

impl KeyType {
    pub(crate) fn from_number(number: i32) -> Result<Self, KeyError> {
        match number {
            0 => Ok(Self::Rsa),
            1 => Ok(Self::Ed25519),
            2 => Ok(Self::Secp256k1),
            3 => Ok(Self::Ecdsa),
            _ => Err(KeyError::UnknownType(number)),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rsa => "RSA",
            Self::Ed25519 => "Ed25519",
            Self::Secp256k1 => "Secp256k1",
            Self::Ecdsa => "ECDSA",
        })
    }
}
