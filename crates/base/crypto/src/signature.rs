//! Errors that the signature schemes share.

use thiserror::Error;

/// The backend could not sign: it ran out of memory, or the key is not usable for signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the cryptography backend could not sign")]
pub struct SigningFailed;

/// The bytes are no key of the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyRejected {
    /// A point that is not on the curve, or not in the one accepted encoding.
    #[error("the public key is not a point of the curve in its standard encoding")]
    Point,
    /// A point of small order: anybody can sign for such a key.
    #[error("the public key is a point of small order")]
    SmallOrder,
    /// A private scalar that is zero or not below the order of the group.
    #[error("the private key is out of range")]
    Scalar,
    /// An RSA modulus shorter or longer than the accepted sizes.
    #[error("an RSA key of {bits} bits is outside the accepted 2048 to 8192")]
    RsaSize {
        /// The length of the modulus.
        bits: usize,
    },
    /// An RSA modulus or public exponent that cannot be one.
    #[error("the RSA modulus or exponent is invalid")]
    RsaParameters,
    /// The parts of the private key do not belong together.
    #[error("the parts of the private key contradict each other")]
    Inconsistent,
}
