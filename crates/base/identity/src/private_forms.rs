//! The stored forms of private keys: libp2p's protobuf message, PKCS#8 and PEM.

use der::pem::{self, LineEnding};
use sinew_crypto::{KeyRejected, ed25519, p256, rsa};
use zeroize::Zeroizing;

use crate::asn1_private::{self as asn1, PrivateParts};
use crate::keypair::Secret;
use crate::{KeyError, KeyType, Keypair, PemError, protobuf, secp256k1};

/// RFC 7468, section 10.
const PKCS8: &str = "PRIVATE KEY";
/// RFC 7468, section 11.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// RFC 5915, section 4.
const SEC1: &str = "EC PRIVATE KEY";
/// What OpenSSL calls PKCS#1.
const PKCS1: &str = "RSA PRIVATE KEY";

impl Keypair {
    /// Reads the protobuf form, in which libp2p implementations store keys.
    ///
    /// # Errors
    /// [`KeyError`] for a malformed message, a missing field, an unknown type, data that is no key of its type, or a
    /// public half that is not the private one's.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Self, KeyError> {
        let (key_type, data) = protobuf::decode(bytes)?;
        match key_type {
            KeyType::Ed25519 => ed25519_from_halves(data),
            // spec: peer-ids, Secp256k1: the scalar.
            KeyType::Secp256k1 => Ok(secp256k1::SigningKey::from_scalar(data)?.into()),
            // spec: peer-ids, ECDSA: "PKIX" in its text, SEC 1 in its test vectors and in every implementation.
            KeyType::Ecdsa => match asn1::from_sec1(data)? {
                parts @ PrivateParts::Ecdsa(..) => from_parts(parts),
                _ => Err(KeyError::Algorithm),
            },
            // spec: peer-ids, RSA: PKCS#1.
            KeyType::Rsa => from_parts(asn1::from_pkcs1(data)?),
        }
    }

    /// Writes the protobuf form: secret.
    #[must_use]
    pub fn to_protobuf(&self) -> Zeroizing<Vec<u8>> {
        let message = match self.secret() {
            Secret::Ed25519(key) => {
                let halves = Zeroizing::new([&key.seed()[..], key.public().as_bytes()].concat());
                protobuf::encode(KeyType::Ed25519, &halves)
            }
            Secret::Secp256k1(key) => protobuf::encode(KeyType::Secp256k1, key.scalar()),
            Secret::Ecdsa(key) => protobuf::encode(KeyType::Ecdsa, &asn1::p256_to_sec1(key)),
            Secret::Rsa(key) => protobuf::encode(KeyType::Rsa, asn1::pkcs1_of_pkcs8(key.pkcs8())),
        };
        Zeroizing::new(message)
    }

    /// Reads an unencrypted PKCS#8 structure (RFC 5208, RFC 5958) in DER.
    ///
    /// # Errors
    /// [`KeyError`] for a malformed structure, another algorithm or curve, or a key that is refused.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        from_parts(asn1::from_pkcs8(der)?)
    }

    /// Writes an unencrypted PKCS#8 structure in DER: secret.
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        match self.secret() {
            Secret::Ed25519(key) => asn1::ed25519_to_pkcs8(key.seed()),
            Secret::Secp256k1(key) => asn1::secp256k1_to_pkcs8(key.scalar(), &key.public().to_uncompressed()),
            Secret::Ecdsa(key) => asn1::p256_to_pkcs8(key),
            Secret::Rsa(key) => Zeroizing::new(key.pkcs8().to_vec()),
        }
    }

    /// Reads PEM (RFC 7468): PKCS#8, or the older EC and RSA structures of OpenSSL.
    ///
    /// # Errors
    /// [`PemError`] for text that is no PEM, a label that is none of these (an encrypted key among them), or a key that
    /// is refused.
    pub fn from_pem(text: &str) -> Result<Self, PemError> {
        let (label, der) = pem::decode_vec(text.as_bytes()).map_err(PemError::syntax)?;
        let der = Zeroizing::new(der);
        match label {
            PKCS8 => Ok(Self::from_pkcs8(&der)?),
            SEC1 => Ok(from_parts(asn1::from_sec1(&der)?)?),
            PKCS1 => Ok(from_parts(asn1::from_pkcs1(&der)?)?),
            ENCRYPTED => Err(PemError::Encrypted),
            _ => Err(PemError::Label),
        }
    }

    /// Writes PKCS#8 in PEM: secret.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let text = pem::encode_string(PKCS8, LineEnding::LF, &self.to_pkcs8());
        Zeroizing::new(text.expect("a key has a length that PEM can carry"))
    }
}

