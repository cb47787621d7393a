//! The RPCs and messages of go, js, py and rust: every entry runs, and where the libraries disagree our answer is listed
//! here. `docs/decisions/pubsub.md` has the reasons.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use sinew_floodsub::{
    Control, Extensions, IHave, MAX_RPC, Message, MessageId, Prune, Rpc, SignatureError, SignaturePolicy,
    Topic,
};
use sinew_identity::Keypair;
use sinew_wire::Frames;

fn entries(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn all() -> Vec<Value> {
    entries(include_str!("vectors/pubsub.json"))
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} in {entry}"))
}

fn bytes(entry: &Value, field: &str) -> Bytes {
    hex::decode(text(entry, field)).unwrap().into()
}

fn named(name: &str) -> Bytes {
    let all = all();
    let entry = all.iter().find(|entry| entry["name"] == name);
    bytes(entry.unwrap_or_else(|| panic!("{name}")), "hex")
}

/// An RPC without its length.
fn unframed(delimited: &[u8]) -> Bytes {
    let mut buffer = BytesMut::from(delimited);
    let frame = Frames::new(MAX_RPC).decode(&mut buffer).unwrap().unwrap();
    assert!(buffer.is_empty());
    frame
}

/// What py sends beyond all others is passed over.
const EXTRAS: [&str; 2] = ["py/rpc/subscribe-with-sender-record", "py/rpc/control-observe"];

fn rpc(entry: &Value) {
    let (name, delimited) = (text(entry, "name"), bytes(entry, "delimited"));
    assert_eq!(entry["agreement"], "all accept", "{name}");
    let frame = unframed(&delimited);
    assert_eq!(frame, bytes(entry, "hex"), "{name}");
    let rpc = Rpc::decode(&frame).expect(name);
    // All fields are kept, or the bytes would differ.
    assert_eq!(
        rpc.encode() == delimited,
        !EXTRAS.contains(&name),
        "{name}: {rpc:?}"
    );
}

/// Whether we take a message on which the libraries do not agree.
const DECISIONS: [(&str, bool); 10] = [
    // js and py do not read ECDSA keys.
    ("go/message/signed/ecdsa-p256-a", true),
    ("go/message/signed/ecdsa-p256-b", true),
    ("go/message/published/ecdsa-p256-a", true),
    // py does not look whether the key is the author's.
    ("go/message/bad/key-of-other", false),
    // The specification has 64 bits; js refuses others, and rust.
    ("go/message/short-seqno-signed", false),
    ("go/message/no-seqno-signed", false),
    // py tells absent data from empty data, js an absent topic from an empty one, both after they were read.
    ("go/message/empty-data-signed", true),
    ("go/message/present-empty-topic-signed", true),
    // js and py drop what they do not know before they verify.
    ("go/message/unknown-field-appended", false),
    // py alone knows several topics.
    ("py/message/two-topics", false),
];

/// Whether a message is no longer the one that was signed, or is read otherwise by us than by its author.
fn is_another(name: &str) -> bool {
    let changed = [
        "data-changed",
        "topic-changed",
        "seqno-changed",
        "from-changed",
        "no-from",
        "no-seqno",
    ];
    let bad = name.strip_prefix("go/message/bad/");
    bad.is_some_and(|kind| changed.contains(&kind)) || name == "py/message/two-topics"
}

fn is_wanted(entry: &Value) -> bool {
    let name = text(entry, "name");
    let decided = DECISIONS.iter().find(|(decided, _)| *decided == name);
    match (text(entry, "agreement"), decided) {
        ("all accept", None) => true,
        ("all refuse", None) => false,
        ("split", Some((_, ours))) => *ours,
        other => panic!("{name}: {other:?}"),
    }
}

