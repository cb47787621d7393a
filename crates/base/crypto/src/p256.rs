//! ECDSA on the curve P-256 with SHA-256 (FIPS 186-5), signatures in ASN.1 DER.

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::{KeyRejected, SigningFailed};

/// Bytes of an uncompressed point: a tag and two coordinates (SEC 1, section 2.3.3).
pub const POINT: usize = 65;
/// Bytes of a private scalar.
pub const SCALAR: usize = 32;
/// The tag of an uncompressed point (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A public key: a point of the curve other than infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; POINT]);

impl PublicKey {
    /// Takes an uncompressed point.
    ///
    /// # Errors
    /// [`KeyRejected::Point`] for another encoding, or a point that is not on the curve.
    pub fn from_point(bytes: [u8; POINT]) -> Result<Self, KeyRejected> {
        // The tag first: the backend also knows hybrid points.
        if bytes[0] != UNCOMPRESSED {
            return Err(KeyRejected::Point);
        }
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bytes).map_err(|_| KeyRejected::Point)?;
        Ok(Self(bytes))
    }

    /// The uncompressed point.
    #[must_use]
    pub const fn as_point(&self) -> &[u8; POINT] {
        &self.0
    }

    /// Whether `signature`, in DER, is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0)
            .verify(message, signature)
            .is_ok()
    }
}

/// A private key, wiped when it is dropped.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    scalar: Zeroizing<[u8; SCALAR]>,
    public: PublicKey,
}

impl SigningKey {
    /// A new key from the generator of the operating system.
    ///
    /// # Panics
    /// Where the system has no entropy or no memory.
    #[must_use]
    pub fn generate() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        let pair = pair.expect("the system has entropy and memory");
        Self::new(pair).expect("a generated key has a public point")
    }

    /// The key of a stored scalar, most significant byte first.
    ///
    /// # Errors
    /// [`KeyRejected::Scalar`] for zero or a number not below the order of the group.
    pub fn from_scalar(scalar: &[u8; SCALAR]) -> Result<Self, KeyRejected> {
        // RFC 5915: ECPrivateKey { version 1, privateKey, parameters [0] prime256v1 }
        const HEAD: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
        const TAIL: [u8; 12] = [
            0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
        ];
        let mut der = Zeroizing::new([0; HEAD.len() + SCALAR + TAIL.len()]);
        der[..HEAD.len()].copy_from_slice(&HEAD);
        der[HEAD.len()..][..SCALAR].copy_from_slice(scalar);
        der[HEAD.len() + SCALAR..].copy_from_slice(&TAIL);
        EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der[..])
            .map_err(|_| KeyRejected::Scalar)
            .and_then(Self::new)
    }

    fn new(pair: EcdsaKeyPair) -> Result<Self, KeyRejected> {
        let point = pair.public_key().as_ref();
        let point = point.try_into().map_err(|_| KeyRejected::Point)?;
        let scalar = pair.private_key().as_be_bytes();
        let scalar = scalar.map_err(|_| KeyRejected::Scalar)?;
        let scalar = <&[u8; SCALAR]>::try_from(scalar.as_ref()).map_err(|_| KeyRejected::Scalar)?;
        Ok(Self {
            public: PublicKey::from_point(point)?,
            scalar: Zeroizing::new(*scalar),
            pair,
        })
    }

    /// The scalar, most significant byte first: secret.
    #[must_use]
    pub fn scalar(&self) -> &[u8; SCALAR] {
        &self.scalar
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs; the signature is DER and differs from call to call.
    ///
    /// # Errors
    /// [`SigningFailed`] where the backend has no memory or entropy.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| SigningFailed)?.as_ref().to_vec())
    }
}
