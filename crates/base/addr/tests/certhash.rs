//! The addresses of go hosts that name their certificates by hash, and these certificates.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use multiaddr::multihash::Multihash;
use serde_json::Value;
use sinew_addr::{Multiaddr, Protocol, Transport, decode, parse, transport};
use sinew_crypto::sha256;

/// spec: webtransport, Certificates: a multihash; of SHA-256 that is its code, the length, and the digest.
const SHA2_256: u64 = 0x12;

/// The digests in the hashes that an address ends with.
fn digests(addr: &Multiaddr) -> Vec<Vec<u8>> {
    let hashes = addr.iter().filter_map(|component| match component {
        Protocol::Certhash(hash) => Some(hash),
        _ => None,
    });
    let digest = |hash: Multihash<64>| {
        assert_eq!(hash.code(), SHA2_256);
        hash.digest().to_vec()
    };
    hashes.map(digest).collect()
}

/// What an entry says of the first hash of an address of this transport.
fn check(entry: &Value, addr: &Multiaddr, name: &str) {
    let text = entry[format!("{name}_certhash")].as_str().unwrap();
    let certificate = hex::decode(entry[format!("{name}_certificate")].as_str().unwrap()).unwrap();
    let digest = sha256(&certificate);
    assert_eq!(digests(addr)[0], digest, "{addr}");
    let hash = Multihash::wrap(SHA2_256, &digest).unwrap();
    let ours = Multiaddr::empty().with(Protocol::Certhash(hash)).to_string();
    assert_eq!(ours, format!("/certhash/{text}"), "{addr}");
}

#[test]
fn hashes_in_addresses_are_those_of_the_certificates() {
    let entries: Vec<Value> = serde_json::from_str(include_str!("vectors/certhash.json")).unwrap();
    let mut seen = Vec::new();
    for entry in &entries {
        for text in entry["addrs"].as_array().unwrap() {
            let text = text.as_str().unwrap();
            let addr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(addr.to_string(), text);
            assert_eq!(decode(addr.as_ref()).unwrap(), addr);
            let kind = transport(&addr).unwrap();
            let (name, hashes) = match kind {
                // This certificate, and the one that comes after it.
                Transport::WebTransport => ("webtransport", 2),
                Transport::WebRtcDirect => ("webrtc", 1),
                other => panic!("{text}: {other:?}"),
            };
            assert_eq!(digests(&addr).len(), hashes, "{text}");
            check(entry, &addr, name);
            seen.push(kind);
        }
    }
    let count = |kind| seen.iter().filter(|one| **one == kind).count();
    let counts = [Transport::WebTransport, Transport::WebRtcDirect].map(count);
    assert_eq!((entries.len(), counts), (4, [4, 4]));
}
