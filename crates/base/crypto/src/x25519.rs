//! X25519 key agreement (RFC 7748).

use std::fmt;

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use zeroize::Zeroizing;

use crate::random;

/// The length of a private key, of a public key and of a shared secret.
pub const LEN: usize = 32;

/// The other side's public key is a point of low order: the shared secret would be zero whatever our key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the public key is a point of low order")]
pub struct LowOrderPoint;

/// A private key. Its memory is overwritten when it is dropped.
pub struct Secret {
    key: PrivateKey,
    bytes: Zeroizing<[u8; LEN]>,
    public: [u8; LEN],
}

impl Secret {
    /// A fresh key from the system's generator.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; LEN]);
        random(&mut bytes[..]);
        Self::from_bytes(bytes)
    }

    /// The key that `bytes` stand for; every 32 bytes are a key.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Zeroizing<[u8; LEN]>>) -> Self {
        let bytes = bytes.into();
        let key = PrivateKey::from_private_key(&X25519, &bytes[..]).expect("any 32 bytes are an X25519 key");
        let computed = key.compute_public_key().expect("an X25519 key has a public key");
        let mut public = [0; LEN];
        public.copy_from_slice(computed.as_ref());
        Self { key, bytes, public }
    }

    /// The bytes that [`Secret::from_bytes`] makes this key of.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; LEN] {
        &self.bytes
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; LEN] {
        self.public
    }

    /// The secret shared with the owner of `public`.
    ///
    /// # Errors
    /// [`LowOrderPoint`] when the shared secret would not depend on our key.
    pub fn agree(&self, public: &[u8; LEN]) -> Result<Zeroizing<[u8; LEN]>, LowOrderPoint> {
        let public = UnparsedPublicKey::new(&X25519, &public[..]);
        agreement::agree(&self.key, public, LowOrderPoint, |secret| {
            let mut shared = Zeroizing::new([0; LEN]);
            shared.copy_from_slice(secret);
            Ok(shared)
        })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(text: &str) -> [u8; LEN] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_iterated_example_of_rfc_7748_section_5_2() {
        let mut base = [0; LEN];
        base[0] = 9;
        let (mut scalar, mut point) = (base, base);
        for round in 1..=1_000 {
            let shared = *Secret::from_bytes(scalar).agree(&point).unwrap();
            point = std::mem::replace(&mut scalar, shared);
            if round == 1 {
                let once = array("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
                assert_eq!(scalar, once);
                assert_eq!(Secret::from_bytes(base).public(), once);
            }
        }
        assert_eq!(
            scalar,
            array("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
        );
    }

    #[test]
    fn both_sides_share_one_secret() {
        let (alice, bob) = (Secret::generate(), Secret::generate());
        assert_eq!(alice.agree(&bob.public()), bob.agree(&alice.public()));
        assert_eq!(Secret::from_bytes(*alice.as_bytes()).public(), alice.public());
    }

    #[test]
    fn points_of_low_order_are_refused() {
        // The points of order 1, 2, 4 and 8 and their non-canonical forms (cr.yp.to/ecdh.html#validate).
        const POINTS: [&str; 7] = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        for point in POINTS {
            assert_eq!(
                Secret::generate().agree(&array(point)).unwrap_err(),
                LowOrderPoint,
                "{point}"
            );
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", Secret::from_bytes([7; LEN])), "Secret { .. }");
    }
}
