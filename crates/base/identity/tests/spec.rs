//! The test vectors and examples of the libp2p specification (peer-ids, revision r2).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde::Deserialize;
use sinew_identity::{Keypair, PeerId, PublicKey};

#[derive(Deserialize)]
struct Pair {
    key: String,
    private: String,
    public: String,
}

#[test]
fn the_keys_of_the_specification_are_read_and_written_byte_for_byte() {
    let pairs: Vec<Pair> = serde_json::from_str(include_str!("vectors/peer-ids-spec.json")).unwrap();
    assert_eq!(pairs.len(), 4);
    for pair in pairs {
        let (private, public) = (
            hex::decode(&pair.private).unwrap(),
            hex::decode(&pair.public).unwrap(),
        );
        let key = Keypair::from_protobuf(&private).unwrap();
        assert_eq!(key.public().to_protobuf(), public, "{}", pair.key);
        assert_eq!(*key.to_protobuf(), private, "{}", pair.key);
        assert_eq!(
            PublicKey::from_protobuf(&public).unwrap(),
            *key.public(),
            "{}",
            pair.key
        );
        let signature = key.sign(b"message").unwrap();
        assert!(key.public().verify(b"message", &signature), "{}", pair.key);
        assert!(!key.public().verify(b"massage", &signature), "{}", pair.key);
    }
}

#[test]
fn the_peer_ids_of_the_specification_are_read_and_written() {
    let cid = "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe";
    let hashed = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
    let inlined = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

    assert_eq!(cid.parse::<PeerId>().unwrap(), hashed.parse().unwrap());
    assert_eq!(cid.parse::<PeerId>().unwrap().to_string(), hashed);
    assert_eq!(hashed.parse::<PeerId>().unwrap().to_cid_text(), cid);
    assert_eq!(hashed.parse::<PeerId>().unwrap().public_key(), None);

    let inlined: PeerId = inlined.parse().unwrap();
    assert_eq!(inlined.public_key().unwrap().peer_id(), inlined);
}
