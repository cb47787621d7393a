//! Handshake payloads: every type of identity, and bytes that are none.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use proptest::prelude::*;
use sinew_crypto::x25519::Secret;
use sinew_identity::Keypair;
use sinew_machine::ProtocolId;
use sinew_noise::machine::{Handshake, Next, Outcome, Payload, StaticKey, Xx};
use std::sync::{Arc, LazyLock};

const YAMUX: ProtocolId = ProtocolId::from_static("/yamux/1.0.0");

/// An identity of each type; the RSA key is one of the byte vectors, since making one takes long.
static IDENTITIES: LazyLock<Vec<Keypair>> = LazyLock::new(|| {
    let stored: serde_json::Value = serde_json::from_str(include_str!("vectors/private_keys.json")).unwrap();
    let rsa = stored
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["key"] == "rsa-4096")
        .unwrap();
    let rsa = hex::decode(rsa["private_key"].as_str().unwrap()).unwrap();
    vec![
        Keypair::generate(),
        Keypair::generate_secp256k1(),
        Keypair::generate_ecdsa(),
        Keypair::from_protobuf(&rsa).unwrap(),
    ]
});

fn side(initiator: bool, identity: &Keypair, muxers: &[ProtocolId]) -> Handshake {
    let local = StaticKey::new(Secret::generate(), identity).unwrap();
    Handshake::new(initiator, &local, Secret::generate(), None, muxers.to_vec())
}

/// Runs two sides against each other.
fn meet(mut first: Handshake, mut second: Handshake) -> [Outcome; 2] {
    let mut outcomes = [None, None];
    while outcomes.iter().any(Option::is_none) {
        for turn in [0, 1] {
            let (here, there) = if turn == 0 {
                (&mut first, &mut second)
            } else {
                (&mut second, &mut first)
            };
            if outcomes[turn].is_some() {
                continue;
            }
            match here.proceed().unwrap() {
                Next::Send(frame) => there.receive(&frame[2..]).unwrap(),
                Next::Receive { .. } => {}
                Next::Done(outcome) => outcomes[turn] = Some(*outcome),
            }
        }
    }
    outcomes.map(Option::unwrap)
}

#[test]
fn every_type_of_identity_meets_every_other() {
    for initiator in &*IDENTITIES {
        for responder in &*IDENTITIES {
            let [dialed, accepted] = meet(side(true, initiator, &[YAMUX]), side(false, responder, &[YAMUX]));
            assert_eq!(
                [&dialed.key, &accepted.key],
                [responder.public(), initiator.public()]
            );
            assert_eq!([dialed.muxer, accepted.muxer], [Some(YAMUX), Some(YAMUX)]);
            assert_eq!(dialed.keys.send, accepted.keys.receive);
            assert_eq!(dialed.keys.receive, accepted.keys.send);
        }
    }
}

#[test]
fn both_sides_agree_on_a_muxer_whatever_their_lists() {
    let mplex = ProtocolId::from_static("/mplex/6.7.0");
    let lists = [
        vec![],
        vec![YAMUX],
        vec![YAMUX, mplex.clone()],
        vec![mplex, YAMUX],
    ];
    let identity = &IDENTITIES[0];
    for ours in &lists {
        for theirs in &lists {
            let [dialed, accepted] = meet(side(true, identity, ours), side(false, identity, theirs));
            assert_eq!(dialed.muxer, accepted.muxer, "{ours:?} {theirs:?}");
            // A responder with several leaves it to what comes after the handshake.
            assert_eq!(dialed.muxer.is_some(), !ours.is_empty() && theirs.len() == 1);
        }
    }
}

/// A payload as the identity sends it, with the static key that it signs.
fn sent(identity: &Keypair) -> (Vec<u8>, [u8; 32]) {
    let mut responder = side(false, identity, &[YAMUX]);
    let mut reader = Xx::new(true, &Arc::new(Secret::generate()), Secret::generate(), b"");
    responder.proceed().unwrap();
    responder.receive(&reader.write(b"").unwrap()[2..]).unwrap();
    let Next::Send(answer) = responder.proceed().unwrap() else {
        panic!("the answer is due")
    };
    let payload = reader.read(&answer[2..]).unwrap();
    (payload, *reader.remote_static().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        if let Ok(payload) = Payload::decode(bytes) {
            prop_assert!(payload.verify(&[0; 32]).is_err());
        }
    }

    #[test]
    fn a_changed_bit_never_gives_another_identity(
        which in 0..4_usize,
        position: prop::sample::Index,
        bit in 0..8,
    ) {
        let identity = &IDENTITIES[which];
        let (mut payload, static_key) = sent(identity);
        Payload::decode(payload.clone()).unwrap().verify(&static_key).unwrap();
        let position = position.index(payload.len());
        payload[position] ^= 1_u8 << bit;
        if let Ok(payload) = Payload::decode(payload) && payload.verify(&static_key).is_ok() {
            // A bit of the extensions, which the sealed message protects, or of a field nobody reads.
            prop_assert_eq!(&payload.key, identity.public());
        }
    }

    #[test]
    fn a_payload_cut_short_is_refused(which in 0..3_usize, cut: prop::sample::Index) {
        let (payload, static_key) = sent(&IDENTITIES[which]);
        let cut = &payload[..cut.index(payload.len())];
        let whole = Payload::decode(cut.to_vec()).and_then(|payload| payload.verify(&static_key));
        // Only the extensions may be missing: a tag, a length, and a muxer behind its tag and length.
        prop_assert_eq!(whole.is_ok(), cut.len() == payload.len() - 16);
    }
}
