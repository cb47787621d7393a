//! Secp256k1: both halves of s are taken, one is made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use secp256k1::ecdsa::Signature;
use sinew_identity::Keypair;

/// The order of the group (SEC 2, section 2.4.1).
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/// The order less `s`.
fn negated(s: &[u8]) -> Vec<u8> {
    let order = hex::decode(ORDER).unwrap();
    let mut borrow = 0;
    let digits = order.iter().zip(s).rev().map(|(a, b)| {
        let digit = i16::from(*a) - i16::from(*b) - borrow;
        borrow = i16::from(digit < 0);
        digit.rem_euclid(256) as u8
    });
    let mut digits = digits.collect::<Vec<_>>();
    digits.reverse();
    digits
}

#[test]
fn a_signature_with_s_in_the_upper_half_verifies() {
    let key = Keypair::generate_secp256k1();
    let low = key.sign(b"message").unwrap();
    let compact = Signature::from_der(&low).unwrap().serialize_compact();
    let high = [&compact[..32], &negated(&compact[32..])].concat();
    let high = Signature::from_compact(&high).unwrap().serialize_der();
    assert_ne!(high[..], low[..]);
    assert!(key.public().verify(b"message", &high));
    assert!(!key.public().verify(b"Message", &high));
}

#[test]
fn our_signatures_have_s_in_the_lower_half() {
    let key = Keypair::generate_secp256k1();
    for index in 0..32_u8 {
        let der = key.sign(&[index]).unwrap();
        let mut signature = Signature::from_der(&der).unwrap();
        signature.normalize_s();
        assert_eq!(signature.serialize_der()[..], der[..]);
    }
}

#[test]
fn signatures_are_strict_der() {
    let key = Keypair::generate_secp256k1();
    let der = key.sign(b"message").unwrap();
    for bytes in [&der[..der.len() - 1], &[&der[..], &[0]].concat(), &[], &[0x30]] {
        assert!(!key.public().verify(b"message", bytes));
    }
    let compact = Signature::from_der(&der).unwrap().serialize_compact();
    assert!(!key.public().verify(b"message", &compact));
}
