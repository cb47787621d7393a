//! Byte vectors of four libp2p libraries: handshakes with fixed keys, transport bytes, handshake payloads.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{collections::BTreeMap, io::IoSlice, sync::Arc};

use serde_json::Value;
use sinew_crypto::{sha256, x25519::Secret};
use sinew_identity::Keypair;
use sinew_machine::ProtocolId;
use sinew_noise::machine::{
    Handshake, HandshakeError, Inbound, Next, Outbound, Outcome, Payload, StaticKey, Xx,
};

/// Payloads on which the libraries split: what we do, and why.
const DECISIONS: [(&str, bool, &str); 3] = [
    (
        "payload/go/secp256k1-ecdsa/responder",
        true,
        "ECDSA identities are in the specification",
    ),
    (
        "payload/rust/ecdsa-p256-a",
        true,
        "ECDSA identities are in the specification",
    ),
    (
        "payload/rust/ecdsa-p256-b",
        true,
        "ECDSA identities are in the specification",
    ),
];

fn load(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn entries() -> Vec<Value> {
    load(include_str!("vectors/noise.json"))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn bytes(value: &Value, pointer: &str) -> Vec<u8> {
    hex::decode(text(value, pointer)).unwrap()
}

fn key(value: &Value, name: &str) -> [u8; 32] {
    bytes(value, &format!("/input/noise_keys/{name}"))
        .try_into()
        .unwrap()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn identities() -> BTreeMap<String, Keypair> {
    let keys = load(include_str!("vectors/private_keys.json"));
    let pair = |entry: &Value| Keypair::from_protobuf(&bytes(entry, "/private_key")).unwrap();
    keys.iter()
        .map(|entry| (text(entry, "/key").to_owned(), pair(entry)))
        .collect()
}

/// Says which kinds of entries there are, so that none is left out unseen.
#[test]
fn every_entry_is_of_a_known_kind() {
    let mut kinds = BTreeMap::new();
    for entry in entries() {
        *kinds.entry(text(&entry, "/kind").to_owned()).or_insert(0) += 1;
    }
    // The note says that a js-libp2p handshake with an ECDSA peer fails inside js-libp2p: nothing to run.
    let expected = [("note", 1), ("payload", 61), ("xx_transcript", 11)];
    assert_eq!(
        kinds,
        expected.map(|(kind, count)| (kind.to_owned(), count)).into()
    );
}

#[test]
fn transcripts_replay_byte_for_byte() {
    let transcripts: Vec<_> = entries()
        .into_iter()
        .filter(|entry| text(entry, "/kind") == "xx_transcript")
        .collect();
    for entry in &transcripts {
        replay(entry);
    }
    assert_eq!(transcripts.len(), 11);
}

fn replay(entry: &Value) {
    let name = text(entry, "/name");
    let mut initiator = side(entry, "initiator");
    let mut responder = side(entry, "responder");
    let wire: Vec<_> = (0..3)
        .map(|index| bytes(entry, &format!("/messages/{index}/hex")))
        .collect();

    assert_eq!(initiator.write(b"").unwrap(), wire[0], "{name}");
    assert!(responder.read(&wire[0][2..]).unwrap().is_empty());
    // js-libp2p's transcripts do not spell their payloads out: ours come from the bytes on the wire then.
    let answer = side_read(entry, &wire, true);
    assert_eq!(responder.write(&answer).unwrap(), wire[1], "{name}");
    assert_eq!(initiator.read(&wire[1][2..]).unwrap(), answer);
    let closing = side_read(entry, &wire, false);
    assert_eq!(initiator.write(&closing).unwrap(), wire[2], "{name}");
    assert_eq!(responder.read(&wire[2][2..]).unwrap(), closing);

    for (end, payload, role) in [
        (&initiator, &answer, "responder"),
        (&responder, &closing, "initiator"),
    ] {
        assert_eq!(
            end.remote_static(),
            Some(&key(entry, &format!("{role}_static_public")))
        );
        check_payload(entry, role, payload, end.remote_static().unwrap());
    }
    assert_eq!(initiator.hash(), responder.hash());
    if let Some(hash) = entry.get("handshake_hash") {
        assert_eq!(hex::encode(initiator.hash()), hash.as_str().unwrap(), "{name}");
        assert_eq!(answer, bytes(entry, "/responder_payload"));
        assert_eq!(closing, bytes(entry, "/initiator_payload"));
    }
    let (ours, theirs) = (initiator.split().unwrap(), responder.split().unwrap());
    assert_eq!((&ours.send, &ours.receive), (&theirs.receive, &theirs.send));
    if entry.get("initiator_to_responder_key").is_some() {
        assert_eq!(ours.send[..], bytes(entry, "/initiator_to_responder_key"));
        assert_eq!(ours.receive[..], bytes(entry, "/responder_to_initiator_key"));
    }
    transport(entry, &ours.send, &ours.receive);
}

fn side(entry: &Value, role: &str) -> Xx {
    let static_key = Secret::from_bytes(key(entry, &format!("{role}_static_private")));
    let ephemeral = Secret::from_bytes(key(entry, &format!("{role}_ephemeral_private")));
    assert_eq!(static_key.public(), key(entry, &format!("{role}_static_public")));
    assert_eq!(
        ephemeral.public(),
        key(entry, &format!("{role}_ephemeral_public"))
    );
    Xx::new(
        role == "initiator",
        &Arc::new(static_key),
        ephemeral,
        &bytes(entry, "/input/prologue"),
    )
}

/// The payload of the second or third message, as a fresh reader of the wire finds it.
fn side_read(entry: &Value, wire: &[Vec<u8>], second: bool) -> Vec<u8> {
    let mut initiator = side(entry, "initiator");
    initiator.write(b"").unwrap();
    let answer = initiator.read(&wire[1][2..]).unwrap();
    if second {
        return answer;
    }
    let mut responder = side(entry, "responder");
    responder.read(&wire[0][2..]).unwrap();
    responder.write(&answer).unwrap();
    responder.read(&wire[2][2..]).unwrap()
}

fn check_payload(entry: &Value, role: &str, payload: &[u8], static_key: &[u8; 32]) {
    let payload = Payload::decode(payload.to_vec()).unwrap();
    payload.verify(static_key).unwrap();
    let muxers: Vec<_> = payload.muxers.iter().map(ToString::to_string).collect();
    assert_eq!(muxers, strings(entry.pointer(&format!("/input/{role}_muxers"))));
    if let Some(decoded) = entry.get(format!("{role}_payload_decoded")) {
        assert_eq!(
            hex::encode(payload.key.to_protobuf()),
            text(decoded, "/identity_key")
        );
        assert_eq!(hex::encode(&payload.signature), text(decoded, "/identity_sig"));
        let hashes: Vec<_> = payload.certhashes.iter().map(hex::encode).collect();
        assert_eq!(
            hashes,
            strings(decoded.pointer("/extensions/webtransport_certhashes"))
        );
    }
}

fn transport(entry: &Value, initiator: &[u8; 32], responder: &[u8; 32]) {
    let mut ends = [initiator, responder].map(|key| (Outbound::new(key), Inbound::with_key(key)));
    for message in entry.pointer("/transport").and_then(Value::as_array).unwrap() {
        let (outbound, inbound) = &mut ends[usize::from(text(message, "/from") == "responder")];
        let plain = hex::decode(text(message, "/plaintext"))
            .unwrap_or_else(|_| (0..70_000_u32).map(|index| index.to_le_bytes()[0]).collect());
        assert_eq!(outbound.write(&[IoSlice::new(&plain)]).unwrap(), plain.len());
        let wire = outbound.pending().to_vec();
        outbound.sent(wire.len());
        match message.get("wire") {
            Some(expected) => assert_eq!(hex::encode(&wire), expected.as_str().unwrap()),
            None => assert_eq!(hex::encode(sha256(&wire)), text(message, "/wire_sha256")),
        }
        inbound.push(&wire);
        let mut opened = vec![0; plain.len()];
        let mut read = 0;
        while read < opened.len() {
            read += inbound.read(&mut opened[read..]).unwrap();
        }
        assert_eq!(opened, plain);
        inbound.end().unwrap();
    }
}

/// The same handshakes through the libp2p layer, where our own payload must come out equal: identities whose
/// signatures are deterministic, one muxer on each side. (Without muxers go-libp2p writes an empty extensions field,
/// we write none.)
#[test]
fn our_handshakes_are_those_of_go_and_js() {
    let identities = identities();
    let mut run = 0;
    for entry in entries()
        .iter()
        .filter(|entry| text(entry, "/kind") == "xx_transcript")
    {
        let muxers = strings(entry.pointer("/input/initiator_muxers"));
        let known = ["initiator_key", "responder_key"]
            .map(|role| identities.get(text(entry, &format!("/input/{role}"))));
        let ([Some(initiator), Some(responder)], 1) = (known, muxers.len()) else {
            continue;
        };
        let outcomes = [
            libp2p(entry, "initiator", initiator, &muxers),
            libp2p(entry, "responder", responder, &muxers),
        ];
        let peers = [responder.peer_id(), initiator.peer_id()];
        assert_eq!([outcomes[0].peer, outcomes[1].peer], peers);
        for outcome in outcomes {
            assert_eq!(
                outcome.muxer.as_ref().map(ProtocolId::as_str),
                muxers.first().map(String::as_str)
            );
        }
        run += 1;
    }
    assert_eq!(run, 4, "two libraries, three sizes of keys");
}

/// One side of the transcript: sends what the library sent, and takes what it took.
fn libp2p(entry: &Value, role: &str, identity: &Keypair, muxers: &[String]) -> Outcome {
    let name = text(entry, "/name");
    let static_key = Secret::from_bytes(key(entry, &format!("{role}_static_private")));
    let ephemeral = Secret::from_bytes(key(entry, &format!("{role}_ephemeral_private")));
    let local = StaticKey::new(static_key, identity).unwrap();
    let muxers = muxers.iter().cloned().map(ProtocolId::from).collect();
    let mut handshake = Handshake::new(role == "initiator", &local, ephemeral, None, muxers);
    for index in 0..3 {
        let wire = bytes(entry, &format!("/messages/{index}/hex"));
        match handshake.proceed().unwrap() {
            Next::Send(frame) => assert_eq!(hex::encode(frame), hex::encode(wire), "{name} {role} {index}"),
            Next::Receive { max } => {
                assert!(wire.len() - 2 <= max);
                handshake.receive(&wire[2..]).unwrap();
            }
            Next::Done(_) => panic!("three messages make a handshake"),
        }
    }
    match handshake.proceed().unwrap() {
        Next::Done(outcome) => *outcome,
        next => panic!("{next:?} after the third message"),
    }
}

#[test]
fn payloads_are_taken_and_refused_as_by_the_libraries() {
    let (mut taken, mut refused, mut decided) = (0, 0, 0);
    for entry in entries().iter().filter(|entry| text(entry, "/kind") == "payload") {
        let name = text(entry, "/name");
        let result = verified(entry);
        let expected = match text(entry, "/agreement") {
            "all accept" => true,
            "all refuse" => false,
            _ => {
                decided += 1;
                DECISIONS
                    .iter()
                    .find(|decision| decision.0 == name)
                    .unwrap_or_else(|| panic!("{name}"))
                    .1
            }
        };
        assert_eq!(result.is_ok(), expected, "{name}: {result:?}");
        match result {
            Ok(payload) => {
                taken += 1;
                for pointer in ["/expect/peer_id", "/decoded_by_all"] {
                    if let Some(peer) = entry.pointer(pointer).and_then(Value::as_str) {
                        assert_eq!(payload.key.peer_id().to_string(), peer, "{name}");
                    }
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert_eq!((taken, refused, decided), (51, 10, DECISIONS.len()));
}

fn verified(entry: &Value) -> Result<Payload, HandshakeError> {
    let static_key = bytes(entry, "/input/static_public").try_into().unwrap();
    let payload = Payload::decode(bytes(entry, "/hex"))?;
    payload.verify(&static_key)?;
    Ok(payload)
}
