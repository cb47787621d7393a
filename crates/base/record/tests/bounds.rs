//! Bounds of envelopes and records, and properties of arbitrary and altered bytes.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use proptest::prelude::*;
use sinew_addr::Multiaddr;
use sinew_identity::{Keypair, PublicKey, Signer, SigningError};
use sinew_record::{
    Envelope, EnvelopeError, MAX_ADDRS, MAX_ENVELOPE, PeerRecord, PeerRecordError, SealError,
};
use sinew_wire::protobuf::DecodeError;

fn addr(port: usize) -> Multiaddr {
    sinew_addr::parse(&format!("/ip4/192.0.2.1/tcp/{port}")).unwrap()
}

fn addrs(count: usize) -> Vec<Multiaddr> {
    (0..count).map(addr).collect()
}

#[test]
fn as_many_addresses_as_are_sealed_are_opened() {
    let key = Keypair::generate();
    let sealed = PeerRecord::seal(&key, 1, &addrs(MAX_ADDRS)).unwrap();
    assert_eq!(PeerRecord::open(&sealed).unwrap().addrs(), addrs(MAX_ADDRS));
    assert!(matches!(
        PeerRecord::seal(&key, 1, &addrs(MAX_ADDRS + 1)),
        Err(SealError::TooManyAddrs(257))
    ));
    let long = sinew_addr::parse(&format!("/dns4/{}/tcp/1", "a".repeat(900))).unwrap();
    assert!(matches!(
        PeerRecord::seal(&key, 1, &vec![long; 40]),
        Err(SealError::TooLong(_))
    ));
}

#[test]
fn more_addresses_than_the_bound_are_refused_before_they_are_decoded() {
    let key = Keypair::generate();
    let peer = key.public().peer_id();
    let id = [&[0x0a, peer.as_bytes().len() as u8][..], peer.as_bytes()].concat();
    let payload = [id, [0x1a, 0x00].repeat(MAX_ADDRS + 1)].concat();
    let sealed = Envelope::seal(&key, PeerRecord::DOMAIN, PeerRecord::PAYLOAD_TYPE, &payload).unwrap();
    let error = PeerRecordError::Decode(DecodeError::TooMany {
        field: 3,
        max: MAX_ADDRS,
    });
    assert_eq!(PeerRecord::open(&sealed), Err(error));
}

#[test]
fn long_envelopes_are_refused_before_they_are_decoded() {
    let error = EnvelopeError::Decode(DecodeError::TooLong {
        len: MAX_ENVELOPE + 1,
        max: MAX_ENVELOPE,
    });
    assert_eq!(Envelope::open(&vec![0; MAX_ENVELOPE + 1], "domain"), Err(error));
}

#[test]
fn a_signer_that_fails_is_reported() {
    #[derive(Debug)]
    struct Away(PublicKey);
    impl Signer for Away {
        fn public(&self) -> &PublicKey {
            &self.0
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SigningError> {
            Err(SigningError::Holder("agent is away".into()))
        }
    }
    let away = Away(Keypair::generate().public().clone());
    assert!(matches!(
        PeerRecord::seal(&away, 1, &[]),
        Err(SealError::Signing(SigningError::Holder(_)))
    ));
}

proptest! {
    #[test]
    fn round_trip(payload_type: Vec<u8>, payload: Vec<u8>, domain in ".{0,40}", seq: u64, count in 0usize..9) {
        let key = Keypair::generate();
        let sealed = Envelope::seal(&key, &domain, &payload_type, &payload).unwrap();
        let envelope = Envelope::open(&sealed, &domain).unwrap();
        prop_assert_eq!(envelope.payload_type(), payload_type);
        prop_assert_eq!(envelope.payload(), payload);
        prop_assert_eq!(envelope.peer(), key.public().peer_id());
        prop_assert!(Envelope::open(&sealed, &(domain + "x")).is_err());

        let record = PeerRecord::open(&PeerRecord::seal(&key, seq, &addrs(count)).unwrap()).unwrap();
        prop_assert_eq!((record.peer(), record.seq()), (key.public().peer_id(), seq));
        prop_assert_eq!(record.addrs(), addrs(count));
    }

    /// One altered byte: refused, or in what is not signed (an unknown field) without effect.
    #[test]
    fn an_altered_envelope_gives_nothing_new(at: prop::sample::Index, bit in 0u8..8) {
        let key = Keypair::generate();
        let mut sealed = Envelope::seal(&key, "domain", b"type", b"payload").unwrap();
        let original = Envelope::open(&sealed, "domain").unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        if let Ok(envelope) = Envelope::open(&sealed, "domain") {
            prop_assert_eq!(envelope, original);
        }
    }

    #[test]
    fn arbitrary_bytes(bytes: Vec<u8>) {
        prop_assert!(Envelope::open(&bytes, "domain").is_err());
        prop_assert!(PeerRecord::open(&bytes).is_err());
    }
}
