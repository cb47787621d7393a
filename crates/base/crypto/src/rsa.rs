//! RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2), moduli of 2048 to 8192 bits.

use std::ops::RangeInclusive;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaPublicKeyComponents,
};
use zeroize::Zeroizing;

use crate::{KeyRejected, SigningFailed};

/// Bits of a modulus. Below is weak (go-libp2p draws the same line); above, a verification costs a
/// stranger's victim too much.
pub const MODULUS_BITS: RangeInclusive<usize> = 2048..=8192;
/// Bytes of a public exponent: the backend takes 33 bits.
const MAX_EXPONENT: usize = 5;

/// The sizes in which keys are generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// 2048 bits.
    Rsa2048,
    /// 3072 bits.
    Rsa3072,
    /// 4096 bits.
    Rsa4096,
    /// 8192 bits; takes many seconds to generate.
    Rsa8192,
}

/// A public key within the accepted sizes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    modulus: Box<[u8]>,
    exponent: Box<[u8]>,
}

impl PublicKey {
    /// Takes modulus and exponent, most significant byte first, without leading zeros.
    ///
    /// The sizes are looked at before anything is calculated.
    ///
    /// # Errors
    /// [`KeyRejected::RsaSize`] outside [`MODULUS_BITS`], [`KeyRejected::RsaParameters`] for numbers that
    /// are no modulus or exponent.
    pub fn from_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyRejected> {
        let bits = bits(modulus);
        if !MODULUS_BITS.contains(&bits) {
            return Err(KeyRejected::RsaSize { bits });
        }
        if !is_odd(modulus) || !is_odd(exponent) || exponent.len() > MAX_EXPONENT || exponent == [1] {
            return Err(KeyRejected::RsaParameters);
        }
        if modulus[0] == 0 || exponent[0] == 0 {
            return Err(KeyRejected::RsaParameters);
        }
        if exponent.len() == MAX_EXPONENT && exponent[0] > 1 {
            return Err(KeyRejected::RsaParameters);
        }
        Ok(Self {
            modulus: modulus.into(),
            exponent: exponent.into(),
        })
    }

    /// The modulus, most significant byte first.
    #[must_use]
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, most significant byte first.
    #[must_use]
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .is_ok()
    }
}

/// A private key, wiped when it is dropped.
pub struct SigningKey {
    pair: KeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl SigningKey {
    /// A new key from the generator of the operating system.
    ///
    /// # Panics
    /// Where the system has no entropy or no memory.
    #[must_use]
    pub fn generate(size: Size) -> Self {
        let size = match size {
            Size::Rsa2048 => KeySize::Rsa2048,
            Size::Rsa3072 => KeySize::Rsa3072,
            Size::Rsa4096 => KeySize::Rsa4096,
            Size::Rsa8192 => KeySize::Rsa8192,
        };
        let pair = KeyPair::generate(size).expect("the system has entropy and memory");
        Self::new(pair).expect("a generated key has a stored form")
    }

    /// The key of an RSAPrivateKey structure (RFC 8017, appendix A.1.2). Look at the size of its modulus
    /// first: the backend calculates while it checks that the parts belong together.
    ///
    /// # Errors
    /// [`KeyRejected::Inconsistent`] for bytes that are no such structure or parts that contradict each other.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyRejected> {
        KeyPair::from_der(der)
            .map_err(|_| KeyRejected::Inconsistent)
            .and_then(Self::new)
    }

    fn new(pair: KeyPair) -> Result<Self, KeyRejected> {
        let pkcs8 = pair.as_der().map_err(|_| KeyRejected::Inconsistent)?;
        let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
        Ok(Self { pair, pkcs8 })
    }

    /// The key as an unencrypted PKCS#8 structure (RFC 5208): secret.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public half as an RSAPublicKey structure (RFC 8017, appendix A.1.1).
    #[must_use]
    pub fn public_pkcs1(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs; the same message always gives the same signature.
    ///
    /// # Errors
    /// [`SigningFailed`] where the backend has no memory.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        let signed = self
            .pair
            .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
        signed.map_err(|_| SigningFailed)?;
        Ok(signature)
    }
}

/// The length of a number in bits; leading zeros do not count.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let Some(first) = number.get(zeros) else { return 0 };
    (number.len() - zeros) * 8 - first.leading_zeros() as usize
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte & 1 == 1)
}
