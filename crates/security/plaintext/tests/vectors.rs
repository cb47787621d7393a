//! Byte vectors of four libp2p libraries: exchange messages, and the start of connections between running nodes.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use bytes::BytesMut;
use serde_json::Value;
use sinew_identity::PublicKey;
use sinew_plaintext::exchange;
use sinew_wire::Frames;

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn bytes(value: &Value, pointer: &str) -> Vec<u8> {
    hex::decode(text(value, pointer)).unwrap()
}

/// Reads a message, and looks whether ours for the same key is the same.
fn check(message: &[u8], name: &str) -> PublicKey {
    let key = exchange::decode(message.to_vec()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(
        hex::encode(exchange::encode(&key)),
        hex::encode(message),
        "{name}"
    );
    key
}

#[test]
fn every_message_of_the_other_libraries_is_read_and_written_alike() {
    let entries: Vec<Value> = serde_json::from_str(include_str!("vectors/plaintext.json")).unwrap();
    let (mut messages, mut starts) = (0, 0);
    for entry in &entries {
        match text(entry, "/kind") {
            "protobuf" => {
                message(entry);
                messages += 1;
            }
            "session_start" => {
                start(entry);
                starts += 1;
            }
            kind => panic!("{kind}"),
        }
    }
    assert_eq!((messages, starts, entries.len()), (4, 24, 28));
}

fn message(entry: &Value) {
    let name = text(entry, "/name");
    let key = check(&bytes(entry, "/hex"), name);
    assert_eq!(hex::encode(key.peer_id().to_bytes()), text(entry, "/decoded/id"));
    assert_eq!(key.key_type().to_string(), text(entry, "/decoded/pubkey/Type"));
    let mut delimited = BytesMut::new();
    Frames::new(exchange::MAX)
        .encode(&bytes(entry, "/hex"), &mut delimited)
        .unwrap();
    assert_eq!(delimited, bytes(entry, "/delimited"));
}

/// Negotiation, exchange, negotiation: the message in the middle is cut out by its length.
fn start(entry: &Value) {
    let name = text(entry, "/name");
    let mut stream = BytesMut::from(&bytes(entry, "/raw_start")[..]);
    let frames = Frames::new(exchange::MAX);
    for expected in ["/multistream/1.0.0\n", "/plaintext/2.0.0\n"] {
        assert_eq!(frames.decode(&mut stream).unwrap().unwrap(), expected, "{name}");
    }
    let message = frames.decode(&mut stream).unwrap().unwrap();
    assert_eq!(hex::encode(&message), text(entry, "/decoded/exchange"), "{name}");
    let peer = check(&message, name).peer_id().to_string();
    let role = if name.ends_with("/initiator") {
        "initiator_key"
    } else {
        "responder_key"
    };
    let claimed = text(entry, &format!("/input/{role}"));
    // The connections of rust-libp2p name a test key, the others a peer id.
    if claimed.starts_with("12D3Koo") {
        assert_eq!(peer, claimed, "{name}");
    }
}
