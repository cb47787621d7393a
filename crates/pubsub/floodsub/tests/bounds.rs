//! What a stranger may send is bounded, and what was read can be written again.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use bytes::Bytes;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use sinew_floodsub::{
    Control, Extensions, IHave, MAX_CONTROL, MAX_IDS, MAX_MESSAGE_ID, MAX_MESSAGES, MAX_PEERS,
    MAX_SUBSCRIPTIONS, MAX_TOPIC, Message, MessageError, MessageId, OtherPeer, Prune, Rpc, RpcError,
    SignaturePolicy, SubOpts, Topic,
};
use sinew_identity::{Keypair, PeerId};
use sinew_wire::{protobuf::WireError, varint};

/// What is behind the length.
fn body(rpc: &Rpc) -> Bytes {
    let encoded = rpc.encode();
    let (len, prefix) = varint::decode(&encoded).unwrap().unwrap();
    assert_eq!(usize::try_from(len).unwrap(), encoded.len() - prefix);
    encoded.slice(prefix..)
}

fn topic(text: &str) -> Topic {
    text.parse().unwrap()
}

#[test]
fn a_message_is_encoded_once() {
    let made = Message::anonymous(&topic("t"), vec![7; 300]);
    let rpc = Rpc {
        publish: vec![made.clone()],
        ..Rpc::default()
    };
    let frame = rpc.encode();
    let read = Rpc::decode(&body(&rpc)).unwrap().publish.remove(0);
    assert_eq!((made.rpc(), read.rpc()), (frame.clone(), frame));
    assert_eq!(made.rpc_len(), body(&rpc).len());
    for kept in [made, read.detached()] {
        let frame = kept.rpc();
        assert_eq!(kept.clone().rpc().as_ptr(), frame.as_ptr(), "all have the same");
        assert!(
            frame.as_ptr_range().contains(&kept.as_bytes().as_ptr()),
            "and it is the only copy"
        );
    }
}

#[test]
fn lists_are_cut() {
    let peer = OtherPeer {
        peer: PeerId::random(),
        record: None,
    };
    let prune = |peers| Prune {
        topic: topic("t"),
        peers,
        backoff: None,
    };
    let many = Rpc {
        subscriptions: vec![SubOpts::new(topic("t"), true); MAX_SUBSCRIPTIONS + 1],
        publish: vec![Message::anonymous(&topic("t"), ""); MAX_MESSAGES + 1],
        control: Control {
            ihave: vec![
                IHave {
                    topic: topic("t"),
                    ids: vec![b"id"[..].into(); MAX_IDS - 1],
                };
                2
            ],
            iwant: vec![b"id"[..].into(); MAX_IDS],
            graft: vec![topic("t"); MAX_CONTROL + 1],
            prune: vec![prune(vec![peer; MAX_PEERS - 1]); 2],
            ..Control::default()
        },
        ..Rpc::default()
    };
    let read = Rpc::decode(&body(&many)).unwrap();
    assert_eq!(read.subscriptions.len(), MAX_SUBSCRIPTIONS);
    assert_eq!(read.publish.len(), MAX_MESSAGES);
    assert_eq!(read.control.graft.len(), MAX_CONTROL);
    assert_eq!(
        (
            read.control.ihave[0].ids.len(),
            read.control.ihave[1].ids.len(),
            read.control.iwant.len()
        ),
        (MAX_IDS - 1, 1, 0),
        "ids have one bound over all"
    );
    let peers: Vec<_> = read.control.prune.iter().map(|prune| prune.peers.len()).collect();
    assert_eq!(peers, [MAX_PEERS - 1, 1]);
}

