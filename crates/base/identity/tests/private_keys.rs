//! Private keys: their stored forms, what other tools make of them, and that they stay private.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sinew_identity::{KeyError, KeyType, Keypair, PemError, Signer};

/// `openssl genpkey -algorithm ed25519`
const OPENSSL_ED25519: &str = include_str!("vectors/openssl/ed25519.pem");
/// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`
const OPENSSL_P256: &str = include_str!("vectors/openssl/p256.pem");
/// `openssl ecparam -name prime256v1 -genkey -noout`
const OPENSSL_P256_SEC1: &str = include_str!("vectors/openssl/p256-sec1.pem");
/// `openssl ecparam -name secp256k1 -genkey -noout`
const OPENSSL_SECP256K1_SEC1: &str = include_str!("vectors/openssl/secp256k1-sec1.pem");
/// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1`
const OPENSSL_SECP256K1: &str = include_str!("vectors/openssl/secp256k1.pem");
/// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`
const OPENSSL_RSA: &str = include_str!("vectors/openssl/rsa-2048.pem");
/// The same key, `openssl rsa -traditional`
const OPENSSL_RSA_PKCS1: &str = include_str!("vectors/openssl/rsa-2048-pkcs1.pem");
/// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384`
const OPENSSL_P384: &str = include_str!("vectors/openssl/p384.pem");
/// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024`
const OPENSSL_RSA_1024: &str = include_str!("vectors/openssl/rsa-1024.pem");
/// The Ed25519 key, encrypted with `openssl pkcs8 -topk8`
const OPENSSL_ENCRYPTED: &str = include_str!("vectors/openssl/ed25519-encrypted.pem");

fn all() -> [Keypair; 4] {
    [
        Keypair::generate(),
        Keypair::generate_secp256k1(),
        Keypair::generate_ecdsa(),
        Keypair::generate_rsa(2048).unwrap(),
    ]
}

#[test]
fn every_form_gives_the_key_back() {
    for key in all() {
        let forms = [
            Keypair::from_protobuf(&key.to_protobuf()).unwrap(),
            Keypair::from_pkcs8(&key.to_pkcs8()).unwrap(),
            Keypair::from_pem(&key.to_pem()).unwrap(),
        ];
        for copy in forms {
            assert_eq!(copy.public(), key.public());
            assert_eq!(*copy.to_protobuf(), *key.to_protobuf());
            assert!(key.public().verify(b"message", &copy.sign(b"message").unwrap()));
        }
    }
}

#[test]
fn the_keys_of_openssl_are_read_and_written_byte_for_byte() {
    for (text, key_type) in [
        (OPENSSL_ED25519, KeyType::Ed25519),
        (OPENSSL_P256, KeyType::Ecdsa),
        (OPENSSL_SECP256K1, KeyType::Secp256k1),
        (OPENSSL_RSA, KeyType::Rsa),
    ] {
        let key = Keypair::from_pem(text).unwrap();
        assert_eq!(key.key_type(), key_type);
        assert_eq!(*key.to_pem(), text);
    }
}

#[test]
fn the_older_forms_of_openssl_are_read() {
    let key = Keypair::from_pem(OPENSSL_P256_SEC1).unwrap();
    assert_eq!(key.key_type(), KeyType::Ecdsa);
    let key = Keypair::from_pem(OPENSSL_SECP256K1_SEC1).unwrap();
    assert_eq!(key.key_type(), KeyType::Secp256k1);
    let (old, new) = (OPENSSL_RSA_PKCS1, OPENSSL_RSA);
    assert_eq!(
        Keypair::from_pem(old).unwrap().public(),
        Keypair::from_pem(new).unwrap().public()
    );
}

#[test]
fn keys_that_are_not_for_libp2p_say_why() {
    let error = |text: &str| Keypair::from_pem(text).unwrap_err();
    assert_eq!(error(OPENSSL_ENCRYPTED), PemError::Encrypted);
    assert_eq!(error(OPENSSL_P384), PemError::Key(KeyError::Algorithm));
    assert!(matches!(
        error(OPENSSL_RSA_1024),
        PemError::Key(KeyError::Rejected {
            key_type: KeyType::Rsa,
            ..
        })
    ));
    assert_eq!(
        error(&OPENSSL_RSA.replace("PRIVATE KEY", "CERTIFICATE")),
        PemError::Label
    );
    assert!(matches!(error("nothing"), PemError::Syntax(_)));
}

#[test]
fn a_public_half_of_another_key_is_refused() {
    // RFC 5958 lets a structure carry the public key: here with that of another key.
    let (key, other) = (Keypair::generate(), Keypair::generate());
    let mut der = key.to_pkcs8().to_vec();
    let public = &other.public().to_protobuf()[4..];
    der[4] = 1; // version 2
    der[1] += 35;
    der.extend([0x81, 33, 0]);
    der.extend_from_slice(public);
    assert_eq!(
        Keypair::from_pkcs8(&der).unwrap_err(),
        KeyError::Mismatch(KeyType::Ed25519)
    );
    let at = der.len() - 32;
    der[at..].copy_from_slice(&key.public().to_protobuf()[4..]);
    assert_eq!(Keypair::from_pkcs8(&der).unwrap().public(), key.public());

    let (key, other) = (Keypair::generate_ecdsa(), Keypair::generate_ecdsa());
    let mut message = key.to_protobuf().to_vec();
    let at = message.len() - 65;
    message[at..].copy_from_slice(&other.to_protobuf()[at..]);
    assert_eq!(
        Keypair::from_protobuf(&message).unwrap_err(),
        KeyError::Mismatch(KeyType::Ecdsa)
    );
}

#[test]
fn rsa_keys_are_generated_in_four_sizes_only() {
    for bits in [0, 512, 1024, 2047, 2049, 16384, usize::MAX] {
        assert_eq!(Keypair::generate_rsa(bits).unwrap_err().bits, bits);
    }
}

#[test]
fn debug_output_holds_nothing_of_a_private_key() {
    for key in all() {
        let shown = format!("{key:?} {key:#?} {:?}", &key as &dyn Signer).to_lowercase();
        assert!(shown.contains(&key.peer_id().to_string().to_lowercase()));
        // No four bytes of the secret, in hex or as a list of numbers. Its own public half may be shown.
        let public = key.public().to_protobuf();
        let secret = key.to_protobuf();
        let secret = secret
            .windows(4)
            .filter(|part| !public.windows(4).any(|of| of == *part));
        for part in secret {
            assert!(!shown.contains(&hex::encode(part)), "{shown}");
            let numbers = part.iter().map(u8::to_string).collect::<Vec<_>>();
            assert!(!shown.contains(&numbers.join(", ")), "{shown}");
        }
    }
}
