//! The messages of go, js, py and rust: every entry runs, and what we make of records that others send in forms of their
//! own is listed here. `docs/decisions/identify.md` has the reasons.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use serde_json::Value;
use sinew_identify::{Extent, Info, Message, PROTOCOL, Record};
use sinew_identity::PublicKey;
use sinew_machine::{Blame, ConnectionId, Culpable};

fn entries() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/identify.json")).unwrap()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} in {entry}"))
}

fn bytes(entry: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(entry, field)).unwrap()
}

/// What becomes of the signed record of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Absent,
    Valid,
    /// Not read, and not held against the peer.
    LeftAside,
    /// Refused, and the peer answers for it.
    Refused,
}

fn outcome(record: &Record) -> Outcome {
    match record {
        Record::Absent => Outcome::Absent,
        Record::Valid { .. } => Outcome::Valid,
        Record::Refused(error) if error.blame() == Blame::Peer => Outcome::Refused,
        Record::Refused(_) => Outcome::LeftAside,
        _ => panic!("no such outcome"),
    }
}

/// The records that we do not take; all others that are there are valid.
const DECISIONS: [(&str, Outcome); 4] = [
    // An ECDSA key in a form of js alone, in the message (where it claims nothing) and in the envelope.
    ("js/full/ecdsa-p256-a", Outcome::Refused),
    // An RSA key without its type.
    ("py/full/rsa-2048", Outcome::LeftAside),
    // The old domain and payload type, which rust's identify still sends.
    ("session/rust-ed25519/ipfs_id_1.0.0-1", Outcome::LeftAside),
    ("session/rust-ed25519/ipfs_id_1.0.0-2", Outcome::LeftAside),
];

fn wanted(name: &str, message: &Message) -> Outcome {
    let decided = DECISIONS.iter().find(|(decided, _)| *decided == name);
    match (decided, &message.signed_peer_record) {
        (Some((_, outcome)), Some(_)) => *outcome,
        (None, Some(_)) => Outcome::Valid,
        (_, None) => Outcome::Absent,
    }
}

/// Checks a message against the key in it, or the test key of its name where that is none.
fn check(name: &str, message: &Message, all: &[Value]) {
    let of = |bytes: &[u8]| PublicKey::from_protobuf(bytes).ok();
    let own = message.public_key.as_deref().and_then(of);
    let proved = own.clone().or_else(|| {
        let same = name.replacen("js/", "go/", 1);
        let entry = all.iter().find(|entry| entry["name"] == *same)?;
        of(&hex::decode(entry["decoded"]["publicKey"].as_str()?).unwrap())
    });
    let Some(proved) = proved else {
        return assert!(
            message.public_key.is_none() && message.signed_peer_record.is_none(),
            "{name}"
        );
    };
    assert_eq!(
        own.is_none(),
        name == "js/full/ecdsa-p256-a" || message.public_key.is_none(),
        "{name}"
    );
    let info = Info::check(message.clone(), &proved, ConnectionId(1), Extent::Whole).expect("its own key");
    assert_eq!(outcome(&info.record), wanted(name, message), "{name}");
    assert_eq!(info.listen_addrs.len(), message.listen_addrs.len(), "{name}");
    assert_eq!(
        info.observed_addr.is_some(),
        message.observed_addr.is_some(),
        "{name}"
    );
}

/// A field by its name, which py spells in lower case.
fn value<'a>(fields: &'a Value, name: &str) -> &'a Value {
    let spelled: String = name
        .chars()
        .flat_map(|letter| {
            letter
                .is_uppercase()
                .then_some('_')
                .into_iter()
                .chain(letter.to_lowercase())
        })
        .collect();
    fields.get(name).unwrap_or(&fields[spelled.as_str()])
}

/// Compares a message with the fields that the making library sees.
fn compare(name: &str, message: &Message, fields: &Value) {
    let bytes = |value: &Option<bytes::Bytes>| value.as_ref().map(hex::encode);
    let scalars = [
        ("protocolVersion", message.protocol_version.clone()),
        ("agentVersion", message.agent_version.clone()),
        ("publicKey", bytes(&message.public_key)),
        ("observedAddr", bytes(&message.observed_addr)),
        ("signedPeerRecord", bytes(&message.signed_peer_record)),
    ];
    for (field, ours) in scalars {
        assert_eq!(ours.as_deref(), value(fields, field).as_str(), "{name}: {field}");
    }
    let list = |field: &str| -> Vec<String> {
        let list = value(fields, field).as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|value| value.as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(message.protocols, list("protocols"), "{name}");
    let addrs: Vec<_> = message.listen_addrs.iter().map(hex::encode).collect();
    assert_eq!(addrs, list("listenAddrs"), "{name}");
}

fn protobuf(entry: &Value, all: &[Value]) {
    let (name, part) = (text(entry, "name"), bytes(entry, "hex"));
    assert_ne!(entry["agreement"], "split", "{name}");
    let mut message = Message::default();
    message.merge(&part).expect(name);
    let delimited = bytes(entry, "delimited");
    assert_eq!(Message::decode(&delimited).expect(name), message, "{name}");
    compare(name, &message, &entry["decoded"]);
    check(name, &message, all);
    // js writes the fields in another order.
    assert!(name.starts_with("js/") || message.encode() == delimited, "{name}");
}

fn multipart(entry: &Value, all: &[Value]) {
    let (name, delimited) = (text(entry, "name"), bytes(entry, "delimited"));
    let message = Message::decode(&delimited).expect(name);
    let merged = entry["expect"].get("merged").unwrap_or(&entry["expect"]);
    compare(name, &message, merged);
    check(name, &message, all);
    for cut in 1..delimited.len() {
        // A part less is a message that says less; half a part is none.
        assert!(
            Message::decode(&delimited[..cut]).is_ok_and(|less| less != message) || cut_part(&delimited, cut)
        );
    }
}

fn cut_part(delimited: &[u8], cut: usize) -> bool {
    Message::decode(&delimited[..cut]).is_err()
}

fn stream(entry: &Value, all: &[Value]) {
    let name = text(entry, "name");
    assert_eq!(PROTOCOL, *text(entry, "protocol"), "{name}");
    assert_eq!(text(entry, "opener_bytes"), "", "{name}: the asker says nothing");
    let message = Message::decode(&bytes(entry, "other_bytes")).expect(name);
    let mut merged = Message::default();
    for part in entry["other_messages"].as_array().unwrap() {
        merged.merge(&bytes(part, "hex")).expect(name);
    }
    assert_eq!(message, merged, "{name}");
    assert!(
        message.protocols.iter().any(|protocol| PROTOCOL == **protocol),
        "{name}"
    );
    assert!(
        message.observed_addr.is_some() && !message.listen_addrs.is_empty(),
        "{name}"
    );
    check(name, &message, all);
}

#[test]
fn every_entry() {
    let all = entries();
    let mut kinds = [0; 3];
    for entry in &all {
        match text(entry, "kind") {
            "protobuf" => (protobuf(entry, &all), kinds[0] += 1),
            "multipart" => (multipart(entry, &all), kinds[1] += 1),
            "stream" => (stream(entry, &all), kinds[2] += 1),
            other => panic!("{other}"),
        };
    }
    assert_eq!((kinds, all.len()), ([15, 2, 22], 39));
}
