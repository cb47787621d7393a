//! What a peer's certificate has to fulfil, and the key that it proves.

use std::time::Duration;

use der::{
    Decode,
    asn1::{BitStringRef, ObjectIdentifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use sinew_identity::PublicKey;

use super::{
    CertificateError, Parsed,
    error::Asn1Error,
    extension::{LIBP2P, SignedKey},
    parsed::Extension,
};

/// RFC 5280, section 4.2.1.3.
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// RFC 5280, section 4.2.1.9: who may sign certificates of others, which nobody does here.
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

/// Checks the certificates of a peer by all rules of the specification, and returns the key that they prove.
///
/// The handshakes of [`client_config`](crate::client_config) and [`server_config`](crate::server_config) call it; it
/// does not know whether the other side holds the certificate's private key.
///
/// # Errors
/// [`CertificateError`] with the first rule that is broken.
pub fn verify(chain: &[CertificateDer<'_>], now: UnixTime) -> Result<PublicKey, CertificateError> {
    let certificate = only(chain)?;
    check_validity(&certificate, now)?;
    let signed_key = signed_key(&certificate)?;
    check_self_signature(&certificate)?;
    signed_key.verified_key(&certificate.key_info)
}

/// The key of a peer whose certificates a handshake of ours has taken already.
///
/// Nothing is verified again: bytes from elsewhere belong into [`verify`].
///
/// # Errors
/// [`CertificateError`] where the certificates are such that no handshake took them.
pub fn peer_key(chain: &[CertificateDer<'_>]) -> Result<PublicKey, CertificateError> {
    signed_key(&only(chain)?)?.key()
}

/// spec: tls, Peer Authentication: exactly one certificate.
fn only<'a>(chain: &'a [CertificateDer<'_>]) -> Result<Parsed<'a>, CertificateError> {
    match chain {
        [certificate] => Parsed::new(certificate),
        _ => Err(CertificateError::Chain(chain.len())),
    }
}

/// spec: tls, Peer Authentication: valid when it is received.
fn check_validity(certificate: &Parsed<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let now = Duration::from_secs(now.as_secs());
    if now < certificate.validity.not_before.to_unix_duration() {
        return Err(CertificateError::NotYetValid);
    }
    if now > certificate.validity.not_after.to_unix_duration() {
        return Err(CertificateError::Expired);
    }
    Ok(())
}

/// Looks at all extensions and finds the one of libp2p, wherever it is.
fn signed_key<'a>(certificate: &Parsed<'a>) -> Result<SignedKey<'a>, CertificateError> {
    let mut found = None;
    for extension in certificate.extensions() {
        let extension = extension?;
        match extension.id {
            LIBP2P if found.is_some() => return Err(CertificateError::DoubledExtension),
            LIBP2P => found = Some(extension.value.as_bytes()),
            KEY_USAGE => check_key_usage(&extension)?,
            BASIC_CONSTRAINTS => {}
            // spec: tls, Peer Authentication: what is critical and not understood is refused, the rest is ignored.
            id if extension.critical => return Err(CertificateError::CriticalExtension(id)),
            _ => {}
        }
    }
    let found = found.ok_or(CertificateError::MissingExtension)?;
    SignedKey::from_der(found).map_err(Asn1Error::extension)
}

/// RFC 8446, section 4.4.2.2: the key of the certificate may be used for signatures, if its uses are named.
fn check_key_usage(extension: &Extension<'_>) -> Result<(), CertificateError> {
    let usage = BitStringRef::from_der(extension.value.as_bytes()).map_err(Asn1Error::malformed)?;
    // digitalSignature is the first bit.
    match usage.raw_bytes().first() {
        Some(first) if first & 0x80 != 0 => Ok(()),
        _ => Err(CertificateError::KeyUsage),
    }
}

/// spec: tls, Peer Authentication: the certificate is signed by its own key.
fn check_self_signature(certificate: &Parsed<'_>) -> Result<(), CertificateError> {
    // RFC 5280, section 4.1.1.2.
    if certificate.algorithm != certificate.inner_algorithm {
        return Err(CertificateError::TwoAlgorithms);
    }
    certificate
        .key_info
        .verify(certificate.algorithm, certificate.signed, certificate.signature)
}
