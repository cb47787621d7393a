//! Certificates made by four libp2p libraries, variants of them made by hand, and the examples of the specification.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{collections::BTreeMap, time::Duration};

use rustls_pki_types::{CertificateDer, UnixTime};
use serde_json::Value;
use sinew_tls::{CertificateError, peer_key, verify};

/// When the libraries gave their verdicts, in seconds since 1970: the 27th of November 2026.
const THEN: u64 = 1_795_737_600;

/// What is refused, and why: the name of the error.
const REFUSED: [(&str, &str); 28] = [
    ("made/expired", "Expired"),
    ("made/not-yet-valid", "NotYetValid"),
    ("made/no-extension", "MissingExtension"),
    ("made/two-extensions-same", "DoubledExtension"),
    ("made/two-extensions-different-keys", "DoubledExtension"),
    ("made/unknown-extension-critical", "CriticalExtension"),
    ("made/unknown-extension-critical-last", "CriticalExtension"),
    ("made/wrong-prefix", "HostSignature"),
    ("made/no-prefix", "HostSignature"),
    ("made/wrong-signature", "HostSignature"),
    ("made/signed-by-other-identity", "HostSignature"),
    ("made/signature-over-other-cert-key", "HostSignature"),
    ("made/extension-trailing-bytes", "MalformedExtension"),
    ("made/extension-extra-sequence-member", "MalformedExtension"),
    ("made/extension-empty", "MalformedExtension"),
    ("made/extension-garbage", "MalformedExtension"),
    ("made/public-key-garbage", "HostKey"),
    ("made/cert-signature-broken", "SelfSignature"),
    ("made/chain-of-two", "Chain"),
    ("made/not-self-signed", "SelfSignature"),
    ("made/cert-key-ecdsa-p224", "Algorithm"),
    ("made/cert-key-ecdsa-p521", "Algorithm"),
    ("made/cert-key-rsa2048-sha1", "Algorithm"),
    ("made/cert-key-p256-sha1", "Algorithm"),
    ("made/is-ca", "KeyUsage"),
    ("made/der-trailing-byte", "Malformed"),
    ("made/der-truncated", "Malformed"),
    ("spec/4. Invalid certificate", "HostSignature"),
];

/// Keys that js-libp2p writes in a form of its own; nobody takes them, js-libp2p included.
const NONCONFORMING: [&str; 2] = ["js/ecdsa-p256-a", "js/ecdsa-p256-b"];

fn entries() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/tls.json")).unwrap()
}

fn chain(entry: &Value) -> Vec<CertificateDer<'static>> {
    let chain = entry["der"].as_array().unwrap().iter();
    chain
        .map(|der| hex::decode(der.as_str().unwrap()).unwrap().into())
        .collect()
}

fn then() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(THEN))
}

/// The name of a variant.
fn variant(error: &CertificateError) -> String {
    let debug = format!("{error:?}");
    debug.split(['(', ' ']).next().unwrap().to_owned()
}

#[test]
fn every_certificate_gets_its_verdict() {
    let refused = BTreeMap::from(REFUSED);
    let mut counts = BTreeMap::new();
    for entry in entries() {
        let name = entry["name"].as_str().unwrap();
        let chain = chain(&entry);
        let outcome = match (verify(&chain, then()), refused.get(name)) {
            (Ok(key), None) => {
                let peer = entry
                    .pointer("/expect/peer_id")
                    .unwrap_or(&entry["decoded_by_all"]);
                assert_eq!(key.peer_id().to_string(), peer.as_str().unwrap(), "{name}");
                assert_eq!(peer_key(&chain), Ok(key), "{name}");
                "taken"
            }
            (Err(CertificateError::HostKey(_)), None) if NONCONFORMING.contains(&name) => "nonconforming",
            (Err(error), Some(expected)) => {
                assert_eq!(variant(&error), *expected, "{name}: {error}");
                "refused"
            }
            (outcome, expected) => panic!("{name}: {outcome:?}, where {expected:?} was expected"),
        };
        *counts.entry(outcome).or_insert(0) += 1;
    }
    let expected = [("nonconforming", 2), ("refused", REFUSED.len()), ("taken", 51)];
    assert_eq!(counts, BTreeMap::from(expected), "81 entries");
}

/// What all of the libraries agree on is agreed with.
#[test]
fn where_the_libraries_agree_we_do_too() {
    let mut agreed = 0;
    for entry in entries() {
        let name = entry["name"].as_str().unwrap();
        let taken = verify(&chain(&entry), then()).is_ok();
        match entry["agreement"].as_str().unwrap() {
            "all accept" => assert!(taken, "{name}"),
            "all refuse" => assert!(!taken, "{name}"),
            _ => continue,
        }
        agreed += 1;
    }
    assert_eq!(agreed, 46);
}
