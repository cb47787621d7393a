//! What attackers say: RPCs with their lengths in front, good ones and others.

use super::super::liars::{field, varint};
use crate::pubsub::{PARTS, TOPIC};
use bytes::Bytes;
use sinew_floodsub::{
    Control, Extensions, IHave, MAX_METADATA, MAX_RPC, Message, MessageId, OtherPeer, PartialMessage, Prune,
    Rpc, SubOpts, Topic,
};
use sinew_identity::{Keypair, PeerId};

/// A topic that is one.
pub(super) fn topic(text: &str) -> Topic {
    Topic::new(text).expect("neither empty nor too long")
}

/// Bytes that nobody guesses.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    sinew_crypto::random(&mut bytes);
    bytes
}

/// An RPC with control alone.
pub(super) fn control(control: Control) -> Bytes {
    let rpc = Rpc {
        control,
        ..Rpc::default()
    };
    rpc.encode()
}

/// An RPC with subscriptions alone.
fn subscriptions(subscriptions: Vec<SubOpts>) -> Bytes {
    let rpc = Rpc {
        subscriptions,
        ..Rpc::default()
    };
    rpc.encode()
}

/// What a peer begins with: it follows the honest topic, and takes the target into its mesh.
pub(super) fn hello() -> Bytes {
    let rpc = Rpc {
        subscriptions: vec![SubOpts::new(topic(TOPIC), true)],
        control: Control {
            graft: vec![topic(TOPIC)],
            ..Control::default()
        },
        ..Rpc::default()
    };
    rpc.encode()
}

/// What a peer begins with that is able to exchange parts.
pub(super) fn hello_of_parts() -> Bytes {
    let subscription = SubOpts {
        requests_partial: true,
        supports_sending_partial: true,
        ..SubOpts::new(topic(PARTS), true)
    };
    let extensions = Extensions {
        partial_messages: true,
        test_extension: false,
    };
    let rpc = Rpc {
        subscriptions: vec![subscription],
        control: Control {
            graft: vec![topic(PARTS)],
            extensions: Some(extensions),
            ..Control::default()
        },
        ..Rpc::default()
    };
    rpc.encode()
}

/// An RPC of that many bytes, behind its length, that says nothing: one unknown field.
pub(super) fn nothing(bytes: usize) -> Bytes {
    let mut out = Vec::new();
    varint(bytes, &mut out);
    // The number of the field, its length in three bytes, and so many bytes.
    field(15, &vec![0; bytes - 4], &mut out);
    out.into()
}

/// The length of an RPC that nobody takes, and the beginning of it.
pub(super) fn oversized() -> Bytes {
    let mut out = Vec::new();
    varint(MAX_RPC + 1, &mut out);
    out.resize(64 << 10, 0);
    out.into()
}

/// Bytes of no protobuf, behind their length: an unknown kind of field, a field that is cut off, one of the wrong kind.
pub(super) fn broken(number: usize) -> Bytes {
    let body: &[u8] = match number % 3 {
        0 => &[0x0f, 0xff, 0xff, 0xff],
        1 => &[0x12, 0x7f, 1, 2, 3],
        _ => &[0x10, 1],
    };
    let mut out = Vec::new();
    varint(body.len(), &mut out);
    out.extend(body);
    out.into()
}

/// Topics that nobody follows, as long as they may be and as many as there is room for.
pub(super) fn topics() -> Bytes {
    let name = || topic(&hex::encode(random::<256>()));
    let all = (0..2000).map(|_| SubOpts::new(name(), true));
    subscriptions(all.collect())
}

/// Comes and goes, as often as one RPC can say it.
pub(super) fn toggles() -> Bytes {
    let all = (0..4096).map(|n| SubOpts::new(topic(TOPIC), n % 2 == 1));
    subscriptions(all.collect())
}

/// Ids of messages that there are not.
fn ids<const N: usize>(count: usize) -> Vec<MessageId> {
    (0..count).map(|_| random::<N>().to_vec().into()).collect()
}

/// Announces as many messages as are read of one RPC.
pub(super) fn ihave() -> Bytes {
    let ihave = IHave {
        topic: topic(TOPIC),
        ids: ids::<20>(5000),
    };
    control(Control {
        ihave: vec![ihave],
        ..Control::default()
    })
}

/// Does not want messages whose ids are as long as they may be.
pub(super) fn idontwant() -> Bytes {
    control(Control {
        idontwant: ids::<256>(4000),
        ..Control::default()
    })
}

