//! The verification rule of Ed25519 at its edges.
//!
//! The signatures were calculated from the formulas of RFC 8032 with chosen nonces and points, over the message `message` by the key
//! of the seed of 32 bytes 7, or by that key with a point of order eight added to it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sinew_crypto::KeyRejected;
use sinew_crypto::ed25519::{PublicKey, SigningKey};

const PUBLIC: &str = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c";
const MIXED_ORDER: &str = "fbb3211d177bccefd763d01a88f6473e43e5cf0a0740e44ab5c64460eefd4675";

fn key(text: &str) -> Result<PublicKey, KeyRejected> {
    PublicKey::from_bytes(hex::decode(text).unwrap().try_into().unwrap())
}

fn verifies(public: &str, r: &str, s: &str) -> bool {
    let signature = hex::decode([r, s].concat()).unwrap();
    key(public).unwrap().verify(b"message", &signature)
}

#[test]
fn a_signature_verifies_and_nothing_else_does() {
    let key = SigningKey::from_seed(&[7; 32]).unwrap();
    assert_eq!(hex::encode(key.public().as_bytes()), PUBLIC);
    let signature = key.sign(b"message").unwrap();
    assert!(key.public().verify(b"message", &signature));
    assert!(!key.public().verify(b"Message", &signature));
    assert!(!key.public().verify(b"message", &signature[..63]));
    assert!(!key.public().verify(b"message", &[&signature[..], &[0]].concat()));
    assert!(!key.public().verify(b"message", b""));
    for bit in 0..512 {
        let mut other = signature.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!key.public().verify(b"message", &other), "bit {bit}");
    }
}

#[test]
fn the_test_of_rfc_8032_passes() {
    // Section 7.1, test 2.
    let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
    let key = SigningKey::from_seed(&seed.try_into().unwrap()).unwrap();
    let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    assert_eq!(hex::encode(key.public().as_bytes()), public);
    let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    assert_eq!(hex::encode(key.sign(&[0x72]).unwrap()), signature);
}

#[test]
fn the_scalar_is_below_the_group_order() {
    let r = "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081";
    let s = "dceffa93bec73778b3394842af4302ae3a6716dc7f66e5964f0bb102e213d501";
    let s_and_order = "c9c3f0f0d82a4ad089d63fe58d3de1c23a6716dc7f66e5964f0bb102e213d511";
    assert!(verifies(PUBLIC, r, s));
    assert!(!verifies(PUBLIC, r, s_and_order));
}

#[test]
fn the_commitment_is_compared_byte_by_byte() {
    let identity = "0100000000000000000000000000000000000000000000000000000000000000";
    let s = "d4c5323131ff9683cfb3d30197c786c9043f1052d6c2d5293f19d6f36b911104";
    assert!(
        verifies(PUBLIC, identity, s),
        "only the owner of the key can make it"
    );
    let identity = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
    let s = "429287529325c4ed20a20ad97fccf713cadc367a64bb7024b811454179bf3707";
    assert!(
        !verifies(PUBLIC, identity, s),
        "the same point in another encoding"
    );
}

#[test]
fn the_equation_holds_without_the_cofactor() {
    let r = "cdbc161be64c4302f56443ff29ccf36a2075be1a1fa67ff126b56315f5681c38";
    let s = "a7a41888ab10b596b4762c1a6fa8165ff8efbfbf1310987dd3cd6986c4af9103";
    assert!(!verifies(PUBLIC, r, s), "a commitment with a part of order eight");

    let r = "5866666666666666666666666666666666666666666666666666666666666666";
    let s = "aa87cb5652bcace1432595f68072de16016a7dc42edf72faf000df19dcb9cd03";
    assert!(
        !verifies(MIXED_ORDER, r, s),
        "the key's part of order eight stays"
    );
    let r = "eb2767c137ab7ad8279c078eff116ab0786ead3a2e0f989f72c37f82f2969670";
    let s = "a4808391106c9becdb7254755e18ed772fa091cdb5a7496b18acde828534a106";
    assert!(
        verifies(MIXED_ORDER, r, s),
        "the key's part of order eight vanishes"
    );
}

#[test]
fn points_of_small_order_are_no_keys() {
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    for point in points {
        assert_eq!(key(point), Err(KeyRejected::SmallOrder), "{point}");
    }
}

#[test]
fn encodings_that_are_not_canonical_are_no_keys() {
    // All y from the prime on: 2^255 - 19 to 2^255 - 1, with either sign of x.
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            assert_eq!(
                PublicKey::from_bytes(bytes),
                Err(KeyRejected::Point),
                "{low:x} {high:x}"
            );
        }
    }
}

#[test]
fn a_key_that_is_no_point_verifies_nothing() {
    let no_point = "0200000000000000000000000000000000000000000000000000000000000000";
    let r = "0100000000000000000000000000000000000000000000000000000000000000";
    let s = "0000000000000000000000000000000000000000000000000000000000000000";
    assert!(!verifies(no_point, r, s));
}
