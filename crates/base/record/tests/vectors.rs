//! The envelopes and peer records of go, js, py and rust: every entry runs, and where the libraries disagree our answer
//! is listed here. `docs/decisions/record.md` has the reasons.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use serde_json::Value;
use sinew_addr::Multiaddr;
use sinew_identity::Keypair;
use sinew_machine::{Blame, Culpable};
use sinew_record::{Envelope, EnvelopeError, PeerRecord, PeerRecordError};

fn entries(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn text<'a>(entry: &'a Value, pointer: &str) -> &'a str {
    entry
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} in {entry}"))
}

fn bytes(entry: &Value, pointer: &str) -> Vec<u8> {
    hex::decode(text(entry, pointer)).unwrap()
}

/// The test key that an entry names, with its peer id.
fn key(name: &str) -> (Keypair, String) {
    let keys = entries(include_str!("vectors/keys.json"));
    let wanted = format!("key/{name}");
    let entry = keys
        .iter()
        .find(|entry| entry["name"] == *wanted)
        .expect("a test key");
    (
        Keypair::from_protobuf(&bytes(entry, "/private_key")).unwrap(),
        text(entry, "/peer_id").to_owned(),
    )
}

/// Every stack signs to the same bytes with these; ECDSA is random in go.
fn is_deterministic(key: &str) -> bool {
    !key.starts_with("ecdsa")
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Opened,
    /// Refused, and the peer answers for it.
    Refused,
    /// Not read, and not held against the peer.
    LeftAside,
}

fn outcome<T, E: Culpable>(result: &Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Opened,
        Err(error) if error.blame() == Blame::Peer => Outcome::Refused,
        Err(_) => Outcome::LeftAside,
    }
}