#[test]
fn what_is_too_long_is_passed_over() {
    let mut rpc = Rpc::default();
    rpc.control.iwant = vec![vec![1; MAX_MESSAGE_ID].into(), vec![1; MAX_MESSAGE_ID + 1].into()];
    assert_eq!(Rpc::decode(&body(&rpc)).unwrap().control.iwant.len(), 1);
    // Field 1, with a topic of two lengths in its field 2.
    for (len, read) in [(MAX_TOPIC, 1), (MAX_TOPIC + 1, 0), (0, 0)] {
        let inner = [&[0x08, 1, 0x12][..], &prefixed(&vec![b'a'; len])].concat();
        let outer = [&[0x0a][..], &prefixed(&inner)].concat();
        assert_eq!(
            Rpc::decode(&outer.into()).unwrap().subscriptions.len(),
            read,
            "{len}"
        );
    }
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint::encode(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

#[test]
fn refusals() {
    let decode = |hex: &str| Rpc::decode(&hex::decode(hex).unwrap().into());
    assert_eq!(decode("0a05"), Err(RpcError::Wire(WireError::Truncated)));
    assert_eq!(decode("0801"), Err(RpcError::Field(1)));
    assert_eq!(
        decode("1a020801"),
        Err(RpcError::Field(1)),
        "an IHAVE that is a number"
    );
    let message = |hex: &str| Message::decode(hex::decode(hex).unwrap().into()).map(drop);
    assert_eq!(message("0801"), Err(MessageError::Field(1)));
    assert_eq!(message("2201ff"), Err(MessageError::Topic));
}

#[test]
fn a_malformed_message_does_not_spoil_the_others() {
    let good = Message::anonymous(&topic("t"), "good");
    // An unknown field that is a group: go-libp2p takes it, and hands it on.
    let odd = [good.as_bytes(), &[0x3b, 0x3c][..]].concat();
    let frame = [&odd[..], good.as_bytes()].map(|message| [&[0x12][..], &prefixed(message)].concat());
    let rpc = Rpc::decode(&frame.concat().into()).unwrap();
    assert_eq!((rpc.publish, rpc.malformed), (vec![good], 1));
}

#[test]
fn of_fields_that_come_again_the_last_alone_is_kept() {
    let key = Keypair::generate();
    let signed = Message::signed(&key, 1 << 60, &topic("t"), "data").unwrap();
    // Another data, topic and signature in front, which do not count, and so are not signed.
    let padding = [&[0x12][..], &prefixed(&[0; 9000]), &[0x22, 1, b'u', 0x2a, 0]].concat();
    let padded = Message::decode([&padding, &signed.as_bytes()[..]].concat().into()).unwrap();
    assert_eq!(SignaturePolicy::StrictSign.check(&padded), Ok(()));
    assert_eq!(padded, signed, "nobody is sent nine thousand bytes more");
    let unknown = [&signed.as_bytes()[..], &[0x78, 5, 0x78, 6]].concat();
    let read = Message::decode(unknown.clone().into()).unwrap();
    assert_eq!(read.as_bytes()[..], unknown, "what is unknown is signed");
}

#[test]
fn a_message_among_many_gets_memory_of_its_own() {
    let rpc = Rpc {
        publish: vec![Message::anonymous(&topic("t"), vec![0; 100]); 3],
        ..Rpc::default()
    };
    let frame = body(&rpc);
    let message = Rpc::decode(&frame).unwrap().publish.remove(0);
    let inside = |message: &Message| frame.as_ptr_range().contains(&message.as_bytes().as_ptr());
    let detached = message.clone().detached();
    assert!(inside(&message) && !inside(&detached));
    assert_eq!((&detached, detached.data()), (&message, message.data()));
}

fn ids() -> impl Strategy<Value = Vec<MessageId>> {
    let id = prop::collection::vec(any::<u8>(), 0..9);
    prop::collection::vec(id.prop_map(MessageId::from), 0..4)
}

fn topics() -> impl Strategy<Value = Topic> {
    "[a-zé]{1,9}".prop_map(|text| topic(&text))
}

fn controls() -> impl Strategy<Value = Control> {
    let ihave = (topics(), ids()).prop_map(|(topic, ids)| IHave { topic, ids });
    let other = any::<Option<Vec<u8>>>().prop_map(|record| OtherPeer {
        peer: PeerId::random(),
        record: record.map(Bytes::from),
    });
    let prune = (topics(), prop::collection::vec(other, 0..3), any::<Option<u64>>()).prop_map(
        |(topic, peers, backoff)| Prune {
            topic,
            peers,
            backoff,
        },
    );
    let extensions = any::<Option<(bool, bool)>>().prop_map(|flags| {
        flags.map(|(partial_messages, test_extension)| Extensions {
            partial_messages,
            test_extension,
        })
    });
    let lists = (
        prop::collection::vec(ihave, 0..3),
        ids(),
        prop::collection::vec(topics(), 0..3),
        prop::collection::vec(prune, 0..3),
        ids(),
        extensions,
    );
    lists.prop_map(|(ihave, iwant, graft, prune, idontwant, extensions)| Control {
        ihave,
        iwant,
        graft,
        prune,
        idontwant,
        extensions,
    })
}

proptest! {
    #[test]
    fn round_trip(
        control in controls(),
        topic in topics(),
        subscribe: bool,
        data: Vec<u8>,
        seqno: u64,
        test_extension: bool,
    ) {
        let key = Keypair::generate();
        let message = Message::signed(&key, seqno, &topic, data.clone()).unwrap();
        prop_assert_eq!(SignaturePolicy::StrictSign.check(&message), Ok(()));
        prop_assert_eq!((message.topic(), message.data()), (topic.as_str(), &data[..]));
        let rpc = Rpc {
            subscriptions: vec![SubOpts::new(topic, subscribe)],
            publish: vec![message],
            malformed: 0,
            control,
            partial: None,
            test_extension,
        };
        prop_assert_eq!(Rpc::decode(&body(&rpc)), Ok(rpc));
    }

    #[test]
    fn every_changed_bit_is_noticed(byte: prop::sample::Index, bit in 0u8..8) {
        let key = Keypair::generate();
        let message = Message::signed(&key, 1 << 60, &topic("topic"), "data").unwrap();
        let mut changed = message.as_bytes().to_vec();
        changed[byte.index(message.as_bytes().len())] ^= 1u8 << bit;
        if let Ok(changed) = Message::decode(changed.into()) {
            prop_assert!(SignaturePolicy::StrictSign.check(&changed).is_err());
        }
    }
}