/// Makes a key pair of what a structure holds, checked against the public half where there is one.
fn from_parts(parts: PrivateParts<'_>) -> Result<Keypair, KeyError> {
    match parts {
        PrivateParts::Ed25519(seed, public) => ed25519_from_parts(seed, public),
        PrivateParts::Secp256k1(scalar, public) => {
            let key = secp256k1::SigningKey::from_scalar(scalar)?;
            let public = public.map(secp256k1::PublicKey::from_point).transpose()?;
            expect_pair(KeyType::Secp256k1, &key.public(), public.as_ref())?;
            Ok(key.into())
        }
        PrivateParts::Ecdsa(scalar, public) => {
            let scalar = fixed(KeyType::Ecdsa, scalar)?;
            let key = p256::SigningKey::from_scalar(&scalar).map_err(rejected(KeyType::Ecdsa))?;
            expect_pair(KeyType::Ecdsa, &key.public().as_point()[..], public)?;
            Ok(key.into())
        }
        PrivateParts::Rsa(der) => {
            let key = rsa::SigningKey::from_pkcs1(der).map_err(rejected(KeyType::Rsa))?;
            Keypair::from_rsa(key)
        }
    }
}

/// Reads the data of an Ed25519 private key message.
///
/// The bare seed of 32 bytes, which py-libp2p writes, is refused: it cannot be told from a public key.
fn ed25519_from_halves(data: &[u8]) -> Result<Keypair, KeyError> {
    match data.len() {
        // spec: peer-ids, Ed25519: the seed and the public key.
        64 => ed25519_from_parts(&data[..32], Some(&data[32..])),
        // spec: peer-ids, Ed25519: an old form has the public key twice; both must be the same.
        96 if data[32..64] == data[64..] => ed25519_from_parts(&data[..32], Some(&data[64..])),
        96 => Err(KeyError::Mismatch(KeyType::Ed25519)),
        found => Err(KeyError::Length {
            key_type: KeyType::Ed25519,
            found,
        }),
    }
}

fn ed25519_from_parts(seed: &[u8], public: Option<&[u8]>) -> Result<Keypair, KeyError> {
    let seed = fixed(KeyType::Ed25519, seed)?;
    let key = ed25519::SigningKey::from_seed(&seed).map_err(rejected(KeyType::Ed25519))?;
    // Signing with a public half that is not the seed's would give the private key away.
    expect_pair(KeyType::Ed25519, &key.public().as_bytes()[..], public)?;
    Ok(key.into())
}

fn fixed(key_type: KeyType, bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let found = bytes.len();
    let bytes = bytes
        .try_into()
        .map_err(|_| KeyError::Length { key_type, found })?;
    Ok(Zeroizing::new(bytes))
}

fn expect_pair<T: PartialEq + ?Sized>(key_type: KeyType, own: &T, given: Option<&T>) -> Result<(), KeyError> {
    match given {
        Some(given) if given != own => Err(KeyError::Mismatch(key_type)),
        _ => Ok(()),
    }
}

fn rejected(key_type: KeyType) -> impl Fn(KeyRejected) -> KeyError {
    move |source| KeyError::Rejected { key_type, source }
}
