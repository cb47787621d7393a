//! The structure of a certificate: what of it matters, borrowed from its bytes.

use der::{
    Reader, Sequence, SliceReader, Tag, TagMode, TagNumber,
    asn1::{BitStringRef, ObjectIdentifier, OctetStringRef, SequenceRef, UintRef},
};
use x509_cert::time::Validity;

use super::{CertificateError, KeyInfo, error::Asn1Error};

/// Bytes of the longest certificate that is read: an RSA identity and an RSA key of 8,192 bits each take about 5 KiB.
const MAX: usize = 8 * 1024;

/// A certificate (RFC 5280, section 4.1), in strict DER; nothing in it is believed yet.
///
/// Serial number, names and unique ids mean nothing here and are stepped over.
pub(crate) struct Parsed<'a> {
    /// What the signature is over.
    pub(super) signed: &'a [u8],
    /// The contents of the AlgorithmIdentifier inside what is signed.
    pub(super) inner_algorithm: &'a [u8],
    /// The contents of the one beside the signature.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) validity: Validity,
    pub(crate) key_info: KeyInfo<'a>,
    extensions: &'a [u8],
}

/// RFC 5280, section 4.1.2.9.
#[derive(Sequence)]
pub(super) struct Extension<'a> {
    pub(super) id: ObjectIdentifier,
    #[asn1(default = "bool::default")]
    pub(super) critical: bool,
    pub(super) value: &'a OctetStringRef,
}

impl<'a> Parsed<'a> {
    pub(crate) fn new(der: &'a [u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX {
            return Err(CertificateError::TooLong {
                len: der.len(),
                max: MAX,
            });
        }
        Self::read(der).map_err(Asn1Error::malformed)
    }

    fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let certificate = reader.sequence(|reader| {
            let signed = reader.tlv_bytes()?;
            let algorithm = reader.decode::<&SequenceRef>()?.as_bytes();
            let signature = bits(reader.decode()?)?;
            let mut certificate = SliceReader::new(signed)?.sequence(Self::read_signed)?;
            certificate.signed = signed;
            certificate.algorithm = algorithm;
            certificate.signature = signature;
            der::Result::Ok(certificate)
        })?;
        reader.finish()?;
        Ok(certificate)
    }

    /// Reads the TBSCertificate.
    fn read_signed(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        reader.context_specific::<UintRef<'_>>(TagNumber(0), TagMode::Explicit)?; // version
        reader.tlv_bytes()?; // serial number
        let inner_algorithm = reader.decode::<&SequenceRef>()?.as_bytes();
        reader.tlv_bytes()?; // issuer
        let validity = reader.decode()?;
        reader.tlv_bytes()?; // subject
        let key_info = KeyInfo::read(reader)?;
        for unique_id in [TagNumber(1), TagNumber(2)] {
            reader.context_specific::<BitStringRef<'_>>(unique_id, TagMode::Implicit)?;
        }
        let extensions = reader.context_specific::<&SequenceRef>(TagNumber(3), TagMode::Explicit)?;
        Ok(Self {
            signed: &[],
            inner_algorithm,
            algorithm: &[],
            signature: &[],
            validity,
            key_info,
            extensions: extensions.map_or(&[], SequenceRef::as_bytes),
        })
    }

    /// The extensions, in order; the first that is malformed is the last.
    pub(super) fn extensions(&self) -> impl Iterator<Item = Result<Extension<'a>, CertificateError>> {
        let mut reader = SliceReader::new(self.extensions).ok();
        std::iter::from_fn(move || {
            let open = reader.as_mut().filter(|reader| !reader.is_finished())?;
            let extension = open.decode().map_err(Asn1Error::malformed);
            if extension.is_err() {
                reader = None;
            }
            Some(extension)
        })
    }
}

/// The bytes of a bit string that is made of whole bytes.
pub(super) fn bits(bits: BitStringRef<'_>) -> der::Result<&[u8]> {
    bits.as_bytes().ok_or_else(|| Tag::BitString.value_error().into())
}
