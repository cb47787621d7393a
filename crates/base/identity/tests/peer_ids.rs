//! Peer ids: bounds, order, text forms, and the key inside.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use sinew_identity::{Keypair, MAX_PEER_ID, PeerId, PeerIdError};

/// Any id: a digest, up to 42 inlined bytes, or one that begins as others do.
fn ids() -> impl Strategy<Value = PeerId> {
    let inlined = vec(any::<u8>(), 0..=42).prop_map(|bytes| [&[0, bytes.len() as u8], &bytes[..]].concat());
    let hashed = any::<[u8; 32]>().prop_map(|digest| [&[0x12, 32], &digest[..]].concat());
    let alike = any::<[u8; 30]>().prop_map(|rest| [&[0, 36, 8, 1, 0x12, 32, 7, 7], &rest[..]].concat());
    prop_oneof![inlined, hashed, alike].prop_map(|bytes| PeerId::from_bytes(&bytes).unwrap())
}

#[test]
fn short_keys_are_inlined_and_long_ones_hashed() {
    for key in [Keypair::generate(), Keypair::generate_secp256k1()] {
        let encoded = key.public().to_protobuf();
        assert_eq!(
            key.peer_id().to_bytes(),
            [&[0, encoded.len() as u8], &encoded[..]].concat()
        );
        assert_eq!(key.peer_id().public_key().as_ref(), Some(key.public()));
    }
    for key in [Keypair::generate_ecdsa(), Keypair::generate_rsa(2048).unwrap()] {
        assert_eq!(key.peer_id().as_bytes()[..2], [0x12, 32]);
        assert_eq!(key.peer_id().public_key(), None);
    }
}

#[test]
fn the_lengths_of_ids_are_exact() {
    for len in 0..=u8::MAX {
        let identity = [&[0, len], &vec![7; len.into()][..]].concat();
        assert_eq!(PeerId::from_bytes(&identity).is_ok(), len <= 42, "{len}");
        let sha256 = [&[0x12, len], &vec![7; len.into()][..]].concat();
        assert_eq!(PeerId::from_bytes(&sha256).is_ok(), len == 32, "{len}");
    }
    for bytes in [&[][..], &[0], &[0x12]] {
        assert_eq!(PeerId::from_bytes(bytes), Err(PeerIdError::Length));
    }
    assert_eq!(PeerId::from_bytes(&[0x11, 20]), Err(PeerIdError::HashFunction));
    assert!(size_of::<PeerId>() <= MAX_PEER_ID + 1);
}

#[test]
fn an_id_around_another_encoding_of_a_key_holds_no_key() {
    let encoded = Keypair::generate().public().to_protobuf();
    let swapped = [&encoded[2..], &encoded[..2]].concat();
    let id = PeerId::from_bytes(&[&[0, swapped.len() as u8], &swapped[..]].concat()).unwrap();
    assert_eq!(id.public_key(), None);
}

#[test]
fn long_and_odd_texts_are_refused() {
    for text in [
        "1".repeat(370),
        "z".repeat(1 << 20),
        "é".into(),
        "Qm".into(),
        "b".into(),
        "\0".into(),
    ] {
        assert!(text.parse::<PeerId>().is_err());
    }
}

#[test]
fn random_ids_differ() {
    assert_ne!(PeerId::random(), PeerId::random());
}

proptest! {
    #[test]
    fn bytes_and_texts_come_back(id in ids()) {
        prop_assert_eq!(PeerId::from_bytes(id.as_bytes()), Ok(id));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(id.to_cid_text().parse(), Ok(id));
        prop_assert_eq!(PeerId::try_from(&id.to_bytes()[..]), Ok(id));
        prop_assert_eq!(format!("{id:?}"), format!("PeerId({id})"));
    }

    #[test]
    fn the_order_is_that_of_the_bytes(a in ids(), b in ids()) {
        prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
        prop_assert_eq!(a == b, a.to_bytes() == b.to_bytes());
    }

    #[test]
    fn any_bytes_are_an_id_or_an_error(bytes in vec(any::<u8>(), 0..64)) {
        if let Ok(id) = PeerId::from_bytes(&bytes) {
            prop_assert_eq!(id.to_bytes(), bytes);
        }
    }

    #[test]
    fn any_text_is_an_id_or_an_error(text in ".{0,80}|[1Qmzbfk][1-9A-HJ-NP-Za-km-z]{0,70}") {
        if let Ok(id) = text.parse::<PeerId>() {
            prop_assert!(id.as_bytes().len() <= MAX_PEER_ID);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
