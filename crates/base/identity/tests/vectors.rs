//! Keys, signatures and peer ids of go-, js-, py- and rust-libp2p: every entry of `keys.json`, and what this crate says to it.
//!
//! Where the four agree this crate agrees with them, and otherwise a row of [`SPLIT`] says what it does and why; the
//! rows are also in `docs/decisions/identity.md`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::Value;
use sinew_identity::{KeyType, Keypair, PeerId, PublicKey};

/// What the libraries disagree on, or where this crate is stricter than all of them: the entry, the error that it
/// gives (empty: it is taken), and why. A row that ends in `*` stands for all entries that begin like it.
const SPLIT: &[(&str, &str, &str)] = &[
    // Keys
    ("key/ed25519-*", "", "py knows seeds only"),
    ("key/ecdsa-p256-*", "", "js and py have no ECDSA identities"),
    ("pubkey/ecdsa-p256-*", "", "js and py have no ECDSA identities"),
    (
        "signature/go/ecdsa-p256-*",
        "",
        "js and py have no ECDSA identities",
    ),
    (
        "signature/rust/ecdsa-p256-*",
        "",
        "js and py have no ECDSA identities",
    ),
    (
        "signature/js/ecdsa-p256-*",
        "Asn1",
        "js writes ECDSA public keys in a form of its own",
    ),
    (
        "neg/pub/ed25519-not-on-curve",
        "",
        "shows when verifying: such a key verifies nothing",
    ),
    (
        "neg/pub/ed25519-all-ones",
        "Rejected",
        "not canonical: one key would have two ids",
    ),
    (
        "neg/pub/ed25519-small-order",
        "Rejected",
        "anybody can sign for such a key",
    ),
    ("neg/pub/ecdsa-spki-trailing", "Asn1", "one key, one encoding"),
    (
        "neg/pub/ecdsa-spki-compressed-point",
        "Rejected",
        "one key, one encoding",
    ),
    (
        "neg/pub/ecdsa-p384",
        "Algorithm",
        "no other library than go takes it",
    ),
    (
        "neg/pub/ecdsa-p521",
        "Algorithm",
        "no other library than go takes it",
    ),
    (
        "neg/pub/ecdsa-p224",
        "Algorithm",
        "no other library than go takes it, and it is weak",
    ),
    ("neg/pub/rsa-pkcs1", "Asn1", "the specification says PKIX"),
    ("neg/pub/rsa-spki-trailing", "Asn1", "one key, one encoding"),
    ("neg/pub/rsa-1024", "Rejected", "weak; go refuses it"),
    ("neg/pub/rsa-2047", "Rejected", "weak; go refuses it"),
    ("neg/pub/rsa-8192", "", "within bounds; go takes it"),
    ("neg/pub/rsa-16384", "Rejected", "dear to verify; go refuses it"),
    (
        "neg/priv/ed25519-seed-only-32",
        "Length",
        "cannot be told from a public key",
    ),
    ("neg/priv/ed25519-96-legacy", "", "the specification asks for it"),
    (
        "neg/priv/ed25519-96-mismatch",
        "Mismatch",
        "the specification asks for it",
    ),
    (
        "neg/priv/ed25519-64-wrong-public",
        "Mismatch",
        "signing with it would give the key away",
    ),
    ("neg/priv/secp256k1-zero", "Rejected", "no key of the curve"),
    ("neg/priv/secp256k1-order", "Rejected", "no key of the curve"),
    ("neg/priv/secp256k1-31", "Length", "go and js refuse it"),
    ("neg/priv/secp256k1-33", "Length", "go, js and rust refuse it"),
    (
        "neg/priv/public-key-protobuf",
        "Length",
        "a public key is no private one",
    ),
    ("neg/priv/rsa-pkcs8", "Asn1", "the specification says PKCS#1"),
    // Peer ids
    ("peerid/text/cid-base32", "", "the specification asks for CIDs"),
    ("peerid/text/cid-base36", "", "any multibase"),
    ("peerid/text/cid-base16", "", "any multibase"),
    ("peerid/text/cid-base58btc", "", "any multibase"),
    ("peerid/text/cid-base32-upper", "", "any multibase"),
    ("peerid/text/cid-base64url", "", "any multibase"),
    (
        "peerid/text/multibase-of-multihash",
        "Cid",
        "multibase carries a CID",
    ),
    ("peerid/text/cid-of-sha256", "", "the specification asks for CIDs"),
    ("peerid/text/empty", "Text", "no multihash"),
    ("peerid/text/truncated", "Length", "no multihash"),
    (
        "peerid/text/identity-of-non-key",
        "",
        "only the form is checked: see PeerId",
    ),
    (
        "peerid/text/identity-empty",
        "",
        "only the form is checked: see PeerId",
    ),
    ("peerid/text/sha1", "Text", "peer ids use SHA-256"),
    ("peerid/text/sha512", "Text", "peer ids use SHA-256"),
    ("peerid/text/trailing-byte", "Length", "no multihash"),
    (
        "peerid/text/identity-43-bytes",
        "Length",
        "the specification inlines 42 bytes at most",
    ),
    ("peerid/bytes/empty", "Length", "no multihash"),
    ("peerid/bytes/trailing", "Length", "no multihash"),
    ("peerid/bytes/truncated", "Length", "no multihash"),
    (
        "peerid/bytes/identity-empty",
        "",
        "only the form is checked: see PeerId",
    ),
    (
        "peerid/bytes/identity-garbage",
        "",
        "only the form is checked: see PeerId",
    ),
    (
        "peerid/bytes/identity-43",
        "Length",
        "the specification inlines 42 bytes at most",
    ),
    ("peerid/bytes/sha1", "HashFunction", "peer ids use SHA-256"),
    ("peerid/bytes/sha512", "HashFunction", "peer ids use SHA-256"),
    ("peerid/bytes/sha256-short", "Length", "no key has such an id"),
    (
        "peerid/bytes/cidv1",
        "HashFunction",
        "bytes are a multihash, CIDs are text",
    ),
    (
        "peerid/bytes/non-minimal-code",
        "HashFunction",
        "multihash has one form",
    ),
    (
        "peerid/bytes/non-minimal-length",
        "Length",
        "multihash has one form",
    ),
];

