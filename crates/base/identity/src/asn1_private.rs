//! The ASN.1 structures of private keys, PKCS#8, SEC 1 and PKCS#1, in strict DER.

use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader};
use sinew_crypto::{p256, rsa};
use zeroize::Zeroizing;

use crate::asn1::{
    AlgorithmIdentifier, EC_PUBLIC_KEY, ED25519, PRIME256V1, RSA_ENCRYPTION, SECP256K1, rejected,
};
use crate::{KeyError, KeyType};

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

/// Reads an unencrypted PKCS#8 structure. A public key beside one of EC or RSA, which hold their own, is not looked at.
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
