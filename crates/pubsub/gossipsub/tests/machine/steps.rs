//! The steps that somebody may trace.

use crate::rig::{Rig, V13, message, outbound, peer, topic};
use sinew_floodsub::{Control, IHave, Rpc, SubOpts};
use sinew_gossipsub::{
    Command, Message, MessageId, Output, PROTOCOLS, Params, RejectReason, RpcTrace, SignatureError,
    SignaturePolicy, Trace, Validation,
};
use sinew_identity::Keypair;
use std::time::Duration;

fn traced(params: Params, policy: SignaturePolicy) -> Rig {
    let rig = Rig::with(params, policy);
    Rig {
        machine: rig.machine.traced(),
        ..rig
    }
}

fn steps(rig: &mut Rig) -> Vec<Trace> {
    std::mem::take(&mut rig.steps)
}

fn subscribes() -> RpcTrace {
    RpcTrace {
        subscriptions: vec![SubOpts::new(topic(), true)],
        ..RpcTrace::default()
    }
}

fn with(message: &Message) -> RpcTrace {
    RpcTrace {
        messages: vec![(MessageId::of(message), topic().to_string())],
        ..RpcTrace::default()
    }
}

#[test]
fn nothing_is_told_unless_that_is_wanted() {
    let mut rig = Rig::among(2, Params::default());
    rig.publish(&message("x"));
    assert_eq!(steps(&mut rig), []);
}

#[test]
fn peers_topics_and_meshes() {
    let mut rig = traced(Params::default(), SignaturePolicy::StrictNoSign);
    let (peer, topic) = (peer(0), topic());
    rig.follow(true);
    assert_eq!(steps(&mut rig), [Trace::Join { topic: topic.clone() }]);
    rig.connect(0, V13, true);
    let protocol = PROTOCOLS[V13].clone();
    let hello = [
        Trace::AddPeer { peer, protocol },
        Trace::SendRpc {
            to: peer,
            rpc: subscribes(),
        },
        Trace::RecvRpc {
            from: peer,
            rpc: subscribes(),
        },
    ];
    assert_eq!(steps(&mut rig), hello);
    rig.wait(1);
    let link = |grafts| {
        let mut rpc = RpcTrace::default();
        if grafts {
            rpc.control.graft.push(topic.clone());
        }
        rpc
    };
    let grafted = [
        Trace::Graft {
            peer,
            topic: topic.clone(),
        },
        Trace::SendRpc {
            to: peer,
            rpc: link(true),
        },
    ];
    assert_eq!(steps(&mut rig), grafted);
    rig.closed(outbound(0));
    let lost = [
        Trace::RemovePeer { peer },
        Trace::Prune {
            peer,
            topic: topic.clone(),
        },
    ];
    assert_eq!(steps(&mut rig), lost);
    rig.follow(false);
    assert_eq!(steps(&mut rig), [Trace::Leave { topic }]);
}

#[test]
fn messages_that_come_and_go() {
    let mut rig = traced(Params::default(), SignaturePolicy::StrictNoSign);
    rig.follow(true);
    rig.connect(0, V13, true);
    rig.connect(1, V13, true);
    rig.wait(1);
    steps(&mut rig);
    let (ours, theirs) = (message("ours"), message("theirs"));
    let (a, b, topic) = (peer(0), peer(1), topic());
    rig.publish(&ours);
    let id = MessageId::of(&ours);
    let published = Trace::PublishMessage {
        id,
        topic: topic.clone(),
    };
    let sent = |to, message| Trace::SendRpc {
        to,
        rpc: with(message),
    };
    assert_eq!(steps(&mut rig), [published, sent(a, &ours), sent(b, &ours)]);
    rig.message(0, &theirs);
    rig.accept();
    rig.message(1, &theirs);
    let (id, rpc) = (MessageId::of(&theirs), with(&theirs));
    let came = |from| Trace::RecvRpc {
        from,
        rpc: rpc.clone(),
    };
    let delivered = Trace::DeliverMessage {
        id: id.clone(),
        topic: topic.clone(),
        from: a,
    };
    let duplicate = Trace::DuplicateMessage { id, topic, from: b };
    let expected = [came(a), delivered, sent(b, &theirs), came(b), duplicate];
    assert_eq!(steps(&mut rig), expected);
}

