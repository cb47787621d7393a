//! The primitives of TLS 1.3 and QUIC, as a provider for rustls.

use std::sync::{Arc, LazyLock};

use rustls::{
    SignatureScheme, SupportedCipherSuite,
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms,
        aws_lc_rs::{self as backend, cipher_suite, kx_group},
    },
};
use webpki::aws_lc_rs as signatures;

/// What every connection of the process shares.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    Arc::new(CryptoProvider {
        cipher_suites: cipher_suites(aes_in_hardware()).to_vec(),
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        signature_verification_algorithms: SIGNATURES,
        ..backend::default_provider()
    })
});

/// Ciphers, key exchange and signatures, best first.
///
/// AES-GCM comes before ChaCha20-Poly1305 where the processor has instructions for it, and the other way round where
/// it has none; the post-quantum hybrid X25519MLKEM768 comes before the classical groups. The suite with
/// AES-128-GCM, which QUIC seals its first packets with (RFC 9001, section 5.2), is always among them.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}

/// Certificates and handshakes are verified with these alone: no SHA-1, no curve below 128 bits of security, RSA of
/// 2048 to 8192 bits. P-521 is left out: no libp2p implementation makes such keys, and verifying costs several times
/// as much as with the others.
const SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        signatures::ECDSA_P256_SHA256,
        signatures::ECDSA_P256_SHA384,
        signatures::ECDSA_P256_SHA512,
        signatures::ECDSA_P384_SHA256,
        signatures::ECDSA_P384_SHA384,
        signatures::ECDSA_P384_SHA512,
        signatures::ED25519,
        signatures::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        signatures::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        signatures::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        signatures::RSA_PKCS1_2048_8192_SHA256,
        signatures::RSA_PKCS1_2048_8192_SHA384,
        signatures::RSA_PKCS1_2048_8192_SHA512,
    ],
    // The RSA_PKCS1 schemes are for signatures in certificates: rustls takes none of them in a TLS 1.3 handshake.
    mapping: &[
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[signatures::ECDSA_P256_SHA256],
        ),
        (SignatureScheme::ED25519, &[signatures::ED25519]),
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[signatures::ECDSA_P384_SHA384],
        ),
        (
            SignatureScheme::RSA_PSS_SHA256,
            &[signatures::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PSS_SHA384,
            &[signatures::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PSS_SHA512,
            &[signatures::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA256,
            &[signatures::RSA_PKCS1_2048_8192_SHA256],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA384,
            &[signatures::RSA_PKCS1_2048_8192_SHA384],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA512,
            &[signatures::RSA_PKCS1_2048_8192_SHA512],
        ),
    ],
};

fn cipher_suites(aes_in_hardware: bool) -> [SupportedCipherSuite; 3] {
    let (aes128, aes256, chacha20) = (
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    );
    if aes_in_hardware {
        [aes128, aes256, chacha20]
    } else {
        [chacha20, aes128, aes256]
    }
}

/// Whether the processor has instructions for AES and for the hash of GCM.
fn aes_in_hardware() -> bool {
    #[cfg(target_arch = "x86_64")]
    let found = std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    let found =
        std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let found = false;
    found
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, NamedGroup};

    use super::*;

    #[test]
    fn the_order_of_ciphers_is_that_of_the_hardware() {
        let names = |aes| cipher_suites(aes).map(|suite| suite.suite());
        let [first, .., last] = names(true);
        assert_eq!(first, CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(last, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
        assert_eq!(names(false)[0], CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    }

    #[test]
    fn the_hybrid_comes_first_and_everything_is_of_tls_1_3() {
        let provider = provider();
        assert_eq!(provider.kx_groups[0].name(), NamedGroup::X25519MLKEM768);
        assert!(provider.cipher_suites.iter().all(|suite| suite.tls13().is_some()));
        let algorithms = provider.signature_verification_algorithms;
        for (_, mapped) in algorithms.mapping {
            assert!(algorithms.all.iter().any(|known| {
                known.signature_alg_id() == mapped[0].signature_alg_id()
                    && known.public_key_alg_id() == mapped[0].public_key_alg_id()
            }));
        }
    }
}