/// The error that an entry which all libraries refuse gives here.
const REFUSED: &[(&str, &str)] = &[
    ("neg/pub/empty", "MissingType"),
    ("neg/pub/no-type", "MissingType"),
    ("neg/pub/no-data", "MissingData"),
    ("neg/pub/unknown-type-4", "UnknownType"),
    ("neg/pub/unknown-type-99", "UnknownType"),
    ("neg/pub/ed25519-31-bytes", "Length"),
    ("neg/pub/ed25519-33-bytes", "Length"),
    ("neg/pub/ed25519-0-bytes", "Length"),
    ("neg/pub/trailing-byte-00", "Protobuf"),
    ("neg/pub/truncated", "Protobuf"),
    ("neg/pub/type-as-bytes", "Field"),
    ("neg/pub/secp256k1-32-bytes", "Length"),
    ("neg/pub/secp256k1-zero-33", "Rejected"),
    ("neg/pub/secp256k1-x-not-on-curve", "Rejected"),
    ("neg/pub/secp256k1-as-spki", "Length"),
    ("neg/pub/ecdsa-raw-point", "Asn1"),
    ("neg/pub/ecdsa-secp256k1-curve", "Algorithm"),
    ("neg/pub/rsa-garbage", "Asn1"),
    ("neg/priv/empty", "MissingType"),
    ("neg/priv/ed25519-63", "Length"),
    ("neg/priv/unknown-type", "UnknownType"),
    ("neg/priv/trailing-byte", "Protobuf"),
    ("neg/priv/ecdsa-pkcs8", "Asn1"),
    ("peerid/text/cid-dag-pb-codec", "Cid"),
    ("peerid/text/cid-raw-codec", "Cid"),
    ("peerid/text/hex-of-multihash", "Text"),
    ("peerid/text/bad-char", "Text"),
    ("peerid/text/leading-space", "Text"),
];

fn entries() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/keys.json")).unwrap()
}

fn of_kind(kind: &str) -> Vec<Value> {
    entries()
        .into_iter()
        .filter(|entry| entry["kind"] == kind)
        .collect()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field]
        .as_str()
        .unwrap_or_else(|| panic!("{} has no {field}", entry["name"]))
}

fn bytes(entry: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(entry, field)).unwrap()
}

