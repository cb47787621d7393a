//! The ASN.1 structures of keys: SubjectPublicKeyInfo, PKCS#8, SEC 1 and PKCS#1, all in strict DER.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader};
use sinew_crypto::{KeyRejected, p256, rsa};
use zeroize::Zeroizing;

use crate::{KeyError, KeyType};

/// RFC 8017, appendix A.1.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// RFC 5480, section 2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// The curve P-256; RFC 5480, section 2.1.1.1.
const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// The curve secp256k1; SEC 2, appendix A.2.
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
/// RFC 8410, section 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// RFC 5280, section 4.1.1.2.
#[derive(Sequence)]
struct AlgorithmIdentifier<'a> {
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
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

/// RFC 5958, section 2; version 0 is PKCS#8 as RFC 5208 has it. Attributes are refused.
#[derive(Sequence)]
struct OneAsymmetricKey<'a> {
    version: u8,
    algorithm: AlgorithmIdentifier<'a>,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

/// RFC 5915, section 3.
#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    curve: Option<ObjectIdentifier>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

/// What a private key structure holds, not yet checked to be a key.
#[derive(Clone, Copy)]
pub(crate) enum PrivateParts<'a> {
    Ed25519(&'a [u8], Option<&'a [u8]>),
    Secp256k1(&'a [u8], Option<&'a [u8]>),
    Ecdsa(&'a [u8], Option<&'a [u8]>),
    /// The PKCS#1 structure, its modulus within bounds.
    Rsa(&'a [u8]),
}

// ---- public keys

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

// ---- private keys

/// Reads an unencrypted PKCS#8 structure.
pub(crate) fn from_pkcs8(bytes: &[u8]) -> Result<PrivateParts<'_>, KeyError> {
    let info = OneAsymmetricKey::from_der(bytes)?;
    let key = info.private_key.as_bytes();
    let public = info.public_key.map(|key| key.as_bytes().unwrap_or_default());
    match info.algorithm.oid {
        ED25519 => Ok(PrivateParts::Ed25519(
            <&OctetStringRef>::from_der(key)?.as_bytes(),
            public,
        )),
        RSA_ENCRYPTION => {
            info.algorithm.expect_rsa()?;
            from_pkcs1(key)
        }
        EC_PUBLIC_KEY => from_sec1_on(key, Some(info.algorithm.curve()?)),
        _ => Err(KeyError::Algorithm),
    }
}

/// Reads a SEC 1 structure that names its curve.
pub(crate) fn from_sec1(bytes: &[u8]) -> Result<PrivateParts<'_>, KeyError> {
    from_sec1_on(bytes, None)
}

fn from_sec1_on(bytes: &[u8], curve: Option<ObjectIdentifier>) -> Result<PrivateParts<'_>, KeyError> {
    let key = EcPrivateKey::from_der(bytes)?;
    let scalar = key.private_key.as_bytes();
    let public = key.public_key.map(|key| key.as_bytes().unwrap_or_default());
    match (curve, key.curve) {
        (Some(outer), Some(inner)) if outer != inner => Err(KeyError::Algorithm),
        (Some(PRIME256V1), _) | (None, Some(PRIME256V1)) => Ok(PrivateParts::Ecdsa(scalar, public)),
        (Some(SECP256K1), _) | (None, Some(SECP256K1)) => Ok(PrivateParts::Secp256k1(scalar, public)),
        _ => Err(KeyError::Algorithm),
    }
}

/// Reads an RSA public key as PKCS#1.
pub(crate) fn rsa_from_pkcs1(bytes: &[u8]) -> Result<rsa::PublicKey, KeyError> {
    let key = RsaPublicKey::from_der(bytes)?;
    rsa::PublicKey::from_components(key.modulus.as_bytes(), key.exponent.as_bytes())
        .map_err(|error| rejected(KeyType::Rsa, error))
}

