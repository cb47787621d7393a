//! The public key of a certificate, and what it signed.

use der::{
    Reader, SliceReader,
    asn1::{SequenceRef, UintRef},
};
use rustls_pki_types::SubjectPublicKeyInfoDer;

use super::{CertificateError, error::Asn1Error, parsed::bits};

/// The contents of the AlgorithmIdentifier of an RSA key: its OID and NULL (RFC 3279, section 2.3.1).
const RSA: [u8; 13] = [
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// Bytes of the longest modulus that is calculated with: 8192 bits.
const MAX_MODULUS: usize = 1024;

/// A SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
pub(crate) struct KeyInfo<'a> {
    der: &'a [u8],
    algorithm: &'a [u8],
    key: &'a [u8],
}

impl<'a> KeyInfo<'a> {
    pub(super) fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        let der = reader.tlv_bytes()?;
        SliceReader::new(der)?.sequence(|reader| {
            Ok(Self {
                der,
                algorithm: reader.decode::<&SequenceRef>()?.as_bytes(),
                key: bits(reader.decode()?)?,
            })
        })
    }

    /// The structure as it came.
    pub(crate) fn der(&self) -> &'a [u8] {
        self.der
    }

    /// The structure for rustls, to check the signature of a handshake with.
    pub(crate) fn for_rustls(&self) -> SubjectPublicKeyInfoDer<'a> {
        SubjectPublicKeyInfoDer::from(self.der)
    }

    /// Whether this key made `signature` over `signed`, by an algorithm that we take.
    pub(super) fn verify(
        &self,
        algorithm: &[u8],
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), CertificateError> {
        if self.algorithm == RSA {
            check_modulus(self.key).map_err(Asn1Error::malformed)??;
        }
        let known = sinew_crypto::tls::provider()
            .signature_verification_algorithms
            .all;
        let known = known.iter().find(|known| {
            *known.public_key_alg_id() == *self.algorithm && *known.signature_alg_id() == *algorithm
        });
        known
            .ok_or(CertificateError::Algorithm)?
            .verify_signature(self.key, signed, signature)
            .map_err(|_| CertificateError::SelfSignature)
    }
}

/// Looks at the length of an RSAPublicKey's modulus (RFC 8017, appendix A.1.1), before anything is calculated with it.
fn check_modulus(key: &[u8]) -> der::Result<Result<(), CertificateError>> {
    SliceReader::new(key)?.sequence(|reader| {
        let modulus = reader.decode::<UintRef<'_>>()?;
        reader.tlv_bytes()?; // exponent
        let fits = modulus.as_bytes().len() <= MAX_MODULUS;
        der::Result::Ok(fits.then_some(()).ok_or(CertificateError::RsaSize))
    })
}