/// The error that an entry must give, empty where it must be taken.
fn expected(entry: &Value) -> &'static str {
    let name = text(entry, "name");
    let split = SPLIT.iter().find(|(row, ..)| match row.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *row,
    });
    let refused = REFUSED.iter().find(|(row, _)| name == *row);
    match (text(entry, "agreement"), split, refused) {
        (_, Some((_, error, _)), _) => error,
        ("all accept", None, None) => "",
        ("all refuse", None, Some((_, error))) => error,
        (agreement, ..) => panic!("{name}: {agreement}, and no row says what to do"),
    }
}

/// Holds a result against what the tables and the entry say; `value` is what was read, in the form of the entry.
fn check<E: std::fmt::Debug>(entry: &Value, value: Result<String, E>) -> bool {
    let (name, expected) = (text(entry, "name"), expected(entry));
    match value {
        Ok(value) => {
            assert_eq!(expected, "", "{name} was taken");
            let said = match &entry["decoded_by_all"] {
                Value::String(all) => all,
                _ => entry["decoded_by"]["go"].as_str().expect("what go read"),
            };
            assert_eq!(value, said, "{name}");
            true
        }
        Err(error) => {
            let error = format!("{error:?}");
            let kind = error.split([' ', '(', '{']).next().unwrap();
            assert_eq!(kind, expected, "{name}: {error}");
            false
        }
    }
}

fn read(entry: &Value) -> Result<String, sinew_identity::KeyError> {
    let bytes = bytes(entry, "hex");
    let peer = match text(entry, "check_kind") {
        "pubkey" => PublicKey::from_protobuf(&bytes)?.peer_id(),
        "privkey" => Keypair::from_protobuf(&bytes)?.peer_id(),
        other => panic!("{other}"),
    };
    Ok(peer.to_string())
}

#[test]
fn every_entry_is_of_a_kind_that_a_test_here_consumes() {
    let mut kinds = BTreeMap::<String, usize>::new();
    for entry in entries() {
        *kinds.entry(text(&entry, "kind").to_owned()).or_default() += 1;
    }
    let counts = kinds
        .iter()
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect::<Vec<_>>();
    assert_eq!(
        counts,
        [
            ("key", 38),
            ("negative", 55),
            ("note", 8),
            ("peer_id_bytes", 14),
            ("peer_id_text", 23),
            ("pubkey", 10),
            ("signature", 114),
        ]
    );
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), 262);
}

#[test]
fn every_row_of_the_tables_belongs_to_an_entry() {
    let names = entries()
        .iter()
        .map(|entry| text(entry, "name").to_owned())
        .collect::<Vec<_>>();
    for row in SPLIT
        .iter()
        .map(|row| row.0)
        .chain(REFUSED.iter().map(|row| row.0))
    {
        let start = row.strip_suffix('*').unwrap_or(row);
        assert!(names.iter().any(|name| name.starts_with(start)), "{row}");
    }
}

#[test]
fn keys_of_all_libraries_are_read_and_written_byte_for_byte() {
    for entry in of_kind("key") {
        let name = text(&entry, "name");
        let peer: PeerId = text(&entry, "peer_id").parse().unwrap();
        assert_eq!(peer.to_bytes(), bytes(&entry, "multihash"), "{name}");
        id_forms(&entry, peer);

        // Two libraries write some keys in forms of their own.
        let js_ecdsa = name.starts_with("key-js/ecdsa");
        let py_seed = name.starts_with("key-py/ed25519");
        assert_eq!(js_ecdsa, entry["nonconforming"].is_string(), "{name}");

        let public = PublicKey::from_protobuf(&bytes(&entry, "public_key"));
        assert_eq!(public.is_err(), js_ecdsa, "{name}");
        if let Ok(public) = &public {
            assert_eq!(public.to_protobuf(), bytes(&entry, "public_key"), "{name}");
            assert_eq!(public.peer_id(), peer, "{name}");
        }
        if entry["private_key"].is_null() {
            assert!(name.starts_with("key-rust/rsa"), "{name}");
            continue;
        }
        let key = Keypair::from_protobuf(&bytes(&entry, "private_key"));
        assert_eq!(key.is_err(), py_seed, "{name}");
        if let Ok(key) = key {
            assert_eq!(*key.to_protobuf(), bytes(&entry, "private_key"), "{name}");
            assert!(js_ecdsa || *key.public() == public.unwrap(), "{name}");
        }
        if entry["agreement"].is_string() {
            assert_eq!(expected(&entry), "", "{name}");
        }
    }
}