/// Joins the mesh and leaves it for ever, with the names of peers that there are not.
pub(super) fn graft_and_prune() -> Bytes {
    let other = |_| OtherPeer {
        peer: PeerId::random(),
        record: None,
    };
    let prune = Prune {
        topic: topic(TOPIC),
        peers: (0..16).map(other).collect(),
        backoff: Some(u64::MAX),
    };
    control(Control {
        graft: vec![topic(TOPIC)],
        prune: vec![prune],
        ..Control::default()
    })
}

/// A message with a field replaced: its signature is none of its author any more.
pub(super) fn with(message: &Message, number: u8, value: &[u8]) -> Bytes {
    let fields = [
        message.from(),
        Some(message.data()),
        message.seqno(),
        Some(message.topic().as_bytes()),
        message.signature(),
        message.key(),
    ];
    let (mut wire, mut rpc, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for (n, known) in (1..).zip(fields) {
        if let Some(known) = known {
            field(n, if n == number { value } else { known }, &mut wire);
        }
    }
    field(2, &wire, &mut rpc);
    varint(rpc.len(), &mut out);
    out.extend(rpc);
    out.into()
}

/// A message that its author signed.
pub(super) fn signed(key: &Keypair, seqno: u64, data: Vec<u8>) -> Message {
    Message::signed(key, seqno, &topic(TOPIC), data).expect("an Ed25519 key signs")
}

/// Forged: signed by nobody, or by another than its author.
pub(super) fn forged(key: &Keypair, seqno: u64, bytes: usize) -> Bytes {
    let message = signed(key, seqno, vec![0; bytes]);
    if seqno.is_multiple_of(2) {
        with(&message, 5, &random::<64>())
    } else {
        with(&message, 1, &Keypair::generate().peer_id().to_bytes())
    }
}

/// Parts of a message that are none, or metadata as long as it may be, of a group that nobody began.
pub(super) fn parts(number: u64) -> Bytes {
    let message = number.is_multiple_of(2).then(|| vec![0; 256 << 10].into());
    let partial = PartialMessage {
        topic: topic(PARTS),
        group: random::<32>().to_vec().into(),
        message,
        metadata: Some(vec![1; MAX_METADATA].into()),
    };
    let rpc = Rpc {
        partial: Some(partial),
        ..Rpc::default()
    };
    rpc.encode()
}

#[cfg(test)]
mod tests {
    use super::{broken, forged, nothing, oversized, random, signed, topics, with};
    use bytes::{Bytes, BytesMut};
    use sinew_floodsub::{MAX_RPC, MAX_TOPICS, Rpc, SignaturePolicy};
    use sinew_identity::Keypair;
    use sinew_wire::Frames;

    fn frame(rpc: &Bytes) -> Option<Bytes> {
        let mut buffer = BytesMut::from(rpc.clone());
        Frames::new(MAX_RPC).decode(&mut buffer).ok().flatten()
    }

    #[test]
    fn frames_are_as_long_as_may_be_or_a_byte_longer() {
        assert_eq!(frame(&nothing(MAX_RPC)).map(|frame| frame.len()), Some(MAX_RPC));
        assert_eq!(frame(&oversized()), None);
        let topics = Rpc::decode(&frame(&topics()).expect("not too long")).expect("an RPC");
        assert!(topics.subscriptions.len() > MAX_TOPICS);
    }

    #[test]
    fn what_is_broken_is_no_rpc() {
        for number in 0..3 {
            let frame = frame(&broken(number)).expect("a frame");
            assert!(Rpc::decode(&frame).is_err(), "{number}");
        }
    }

    #[test]
    fn what_is_forged_looks_signed() {
        let key = Keypair::generate();
        let message = signed(&key, 1 << 60, vec![1, 2]);
        let same = Rpc::decode(&frame(&with(&message, 7, &random::<1>())).expect("a frame"));
        assert_eq!(same.expect("an RPC").publish, [message]);
        for seqno in [1 << 60, (1 << 60) + 1] {
            let rpc = Rpc::decode(&frame(&forged(&key, seqno, 9)).expect("a frame")).expect("an RPC");
            let policy = SignaturePolicy::StrictSign;
            assert!(policy.admit(&rpc.publish[0]).is_ok() && policy.check(&rpc.publish[0]).is_err());
        }
    }
}
