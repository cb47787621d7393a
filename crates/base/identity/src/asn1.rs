//! The ASN.1 structures of public keys, SubjectPublicKeyInfo and PKCS#1, in strict DER.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, Sequence};
use sinew_crypto::{KeyRejected, p256, rsa};

use crate::{KeyError, KeyType};

/// RFC 8017, appendix A.1.
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// RFC 5480, section 2.1.1.
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// The curve P-256; RFC 5480, section 2.1.1.1.
pub(crate) const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// The curve secp256k1; SEC 2, appendix A.2.
pub(crate) const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
/// RFC 8410, section 3.
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// RFC 5280, section 4.1.1.2.
#[derive(Sequence)]
pub(crate) struct AlgorithmIdentifier<'a> {
    pub(crate) oid: ObjectIdentifier,
    pub(crate) parameters: Option<AnyRef<'a>>,
}

/// RFC 5280, section 4.1.2.7.
#[derive(Sequence)]
struct SubjectPublicKeyInfo<'a> {
    algorithm: AlgorithmIdentifier<'a>,
    key: BitStringRef<'a>,
}

/// RFC 8017, appendix A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// Reads the SubjectPublicKeyInfo of a P-256 key, in the one form that this crate writes.
pub(crate) fn p256_from_spki(bytes: &[u8]) -> Result<p256::PublicKey, KeyError> {
    let info = SubjectPublicKeyInfo::from_der(bytes)?;
    if info.algorithm.curve()? != PRIME256V1 {
        return Err(KeyError::Algorithm);
    }
    let point = info.key.as_bytes().unwrap_or_default();
    let point = point
        .try_into()
        .map_err(|_| rejected(KeyType::Ecdsa, KeyRejected::Point))?;
    p256::PublicKey::from_point(point).map_err(|error| rejected(KeyType::Ecdsa, error))
}

/// Writes the SubjectPublicKeyInfo of a P-256 key.
pub(crate) fn p256_to_spki(key: &p256::PublicKey) -> Vec<u8> {
    // SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING }
    const HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    [&HEAD[..], key.as_point()].concat()
}

/// Reads the SubjectPublicKeyInfo of an RSA key; sizes are looked at before anything is calculated.
pub(crate) fn rsa_from_spki(bytes: &[u8]) -> Result<rsa::PublicKey, KeyError> {
    let info = SubjectPublicKeyInfo::from_der(bytes)?;
    info.algorithm.expect_rsa()?;
    rsa_from_pkcs1(info.key.as_bytes().unwrap_or_default())
}

/// Reads an RSA public key as PKCS#1.
pub(crate) fn rsa_from_pkcs1(bytes: &[u8]) -> Result<rsa::PublicKey, KeyError> {
    let key = RsaPublicKey::from_der(bytes)?;
    rsa::PublicKey::from_components(key.modulus.as_bytes(), key.exponent.as_bytes())
        .map_err(|error| rejected(KeyType::Rsa, error))
}

/// Writes the SubjectPublicKeyInfo of an RSA key.
pub(crate) fn rsa_to_spki(key: &rsa::PublicKey) -> Vec<u8> {
    let encode = || -> der::Result<Vec<u8>> {
        let key = RsaPublicKey {
            modulus: UintRef::new(key.modulus())?,
            exponent: UintRef::new(key.exponent())?,
        }
        .to_der()?;
        SubjectPublicKeyInfo {
            algorithm: AlgorithmIdentifier {
                oid: RSA_ENCRYPTION,
                parameters: Some(AnyRef::NULL),
            },
            key: BitStringRef::from_bytes(&key)?,
        }
        .to_der()
    };
    encode().expect("a key of at most 8192 bits fits in DER")
}

impl<'a> AlgorithmIdentifier<'a> {
    pub(crate) fn on_curve(curve: &'a ObjectIdentifier) -> Self {
        Self {
            oid: EC_PUBLIC_KEY,
            parameters: Some(AnyRef::from(curve)),
        }
    }

    /// The curve of an elliptic-curve key.
    pub(crate) fn curve(&self) -> Result<ObjectIdentifier, KeyError> {
        match self.parameters {
            Some(curve) if self.oid == EC_PUBLIC_KEY => Ok(curve.decode_as()?),
            _ => Err(KeyError::Algorithm),
        }
    }

    /// RFC 8017, appendix A.1: the parameters of an RSA key are NULL, and not left out.
    pub(crate) fn expect_rsa(&self) -> Result<(), KeyError> {
        match self.parameters {
            Some(parameters) if self.oid == RSA_ENCRYPTION && parameters.is_null() => Ok(()),
            _ => Err(KeyError::Algorithm),
        }
    }
}

pub(crate) fn rejected(key_type: KeyType, source: KeyRejected) -> KeyError {
    KeyError::Rejected { key_type, source }
}
