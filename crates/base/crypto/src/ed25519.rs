//! Ed25519 signatures (RFC 8032), with one fixed verification rule.
//!
//! The rule: the public key is in its canonical encoding and not of small order, the scalar of the
//! signature is below the group order, and the equation holds without the cofactor, compared byte by
//! byte with the commitment in the signature. Every honest signature passes. One key has one encoding
//! (so one peer id), nobody can sign for a key that nobody owns, and no third party can turn a
//! signature into another valid one.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::{KeyRejected, SigningFailed, random};

/// Bytes of a public key (RFC 8032, section 5.1.5).
pub const PUBLIC_KEY: usize = 32;
/// Bytes of a seed, the stored form of a private key (RFC 8032, section 5.1.5).
pub const SEED: usize = 32;
/// Bytes of a signature (RFC 8032, section 5.1.6).
pub const SIGNATURE: usize = 64;

/// 2^255 - 19, the prime of the field, least significant byte first (RFC 8032, section 5.1).
const PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

/// The y coordinates of the eight points whose order divides eight; points that differ in the sign of x
/// share one.
const SMALL_ORDER: [[u8; 32]; 5] = {
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = PRIME;
    minus_one[0] -= 1;
    [
        [0; 32],
        one,
        minus_one,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

/// A public key: canonically encoded and not of small order.
///
/// That the bytes are a point of the curve shows only when verifying: a key that is none verifies nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; PUBLIC_KEY]);

impl PublicKey {
    /// Takes the 32 bytes of a public key.
    ///
    /// # Errors
    /// [`KeyRejected::Point`] for an encoding that is not the canonical one, [`KeyRejected::SmallOrder`] for
    /// one of the eight points that anybody can sign for.
    pub fn from_bytes(bytes: [u8; PUBLIC_KEY]) -> Result<Self, KeyRejected> {
        let mut y = bytes;
        y[31] &= 0x7f; // the top bit is the sign of x
        if y.iter().rev().ge(PRIME.iter().rev()) {
            return Err(KeyRejected::Point);
        }
        if SMALL_ORDER.contains(&y) {
            return Err(KeyRejected::SmallOrder);
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PUBLIC_KEY] {
        &self.0
    }

    /// Whether `signature` is this key's over `message`, by the rule of the module.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .is_ok()
    }
}

/// A private key; the seed is wiped when it is dropped.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: Zeroizing<[u8; SEED]>,
    public: PublicKey,
}

impl SigningKey {
    /// A new key from the generator of the operating system.
    ///
    /// # Panics
    /// Where the system has no entropy or no memory.
    #[must_use]
    pub fn generate() -> Self {
        let mut seed = Zeroizing::new([0; SEED]);
        random(&mut seed[..]);
        Self::from_seed(&seed).expect("any 32 bytes are a seed")
    }

    /// The key of a stored seed.
    ///
    /// # Errors
    /// [`KeyRejected::Inconsistent`] where the backend has no memory for it; any 32 bytes are a seed.
    pub fn from_seed(seed: &[u8; SEED]) -> Result<Self, KeyRejected> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyRejected::Inconsistent)?;
        let public = pair.public_key().as_ref();
        let public = public.try_into().map_err(|_| KeyRejected::Inconsistent)?;
        Ok(Self {
            public: PublicKey::from_bytes(public)?,
            seed: Zeroizing::new(*seed),
            pair,
        })
    }

    /// The seed: secret.
    #[must_use]
    pub fn seed(&self) -> &[u8; SEED] {
        &self.seed
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs; the same message always gives the same signature.
    ///
    /// # Errors
    /// [`SigningFailed`] where the backend has no memory.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.pair.try_sign(message).map_err(|_| SigningFailed)?;
        Ok(signature.as_ref().to_vec())
    }
}
