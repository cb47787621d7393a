//! Decoders of keys: whatever they are fed, they give a key with one encoding, or an error.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;
use sinew_identity::{KeyError, Keypair, PublicKey};

/// Encoded key pairs of all types but RSA, which would take too long, and one of RSA.
fn encoded() -> impl Strategy<Value = Vec<u8>> {
    let rsa = Keypair::generate_rsa(2048).unwrap().to_protobuf().to_vec();
    any::<Index>().prop_map(move |index| match index.index(4) {
        0 => Keypair::generate().to_protobuf().to_vec(),
        1 => Keypair::generate_secp256k1().to_protobuf().to_vec(),
        2 => Keypair::generate_ecdsa().to_protobuf().to_vec(),
        _ => rsa.clone(),
    })
}

/// Feeds every decoder; what it takes must have one encoding.
fn feed(bytes: &[u8]) {
    if let Ok(key) = PublicKey::from_protobuf(bytes) {
        let again = key.to_protobuf();
        assert!(PublicKey::from_protobuf(&again).unwrap() == key && key.to_protobuf() == again);
    }
    for key in [Keypair::from_protobuf(bytes), Keypair::from_pkcs8(bytes)]
        .into_iter()
        .flatten()
    {
        let again = key.to_protobuf();
        assert_eq!(*Keypair::from_protobuf(&again).unwrap().to_protobuf(), *again);
    }
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = Keypair::from_pem(text);
    }
}

#[test]
fn fields_may_come_in_any_order_and_the_last_one_counts() {
    let key = Keypair::generate();
    let encoded = key.public().to_protobuf();
    let (key_type, data) = encoded.split_at(2);
    let unknown = [
        &[0x18, 0x01],
        &[0x22, 2, 1, 2][..],
        &[0x2d, 1, 2, 3, 4],
        &[0x31, 1, 2, 3, 4, 5, 6, 7, 8],
    ]
    .concat();
    for message in [
        [data, key_type].concat(),
        [key_type, &[0x12, 3, 1, 2, 3], data].concat(),
        [&unknown, data, &unknown, key_type, &unknown].concat(),
    ] {
        let read = PublicKey::from_protobuf(&message).unwrap();
        assert_eq!(read, *key.public());
        assert_eq!(read.to_protobuf(), encoded);
    }
}

#[test]
fn malformed_messages_are_refused() {
    let cases: [&[u8]; 9] = [
        &[0x08],                                                             // no value
        &[0x08, 0x80],                                                       // half a varint
        &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // eleven groups
        &[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], // 65 bits
        &[
            0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0,
        ], // 2^64 - 1 bytes announced
        &[0x0d, 0, 0, 0, 0],                                                 // the type as fixed 32 bits
        &[0x1b, 0x1c],                                                       // a group
        &[0x1f],                                                             // wire type 7
        &[0x02, 0],                                                          // field 0
    ];
    for bytes in cases {
        let error = PublicKey::from_protobuf(bytes).unwrap_err();
        assert!(
            matches!(error, KeyError::Protobuf(_) | KeyError::Field(1)),
            "{bytes:?}: {error}"
        );
    }
}

#[test]
fn every_truncation_of_a_key_is_refused() {
    for key in [
        Keypair::generate(),
        Keypair::generate_secp256k1(),
        Keypair::generate_ecdsa(),
    ] {
        let (public, private, der) = (key.public().to_protobuf(), key.to_protobuf(), key.to_pkcs8());
        for end in 0..public.len() {
            assert!(PublicKey::from_protobuf(&public[..end]).is_err());
        }
        for end in 0..private.len() {
            assert!(Keypair::from_protobuf(&private[..end]).is_err());
        }
        for end in 0..der.len() {
            assert!(Keypair::from_pkcs8(&der[..end]).is_err());
        }
        assert!(Keypair::from_pkcs8(&[&der[..], &[0]].concat()).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_key_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        feed(&bytes);
    }

    #[test]
    fn a_key_with_a_flaw_is_a_key_or_an_error(mut bytes in encoded(), at: Index, byte: u8) {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        feed(&bytes);
        if let Ok(key) = Keypair::from_protobuf(&bytes) {
            // Whatever the flaw, the halves belong together.
            let signature = key.sign(b"message").unwrap();
            prop_assert!(key.public().verify(b"message", &signature));
        }
    }

    #[test]
    fn a_structure_with_a_flaw_is_a_key_or_an_error(bytes in encoded(), at: Index, byte: u8) {
        let key = Keypair::from_protobuf(&bytes).unwrap();
        let mut der = key.to_pkcs8().to_vec();
        let at = at.index(der.len());
        der[at] = byte;
        feed(&der);
        let mut pem = key.to_pem().as_bytes().to_vec();
        pem[at % 100] = byte;
        feed(&pem);
        let again = Keypair::from_pem(&key.to_pem()).unwrap();
        prop_assert_eq!(again.public(), key.public());
    }
}