fn message(entry: &Value) -> usize {
    let name = text(entry, "name");
    let message = Message::decode(bytes(entry, "hex")).expect(name);
    let checked = SignaturePolicy::StrictSign.check(&message);
    assert_eq!(checked.is_ok(), is_wanted(entry), "{name}: {checked:?}");
    if let Some(fields) = entry.get("decoded") {
        compare(name, &message, fields);
    }
    let signed = entry["signed_bytes"].as_str().unwrap_or_default();
    if !signed.is_empty() {
        let same = hex::encode(message.signed_bytes()) == signed;
        assert_eq!(same, !is_another(name), "{name}");
    }
    if let Some(id) = entry["message_id_from_seqno"]
        .as_str()
        .filter(|id| !id.is_empty())
    {
        // Without one of the two fields ours is by content.
        let by_author = message.from().is_some() && message.seqno().is_some();
        assert_eq!(MessageId::of(&message).to_string() == id, by_author, "{name}");
    }
    if entry.get("rpc").is_some() {
        assert_eq!(unframed(&message.rpc()), bytes(entry, "rpc"), "{name}");
    }
    usize::from(remakes(name, &message))
}

/// Compares a message with what the making library says is in it.
fn compare(name: &str, message: &Message, fields: &Value) {
    let field = |names: &[&str]| names.iter().find_map(|name| fields[*name].as_str());
    let ours = |value: Option<&[u8]>| value.map(hex::encode);
    assert_eq!(
        ours(message.from()).as_deref(),
        field(&["from", "from_id"]),
        "{name}"
    );
    assert_eq!(ours(message.seqno()).as_deref(), field(&["seqno"]), "{name}");
    assert_eq!(
        ours(message.signature()).as_deref(),
        field(&["signature"]),
        "{name}"
    );
    assert_eq!(ours(message.key()).as_deref(), field(&["key"]), "{name}");
    assert_eq!(
        hex::encode(message.data()),
        field(&["data"]).unwrap_or_default(),
        "{name}"
    );
    let topics = fields["topicIDs"]
        .as_array()
        .and_then(|topics| topics.last()?.as_str());
    assert_eq!(
        message.topic(),
        field(&["topic"]).or(topics).unwrap_or_default(),
        "{name}"
    );
}

/// Makes a message of go again, where signatures do not vary.
fn remakes(name: &str, message: &Message) -> bool {
    let key_name = name
        .strip_prefix("go/message/signed/")
        .or(name.strip_prefix("go/message/published/"));
    let Some(key_name) = key_name.filter(|key| !key.starts_with("ecdsa")) else {
        return false;
    };
    let seqno = u64::from_be_bytes(message.seqno().unwrap().try_into().unwrap());
    let topic = message.topic().parse().unwrap();
    let made = Message::signed(&key(key_name), seqno, &topic, message.data_bytes()).unwrap();
    assert_eq!(made.as_bytes(), message.as_bytes(), "{name}");
    true
}

fn key(name: &str) -> Keypair {
    let keys = entries(include_str!("vectors/keys.json"));
    let wanted = format!("key/{name}");
    let entry = keys.iter().find(|entry| entry["name"] == *wanted).unwrap();
    Keypair::from_protobuf(&bytes(entry, "private_key")).unwrap()
}

/// Reads what one side of a stream sent: how many RPCs, and how many messages in them.
fn stream(entry: &Value) -> [usize; 2] {
    let name = text(entry, "name");
    assert_eq!(
        text(entry, "other_bytes"),
        "",
        "{name}: streams are used in one direction"
    );
    let mut buffer = BytesMut::from(&bytes(entry, "opener_bytes")[..]);
    let mut counts = [0; 2];
    while let Some(frame) = Frames::new(MAX_RPC).decode(&mut buffer).unwrap() {
        let rpc = Rpc::decode(&frame).expect(name);
        for message in &rpc.publish {
            assert_eq!(SignaturePolicy::StrictSign.check(message), Ok(()), "{name}");
        }
        counts[0] += 1;
        counts[1] += rpc.publish.len();
    }
    assert!(buffer.is_empty(), "{name}");
    assert_eq!(
        counts[0],
        entry["opener_messages"].as_array().unwrap().len(),
        "{name}"
    );
    counts
}

