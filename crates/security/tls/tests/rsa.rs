//! RSA keys that are too long: refused before anything is calculated with them, which would take a peer's time for ours.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use rcgen::{
    CertificateParams, CustomExtension, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use sinew_identity::Keypair;
use sinew_tls::{CertificateError, verify};

/// spec: tls, libp2p Public Key Extension.
const LIBP2P: [u64; 9] = [1, 3, 6, 1, 4, 1, 53594, 1, 1];

/// RFC 3279, section 2.3.1: the AlgorithmIdentifier of an RSA key.
const RSA: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// A value in DER.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let head = match content.len() {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}

/// An RSA key whose owner knows no factors of it, and signs with what comes to mind.
struct Made {
    key: Vec<u8>,
}

impl Made {
    fn new(bits: usize) -> Self {
        let mut modulus = vec![0x55; bits.div_ceil(8)];
        modulus[0] = 1 << ((bits - 1) % 8);
        if modulus[0] == 0x80 {
            modulus.insert(0, 0); // or it would be negative
        }
        let exponent = [0x02, 3, 1, 0, 1];
        let key = tlv(0x30, &[tlv(0x02, &modulus), exponent.to_vec()].concat());
        Self { key }
    }
}

impl PublicKeyData for Made {
    fn der_bytes(&self) -> &[u8] {
        &self.key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

impl SigningKey for Made {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(vec![1; self.key.len() - 14])
    }
}

/// A certificate with this key, for a host key as it is encoded.
fn certificate(key: &impl SigningKey, host_key: &[u8], signature: &[u8]) -> CertificateDer<'static> {
    let signed_key = tlv(0x30, &[tlv(0x04, host_key), tlv(0x04, signature)].concat());
    let mut params = CertificateParams::default();
    params.custom_extensions = vec![CustomExtension::from_oid_content(&LIBP2P, signed_key)];
    params.self_signed(key).unwrap().der().clone()
}

fn verdict(certificate: CertificateDer<'static>) -> CertificateError {
    verify(&[certificate], UnixTime::now()).unwrap_err()
}

/// Up to 8,192 bits the signature is looked at, and is wrong; beyond that nothing is.
#[test]
fn a_certificates_key_beyond_8192_bits_is_not_calculated_with() {
    let host = Keypair::generate();
    for (bits, expected) in [
        (2048, CertificateError::SelfSignature),
        (8192, CertificateError::SelfSignature),
        (8193, CertificateError::RsaSize),
        (16_384, CertificateError::RsaSize),
        (24_576, CertificateError::RsaSize),
    ] {
        let key = Made::new(bits);
        let signed = [b"libp2p-tls-handshake:", &key.subject_public_key_info()[..]].concat();
        let made = certificate(&key, &host.public().to_protobuf(), &host.sign(&signed).unwrap());
        assert_eq!(verdict(made), expected, "{bits} bits");
    }
}

#[test]
fn a_certificate_beyond_8_kib_is_not_even_read() {
    let made = certificate(&Made::new(65_536), b"", b"");
    let len = made.len();
    assert_eq!(verdict(made), CertificateError::TooLong { len, max: 8192 });
}

/// The key of the host is the other one that a certificate asks us to calculate with.
#[test]
fn a_host_key_beyond_8192_bits_is_not_calculated_with() {
    let key = rcgen::KeyPair::generate().unwrap();
    for (bits, refused) in [(8192, false), (8193, true), (16_384, true)] {
        let bit_string = tlv(0x03, &[&[0], &Made::new(bits).key[..]].concat());
        let info = tlv(0x30, &[&RSA, &bit_string[..]].concat());
        // spec: peer-ids, Keys: the type of an RSA key is 0, and its length here a varint of two bytes.
        let length = [info.len() as u8 | 0x80, (info.len() >> 7) as u8];
        let host_key = [&[0x08, 0x00, 0x12], &length[..], &info].concat();
        let error = verdict(certificate(&key, &host_key, &[1; 1024]));
        match error {
            CertificateError::HostKey(_) if refused => {}
            CertificateError::HostSignature if !refused => {}
            error => panic!("{bits} bits: {error}"),
        }
    }
}