/// The texts of an id beside a key.
fn id_forms(entry: &Value, peer: PeerId) {
    let name = text(entry, "name");
    if let Some(cid) = entry["peer_id_cid_base32"].as_str() {
        assert_eq!(peer.to_cid_text(), cid, "{name}");
        assert_eq!(cid.parse(), Ok(peer), "{name}");
    }
    if let Some(cid) = entry["peer_id_cid_base36"].as_str() {
        assert_eq!(cid.parse(), Ok(peer), "{name}");
    }
    if let Some(cid) = entry["cid_bytes"].as_str() {
        assert_eq!(format!("f{cid}").parse(), Ok(peer), "{name}");
    }
    if let Some(text) = entry["multibase_default"].as_str() {
        // py puts `z` in the place of the first letter, or before it: no CID.
        assert!(text.parse::<PeerId>().is_err(), "{name}");
    }
}

#[test]
fn public_keys_are_read() {
    for entry in of_kind("pubkey") {
        assert!(check(&entry, read(&entry)));
        assert_eq!(entry["expect"]["peer_id"], entry["decoded_by_all"]);
    }
}

#[test]
fn signatures_of_all_libraries_verify_and_ours_are_the_same_bytes() {
    let keys = of_kind("key");
    let mut refused = 0;
    for entry in of_kind("signature") {
        let name = text(&entry, "name");
        let public = match PublicKey::from_protobuf(&bytes(&entry["input"], "public_key")) {
            Ok(public) => public,
            Err(error) => {
                assert!(
                    format!("{error:?}").starts_with(expected(&entry)),
                    "{name}: {error:?}"
                );
                assert_ne!(expected(&entry), "", "{name}");
                refused += 1;
                continue;
            }
        };
        assert_eq!(expected(&entry), "", "{name}");
        let message = bytes(&entry["input"], "message");
        let signature = bytes(&entry, "signature");
        assert!(public.verify(&message, &signature), "{name}");
        assert!(
            !public.verify(&[&message[..], b"!"].concat(), &signature),
            "{name}"
        );

        let key_name = format!("key/{}", text(&entry["input"], "key"));
        let key = keys.iter().find(|key| key["name"] == key_name).unwrap();
        let key = Keypair::from_protobuf(&bytes(key, "private_key")).unwrap();
        let ours = key.sign(&message).unwrap();
        assert!(public.verify(&message, &ours), "{name}");
        // Our ECDSA signatures take a fresh nonce, those of rust RFC 6979's.
        if entry["deterministic"] == true && key.key_type() != KeyType::Ecdsa {
            assert_eq!(ours, signature, "{name}");
        }
    }
    assert_eq!(refused, 6);
}

#[test]
fn malformed_keys_are_refused_and_tolerable_ones_taken() {
    let taken = of_kind("negative")
        .iter()
        .filter(|entry| check(entry, read(entry)))
        .count();
    assert_eq!(taken, 11);
}

#[test]
fn the_texts_of_peer_ids_are_read() {
    let read = |entry: &Value| {
        text(&entry["input"], "text")
            .parse::<PeerId>()
            .map(|peer| hex::encode(peer.as_bytes()))
    };
    let taken = of_kind("peer_id_text")
        .iter()
        .filter(|entry| check(entry, read(entry)))
        .count();
    assert_eq!(taken, 11);
}

#[test]
fn the_bytes_of_peer_ids_are_read() {
    let read = |entry: &Value| PeerId::from_bytes(&bytes(entry, "hex")).map(|peer| peer.to_string());
    let taken = of_kind("peer_id_bytes")
        .iter()
        .filter(|entry| check(entry, read(entry)))
        .count();
    assert_eq!(taken, 4);
}

/// What a library cannot do at all: nothing to run but js's ids of ECDSA keys, which are of a form that nobody takes.
#[test]
fn the_ids_that_js_gives_to_ecdsa_keys_are_refused() {
    let notes = of_kind("note");
    let js = notes.iter().filter(|entry| entry["multihash_by_js"].is_string());
    let refused = js.filter(|entry| PeerId::from_bytes(&bytes(entry, "multihash_by_js")).is_err());
    assert_eq!(refused.count(), 2);
    let py = notes
        .iter()
        .filter(|entry| text(entry, "name").starts_with("note/py/private-key/"));
    assert_eq!(py.count(), 6);
}