/// What all libraries agree on, or our decision where they do not.
fn wanted(entry: &Value, decisions: &[(&str, Outcome)]) -> Outcome {
    let name = text(entry, "/name");
    let decided: Vec<_> = decisions
        .iter()
        .filter(|(prefix, _)| name.starts_with(prefix))
        .collect();
    match (text(entry, "/agreement"), &decided[..]) {
        ("all accept", []) => Outcome::Opened,
        ("all refuse", []) => Outcome::Refused,
        ("split", [(_, ours)]) => *ours,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn envelopes() {
    let decisions = [
        // ECDSA: js and py cannot read such keys.
        ("go/valid/ecdsa", Outcome::Opened),
        ("rust/valid/ecdsa", Outcome::Opened),
        // RSA keys without their type.
        ("py/valid/rsa", Outcome::LeftAside),
    ];
    let entries = entries(include_str!("vectors/envelope.json"));
    let mut remade = 0;
    for entry in &entries {
        let (name, domain) = (text(entry, "/name"), text(entry, "/input/open_domain"));
        let result = Envelope::open(&bytes(entry, "/hex"), domain);
        assert_eq!(outcome(&result), wanted(entry, &decisions), "{name}: {result:?}");
        let Ok(envelope) = result else { continue };
        assert_eq!(
            envelope.payload_type(),
            bytes(entry, "/input/payload_type"),
            "{name}"
        );
        assert_eq!(envelope.payload(), bytes(entry, "/input/payload"), "{name}");
        let (keypair, peer) = key(text(entry, "/input/key"));
        assert_eq!(envelope.peer().to_string(), peer, "{name}");
        assert_eq!(envelope.key(), keypair.public(), "{name}");
        if is_deterministic(text(entry, "/input/key")) {
            let sealed =
                Envelope::seal(&keypair, domain, envelope.payload_type(), envelope.payload()).unwrap();
            assert_eq!(sealed, bytes(entry, "/hex"), "{name}");
            remade += 1;
        }
    }
    assert_eq!((entries.len(), remade), (48, 33));
}

#[test]
fn py_rsa_has_an_error_of_its_own() {
    let entries = entries(include_str!("vectors/envelope.json"));
    let entry = entries
        .iter()
        .find(|entry| entry["name"] == "py/valid/rsa-2048")
        .unwrap();
    let result = Envelope::open(&bytes(entry, "/hex"), text(entry, "/input/open_domain"));
    assert_eq!(result, Err(EnvelopeError::KeyWithoutType));
}

/// Our own rust/legacy and split decisions on peer records.
fn record_decisions() -> Vec<(&'static str, Outcome)> {
    vec![
        ("go/edge/no-addrs", Outcome::Opened),
        // RFC 0003: the record must be about its signer. go, js and py leave that to the caller.
        ("go/edge/other-peer-id", Outcome::Refused),
        // js does not look at the payload type.
        ("go/bad/wrong-payload-type", Outcome::Refused),
        ("go/bad/text-payload-type", Outcome::LeftAside),
        // go drops the address, the others the record.
        ("go/bad/bad-addr-inside", Outcome::Opened),
        ("go/bad/no-peer-id", Outcome::Refused),
        ("go/ecdsa", Outcome::Opened),
        ("rust/interop/ecdsa", Outcome::Opened),
        ("rust/legacy", Outcome::LeftAside),
        // ECDSA public keys of js are in no form of the specification.
        ("js/ecdsa", Outcome::Refused),
        ("py/rsa", Outcome::LeftAside),
    ]
}

#[test]
fn peer_records() {
    let decisions = record_decisions();
    let entries = entries(include_str!("vectors/peer_record.json"));
    let (mut opened, mut remade) = (0, 0);
    for entry in &entries {
        let name = text(entry, "/name");
        let result = PeerRecord::open(&bytes(entry, "/hex"));
        assert_eq!(outcome(&result), wanted(entry, &decisions), "{name}: {result:?}");
        let Ok(record) = result else { continue };
        opened += 1;
        same_content(entry, &record);
        remade += usize::from(remakes(entry, &record));
    }
    assert_eq!((entries.len(), opened, remade), (64, 41, 35));
}

fn same_content(entry: &Value, record: &PeerRecord) {
    let decoded = match &entry["decoded_by_all"] {
        Value::Null => &entry["decoded_by"]["go"],
        decoded => decoded,
    };
    assert_eq!(record.peer().to_string(), text(decoded, "/peer_id"));
    assert_eq!(record.seq().to_string(), text(decoded, "/seq"));
    let addrs: Vec<_> = record.addrs().iter().map(ToString::to_string).collect();
    let wanted: Vec<_> = decoded["addrs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|addr| text(addr, ""))
        .collect();
    assert_eq!(addrs, wanted);
}

/// Makes the record again, where the entry's bytes are what the specification asks for and signatures do not vary.
fn remakes(entry: &Value, record: &PeerRecord) -> bool {
    let (name, key_name) = (text(entry, "/name"), text(entry, "/input/key"));
    if !is_deterministic(key_name)
        || name.ends_with("bad-addr-inside")
        || name.ends_with("trailing-unknown-field")
    {
        return false;
    }
    let addrs: Vec<Multiaddr> = record.addrs().to_vec();
    let sealed = PeerRecord::seal(&key(key_name).0, record.seq(), &addrs).unwrap();
    assert_eq!(hex::encode(sealed), text(entry, "/hex"), "{name}");
    true
}

#[test]
fn other_libraries_forms_have_errors_of_their_own() {
    let entries = entries(include_str!("vectors/peer_record.json"));
    let open = |name: &str| {
        let entry = entries.iter().find(|entry| entry["name"] == name).unwrap();
        PeerRecord::open(&bytes(entry, "/hex")).unwrap_err()
    };
    assert_eq!(open("rust/legacy/ed25519-a"), PeerRecordError::Legacy);
    assert_eq!(
        open("py/rsa-2048"),
        PeerRecordError::Envelope(EnvelopeError::KeyWithoutType)
    );
    assert!(matches!(
        open("go/edge/other-peer-id"),
        PeerRecordError::NotTheSigner { .. }
    ));
    assert_eq!(open("go/bad/wrong-payload-type"), PeerRecordError::PayloadType);
}