#[test]
fn messages_that_wait_too_long() {
    let mut rig = traced(Params::default(), SignaturePolicy::StrictNoSign);
    rig.connect(0, V13, true);
    rig.stuck.insert(0);
    for data in ["taken", "late", "later"] {
        rig.publish(&message(data));
        rig.wait(2);
    }
    let dropped = Trace::DropRpc {
        to: peer(0),
        rpc: with(&message("late")),
    };
    assert!(!steps(&mut rig).contains(&dropped));
    rig.wait(2);
    let steps = steps(&mut rig);
    assert!(steps.contains(&dropped), "{steps:?}");
}

/// Why a message that a peer sends goes no further.
fn reason(rig: &mut Rig, message: &Message, output: Option<Output>) -> Option<RejectReason> {
    steps(rig);
    rig.message(0, message);
    if let Some(output) = output {
        rig.settle(output);
    }
    let id = MessageId::of(message);
    steps(rig).into_iter().find_map(|step| match step {
        Trace::RejectMessage {
            id: of,
            reason,
            from,
            topic: about,
        } => {
            assert_eq!((of, from, about), (id.clone(), peer(0), topic()));
            Some(reason)
        }
        _ => None,
    })
}

#[test]
fn messages_that_go_no_further() {
    let mut params = Params::default();
    params.max_authors = 1;
    let mut bounded = sinew_gossipsub::TopicParams::default();
    bounded.max_data = Some(3);
    params.topics.insert(topic(), bounded);
    let mut rig = traced(params, SignaturePolicy::StrictSign);
    rig.follow(true);
    rig.connect(0, V13, true);
    let (author, other) = (Keypair::generate(), Keypair::generate());
    let signed =
        |n: u64, data: &str| Message::signed(&author, (1 << 60) + n, &topic(), data.to_owned()).unwrap();
    let judged = |validation| Some(Output::Checked(Ok(validation)));
    let forged = Some(Output::Checked(Err(SignatureError::Invalid(author.peer_id()))));
    let mut found = Vec::new();
    for (message, output) in [
        (message("x"), None),
        (signed(1, "long"), None),
        (signed(2, "x"), forged),
        (signed(3, "x"), judged(Validation::Reject)),
        (signed(4, "x"), judged(Validation::Ignore)),
        (signed(5, "x"), judged(Validation::Accept)),
        (signed(1, "x"), None),
    ] {
        found.push(reason(&mut rig, &message, output));
    }
    rig.call(Command::Block(other.peer_id(), Duration::MAX));
    let blocked = Message::signed(&other, 1 << 60, &topic(), "x").unwrap();
    found.push(reason(&mut rig, &blocked, None));
    let expected = [
        Some(RejectReason::MissingSignature),
        Some(RejectReason::TooLong),
        Some(RejectReason::InvalidSignature),
        Some(RejectReason::Failed),
        Some(RejectReason::Ignored),
        None,
        Some(RejectReason::Ignored),
        Some(RejectReason::BlockedSource),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_peers_tell_each_other_is_counted() {
    let mut rig = Rig::among(8, Params::default());
    let ids = |n: u8| (0..n).map(|n| MessageId::from(&[n][..])).collect::<Vec<_>>();
    let control = Control {
        ihave: vec![IHave {
            topic: topic(),
            ids: ids(3),
        }],
        iwant: ids(4),
        idontwant: ids(5),
        ..Control::default()
    };
    rig.say(
        0,
        Rpc {
            control,
            ..Rpc::default()
        },
    );
    rig.publish(&message("x"));
    rig.wait(1);
    let counts = rig.counts();
    assert_eq!((counts.ihave_received, counts.iwant_received), (3, 4));
    assert_eq!((counts.idontwant_received, counts.iwant_sent), (5, 3));
    assert_eq!(counts.ihave_sent, 2, "to the two outside the mesh");
    rig.message(1, &message(&"x".repeat(2000)));
    let told = rig.counts().idontwant_sent;
    assert!((5..=6).contains(&told), "to the others in the mesh: {told}");
}