#[test]
fn every_entry() {
    let all = all();
    let (mut rpcs, mut messages, mut remade, mut streams) = (0, 0, 0, 0);
    let mut seen = [0; 2];
    for entry in &all {
        match (text(entry, "kind"), entry["check_kind"].as_str()) {
            ("protobuf", Some("rpc")) => (rpc(entry), rpcs += 1).1,
            ("protobuf", Some("pubsub_msg")) => {
                remade += message(entry);
                messages += 1;
            }
            ("stream", None) => {
                let counts = stream(entry);
                seen = [seen[0] + counts[0], seen[1] + counts[1]];
                streams += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((rpcs, messages, streams, all.len()), (37, 55, 22, 114));
    assert_eq!((remade, seen), (11, [88, 22]));
}

fn topic(text: &str) -> Topic {
    text.parse().unwrap()
}

fn ids() -> Vec<MessageId> {
    [&b"id-one"[..], b"id-two"].map(MessageId::from).into()
}

#[test]
fn the_fields_of_every_control_message() {
    let rpc = Rpc::decode(&named("go/rpc/control-all")).unwrap();
    let control = Control {
        ihave: vec![IHave {
            topic: topic("t"),
            ids: ids(),
        }],
        iwant: ids(),
        graft: vec![topic("t")],
        prune: vec![Prune {
            topic: topic("u"),
            peers: Vec::new(),
            backoff: Some(10),
        }],
        idontwant: ids(),
        extensions: Some(Extensions {
            partial_messages: true,
            test_extension: false,
        }),
    };
    assert_eq!(rpc.control, control);
}

#[test]
fn extensions_partial_messages_and_exchanged_peers() {
    let rpc = |name: &str| Rpc::decode(&named(name)).unwrap();
    assert!(rpc("go/rpc/test-extension").test_extension);
    let extensions = rpc("go/rpc/control-extensions-test").control.extensions.unwrap();
    assert!(extensions.test_extension && !extensions.partial_messages);
    let subscription = &rpc("go/rpc/subscribe-partial").subscriptions[0];
    assert!(subscription.subscribe && subscription.requests_partial && subscription.supports_sending_partial);
    let partial = rpc("go/rpc/partial-message").partial.unwrap();
    assert_eq!(
        (&partial.group[..], partial.topic.as_str()),
        (&[1, 2][..], "topic-a")
    );
    assert_eq!(
        (partial.message, partial.metadata),
        (Some("part".into()), Some(vec![0xf0].into()))
    );
    let prune = &rpc("go/rpc/control-prune-px").control.prune[0];
    assert_eq!((prune.peers.len(), prune.backoff), (2, Some(60)));
    assert_eq!(prune.peers[0].peer, key("ed25519-b").peer_id());
    assert!(prune.peers[0].record.is_some() && prune.peers[1].record.is_none());
}

#[test]
fn policies() {
    use SignaturePolicy::{LaxNoSign, LaxSign, StrictNoSign, StrictSign};
    let check = |name: &str, policy: SignaturePolicy| policy.check(&Message::decode(named(name)).unwrap());
    let taken =
        |name: &str| [StrictSign, StrictNoSign, LaxSign, LaxNoSign].map(|policy| check(name, policy).is_ok());
    assert_eq!(taken("go/message/signed/ed25519-a"), [true, false, true, true]);
    assert_eq!(taken("go/message/anonymous"), [false, true, true, true]);
    assert_eq!(
        taken("go/message/unsigned-with-author"),
        [false, false, true, true]
    );
    assert_eq!(taken("go/message/bad/data-changed"), [false; 4]);
    assert_eq!(
        check("go/message/signed/ed25519-a", StrictNoSign),
        Err(SignatureError::Unexpected("a signature"))
    );
    assert_eq!(
        check("go/message/bad/key-of-other", LaxSign),
        Err(SignatureError::ForeignKey(key("ed25519-a").peer_id()))
    );
    let anonymous = Message::anonymous(&topic("topic-a"), "hello pubsub");
    assert_eq!(anonymous.as_bytes(), &named("go/message/anonymous"));
}