/// Reads the head of a PKCS#1 structure and checks the size of its modulus.
pub(crate) fn from_pkcs1(bytes: &[u8]) -> Result<PrivateParts<'_>, KeyError> {
    let mut reader = SliceReader::new(bytes)?;
    let (modulus, exponent) = reader.sequence(|reader| {
        let _version = u8::decode(reader)?;
        let numbers = (UintRef::decode(reader)?, UintRef::decode(reader)?);
        reader.read_slice(reader.remaining_len())?; // the backend reads the rest
        Ok::<_, der::Error>(numbers)
    })?;
    reader.finish()?;
    rsa::PublicKey::from_components(modulus.as_bytes(), exponent.as_bytes())
        .map_err(|error| rejected(KeyType::Rsa, error))?;
    Ok(PrivateParts::Rsa(bytes))
}

/// The PKCS#1 structure inside the PKCS#8 structure of the backend.
pub(crate) fn pkcs1_of_pkcs8(bytes: &[u8]) -> &[u8] {
    let info = OneAsymmetricKey::from_der(bytes).expect("the backend writes PKCS#8");
    info.private_key.as_bytes()
}

/// Writes an Ed25519 seed as PKCS#8.
pub(crate) fn ed25519_to_pkcs8(seed: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = OctetStringRef::new(seed).and_then(|seed| seed.to_der());
    let key = Zeroizing::new(key.expect("a seed fits in DER"));
    let algorithm = AlgorithmIdentifier {
        oid: ED25519,
        parameters: None,
    };
    to_pkcs8(algorithm, &key)
}

/// Writes a P-256 scalar and its point as PKCS#8.
pub(crate) fn p256_to_pkcs8(key: &p256::SigningKey) -> Zeroizing<Vec<u8>> {
    let inner = ec_private_key(key.scalar(), None, key.public().as_point());
    to_pkcs8(AlgorithmIdentifier::on_curve(&PRIME256V1), &inner)
}

/// Writes a P-256 scalar and its point as SEC 1, the form inside the protobuf message.
pub(crate) fn p256_to_sec1(key: &p256::SigningKey) -> Zeroizing<Vec<u8>> {
    ec_private_key(key.scalar(), Some(PRIME256V1), key.public().as_point())
}

/// Writes a secp256k1 scalar and its uncompressed point as PKCS#8.
pub(crate) fn secp256k1_to_pkcs8(scalar: &[u8], point: &[u8]) -> Zeroizing<Vec<u8>> {
    let inner = ec_private_key(scalar, None, point);
    to_pkcs8(AlgorithmIdentifier::on_curve(&SECP256K1), &inner)
}

fn to_pkcs8(algorithm: AlgorithmIdentifier<'_>, key: &[u8]) -> Zeroizing<Vec<u8>> {
    let encode = || {
        OneAsymmetricKey {
            version: 0,
            algorithm,
            private_key: OctetStringRef::new(key)?,
            public_key: None,
        }
        .to_der()
    };
    Zeroizing::new(encode().expect("a key of an elliptic curve fits in DER"))
}

fn ec_private_key(scalar: &[u8], curve: Option<ObjectIdentifier>, point: &[u8]) -> Zeroizing<Vec<u8>> {
    let encode = || {
        EcPrivateKey {
            version: 1,
            private_key: OctetStringRef::new(scalar)?,
            curve,
            public_key: Some(BitStringRef::from_bytes(point)?),
        }
        .to_der()
    };
    Zeroizing::new(encode().expect("a key of an elliptic curve fits in DER"))
}

impl<'a> AlgorithmIdentifier<'a> {
    fn on_curve(curve: &'a ObjectIdentifier) -> Self {
        Self {
            oid: EC_PUBLIC_KEY,
            parameters: Some(AnyRef::from(curve)),
        }
    }

    /// The curve of an elliptic-curve key.
    fn curve(&self) -> Result<ObjectIdentifier, KeyError> {
        match self.parameters {
            Some(curve) if self.oid == EC_PUBLIC_KEY => Ok(curve.decode_as()?),
            _ => Err(KeyError::Algorithm),
        }
    }

    /// RFC 8017, appendix A.1: the parameters of an RSA key are NULL, and not left out.
    fn expect_rsa(&self) -> Result<(), KeyError> {
        match self.parameters {
            Some(parameters) if self.oid == RSA_ENCRYPTION && parameters.is_null() => Ok(()),
            _ => Err(KeyError::Algorithm),
        }
    }
}

fn rejected(key_type: KeyType, source: KeyRejected) -> KeyError {
    KeyError::Rejected { key_type, source }
}
