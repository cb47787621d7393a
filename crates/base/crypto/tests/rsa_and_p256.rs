//! RSA within its bounds, and ECDSA on P-256.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sinew_crypto::{KeyRejected, p256, rsa};

/// An odd number of `bits` bits; no product of two primes, which nothing looks at before verifying.
fn modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= (8 - bits % 8) % 8;
    modulus
}

const E: &[u8] = &[1, 0, 1];

#[test]
fn the_size_of_an_rsa_key_is_bounded_both_ways() {
    for bits in [2048, 2049, 4096, 8191, 8192] {
        assert!(
            rsa::PublicKey::from_components(&modulus(bits), E).is_ok(),
            "{bits}"
        );
    }
    for bits in [8, 1024, 2047, 8193, 16_384, 1 << 20] {
        let refused = rsa::PublicKey::from_components(&modulus(bits), E);
        assert_eq!(refused, Err(KeyRejected::RsaSize { bits }));
    }
    let refused = rsa::PublicKey::from_components(&[], E);
    assert_eq!(refused, Err(KeyRejected::RsaSize { bits: 0 }));
}

#[test]
fn numbers_that_are_no_rsa_key_are_refused() {
    let refused = Err(KeyRejected::RsaParameters);
    let mut even = modulus(2048);
    even[255] = 0xfe;
    assert_eq!(rsa::PublicKey::from_components(&even, E), refused);
    let padded = [&[0], &modulus(2048)[..]].concat();
    assert_eq!(rsa::PublicKey::from_components(&padded, E), refused);
    let exponents: [&[u8]; 7] = [
        &[],
        &[0],
        &[1],
        &[2],
        &[0, 3],
        &[3, 0, 0, 0, 1],
        &[1, 0, 0, 0, 0, 1],
    ];
    for exponent in exponents {
        assert_eq!(
            rsa::PublicKey::from_components(&modulus(2048), exponent),
            refused,
            "{exponent:?}"
        );
    }
    for exponent in [&[3][..], &[1, 0, 0, 0, 1]] {
        assert!(rsa::PublicKey::from_components(&modulus(2048), exponent).is_ok());
    }
}

#[test]
fn p256_keys_come_back_from_their_scalar() {
    let key = p256::SigningKey::generate();
    let copy = p256::SigningKey::from_scalar(key.scalar()).unwrap();
    assert_eq!(copy.public(), key.public());
    let signature = copy.sign(b"message").unwrap();
    assert!(key.public().verify(b"message", &signature));
    assert!(!key.public().verify(b"Message", &signature));
    assert!(!key.public().verify(b"message", &signature[..signature.len() - 1]));
}

#[test]
fn p256_scalars_are_within_the_group_and_points_on_the_curve() {
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: [u8; 32] = hex::decode(order).unwrap().try_into().unwrap();
    for scalar in [[0; 32], order, [0xff; 32]] {
        let refused = p256::SigningKey::from_scalar(&scalar);
        assert_eq!(refused.map(|_| ()).unwrap_err(), KeyRejected::Scalar);
    }
    let good = *p256::SigningKey::generate().public().as_point();
    for (at, flip) in [(0, 2), (0, 4), (1, 1), (64, 1)] {
        let mut point = good;
        point[at] ^= flip; // tag 6 is the hybrid form
        assert_eq!(
            p256::PublicKey::from_point(point),
            Err(KeyRejected::Point),
            "byte {at}"
        );
    }
}
