//! Keys and peer ids of `sinew-identity`.

use std::sync::LazyLock;

use sinew_identity::{Keypair, MAX_PEER_ID, PeerId, PublicKey};

/// What is read as an id has one form, and its texts lead back to it. Text is tried too.
pub(crate) fn peer_id(data: &[u8]) {
    if let Ok(id) = PeerId::from_bytes(data) {
        assert_eq!(id.as_bytes(), data);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_cid_text().parse(), Ok(id));
        assert!(id.public_key().is_none_or(|key| key.peer_id() == id));
    }
    if let Ok(Ok(id)) = str::from_utf8(data).map(str::parse::<PeerId>) {
        assert!(id.as_bytes().len() <= MAX_PEER_ID);
        assert_eq!(PeerId::from_bytes(id.as_bytes()), Ok(id));
    }
}

/// A public key has one encoding, whatever it was read from, and no chosen bytes are its signature.
pub(crate) fn public_key(data: &[u8]) {
    if let Ok(key) = PublicKey::from_protobuf(data) {
        let encoded = key.to_protobuf();
        assert_eq!(PublicKey::from_protobuf(&encoded).as_ref(), Ok(&key));
        assert!(!key.verify(b"message", &data[..data.len().min(64)]));
    }
}

/// A private key comes back from every form, and signs for its public half.
pub(crate) fn private_key(data: &[u8]) {
    let text = str::from_utf8(data).ok();
    let keys = [
        Keypair::from_protobuf(data).ok(),
        Keypair::from_pkcs8(data).ok(),
        text.and_then(|text| Keypair::from_pem(text).ok()),
    ];
    for key in keys.into_iter().flatten() {
        let again = Keypair::from_pkcs8(&key.to_pkcs8()).expect("a form of our own");
        assert_eq!(*again.to_protobuf(), *key.to_protobuf());
        let signature = again.sign(b"message").expect("a key that was read");
        assert!(key.public().verify(b"message", &signature));
    }
}

/// An Ed25519 key, the same in every run. Its seed is 32 times the byte 7.
static KEY: LazyLock<Keypair> = LazyLock::new(|| {
    const PUBLIC: [u8; 32] = [
        0xea, 0x4a, 0x6c, 0x63, 0xe2, 0x9c, 0x52, 0x0a, 0xbe, 0xf5, 0x50, 0x7b, 0x13, 0x2e, 0xc5, 0xf9, 0x95,
        0x47, 0x76, 0xae, 0xbe, 0xbe, 0x7b, 0x92, 0x42, 0x1e, 0xea, 0x69, 0x14, 0x46, 0xd2, 0x2c,
    ];
    let protobuf = [&[0x08, 0x01, 0x12, 0x40][..], &[7; 32], &PUBLIC].concat();
    Keypair::from_protobuf(&protobuf).expect("a fixed key")
});

/// A key for what has to be signed.
pub(crate) fn fixed_key() -> &'static Keypair {
    &KEY
}
