//! What peers tell each other besides messages, and ask each other for.

use crate::rig::{Rig, V11, V12, V13, judged, message, peer, peers, topic};
use sinew_floodsub::{Control, Extensions, IHave};
use sinew_gossipsub::{Message, MessageId, Output, Params, SignatureError, SignaturePolicy};
use sinew_identity::Keypair;
use std::collections::BTreeSet;

#[test]
fn who_is_told_of_messages_asks_for_those_it_lacks() {
    let mut rig = Rig::among(1, Params::default());
    let (known, lacking) = (message("known"), message("lacking"));
    rig.message(0, &known);
    rig.accept();
    let ids = vec![MessageId::of(&known), MessageId::of(&lacking)];
    rig.announce(0, ids);
    let asked = rig.heard(|rpc| rpc.control.iwant.clone());
    assert_eq!(asked, [(peer(0), MessageId::of(&lacking))]);
}

#[test]
fn announcements_are_bounded() {
    let mut params = Params::default();
    params.max_ihave_length = 25;
    let mut rig = Rig::among(1, params);
    let announce = |rig: &mut Rig, range: std::ops::Range<u32>| {
        let ids = range.map(|n| n.to_be_bytes().to_vec().into()).collect();
        rig.announce(0, ids);
        rig.heard(|rpc| rpc.control.iwant.clone()).len()
    };
    assert_eq!(announce(&mut rig, 0..20), 20);
    assert_eq!(announce(&mut rig, 20..40), 5);
    assert_eq!(announce(&mut rig, 40..60), 0);
    rig.wait(1);
    for n in 0..10 {
        assert_eq!(announce(&mut rig, n..n + 1), 1);
    }
    assert_eq!(announce(&mut rig, 10..11), 0, "ten times for each heartbeat");
}

#[test]
fn of_many_messages_each_peer_is_told_others() {
    let mut params = Params::default();
    (params.max_ihave_length, params.flood_publish) = (20, false);
    let mut rig = Rig::among(40, params);
    for n in 0..100 {
        rig.publish(&message(&n.to_string()));
    }
    rig.said.clear();
    rig.wait(1);
    let told = rig.heard(|rpc| rpc.control.ihave.clone());
    assert_eq!(told.len(), 8, "a quarter of those outside the mesh");
    assert!(told.iter().all(|(_, ihave)| ihave.ids.len() == 20));
    let all: BTreeSet<_> = told.iter().flat_map(|(_, ihave)| &ihave.ids).collect();
    assert!(all.len() > 20, "{}", all.len());
}

#[test]
fn who_asks_is_sent_a_message_three_times() {
    let mut rig = Rig::among(1, Params::default());
    let message = message("x");
    rig.publish(&message);
    rig.said.clear();
    let iwant = Control {
        iwant: vec![MessageId::of(&message), MessageId::from(&b"unknown"[..])],
        ..Control::default()
    };
    let sent: Vec<_> = (0..4)
        .map(|_| {
            rig.control(0, iwant.clone());
            rig.heard(|rpc| rpc.publish.clone()).len()
        })
        .collect();
    assert_eq!(sent, [1, 1, 1, 0]);
}

#[test]
fn what_was_promised_and_does_not_come_is_misbehaviour() {
    let mut rig = Rig::among(2, judged());
    let (kept, broken) = (message("kept"), MessageId::from(&b"broken"[..]));
    for (n, id) in [(0, MessageId::of(&kept)), (1, broken)] {
        let ihave = vec![IHave {
            topic: topic(),
            ids: vec![id],
        }];
        rig.control(
            n,
            Control {
                ihave,
                ..Control::default()
            },
        );
    }
    rig.message(0, &kept);
    rig.accept();
    rig.wait(4);
    assert_eq!(rig.counts().broken_promises, 1);
    assert!(rig.score(1) < 0.0 && rig.score(0) >= 0.0);
    assert!(!rig.mesh().contains(&peer(1)) || rig.score(1) >= 0.0);
}

#[test]
fn a_promise_counts_from_when_the_peer_was_asked() {
    let mut rig = Rig::among(1, Params::default());
    rig.stuck.insert(0);
    rig.publish(&message("on its way"));
    for data in ["lacking", "here soon"] {
        rig.announce(0, vec![MessageId::of(&message(data))]);
    }
    rig.wait(10);
    rig.take(0);
    assert_eq!(rig.heard(|rpc| rpc.control.iwant.clone()).len(), 2);
    rig.connect(1, V13, true);
    rig.message(1, &message("here soon"));
    rig.accept();
    rig.wait(10);
    assert_eq!(rig.counts().broken_promises, 0, "it is not asked yet");
    rig.take(0);
    rig.wait(2);
    assert_eq!(rig.counts().broken_promises, 0);
    rig.wait(2);
    assert_eq!(rig.counts().broken_promises, 1);
}

#[test]
fn large_messages_are_not_sent_to_who_has_them() {
    let mut rig = Rig::among(3, Params::default());
    let (small, large) = (message("x"), message(&"x".repeat(2000)));
    rig.message(0, &small);
    assert!(rig.heard(|rpc| rpc.control.idontwant.clone()).is_empty());
    rig.accept();
    rig.said.clear();
    rig.message(0, &large);
    let told = rig.heard(|rpc| rpc.control.idontwant.clone());
    let id = MessageId::of(&large);
    assert_eq!(
        told,
        [(peer(1), id.clone()), (peer(2), id.clone())],
        "before it is judged"
    );
    rig.idontwant(1, vec![id]);
    assert_eq!(rig.counts().idontwants, 1);
    rig.accept();
    assert_eq!(rig.receivers(), peers(2..3));
    let old = Rig::among(0, Params::default());
    let mut rig = old;
    rig.connect(0, V12, true);
    rig.connect(1, V11, true);
    rig.wait(1);
    rig.said.clear();
    rig.message(0, &large);
    assert!(
        rig.heard(|rpc| rpc.control.idontwant.clone()).is_empty(),
        "1.1 knows nothing of it"
    );
}

#[test]
fn of_a_signed_message_nobody_is_told_before_it_is_verified() {
    let mut rig = Rig::with(Params::default(), SignaturePolicy::StrictSign);
    rig.follow(true);
    rig.connect(0, V12, true);
    rig.connect(1, V12, true);
    rig.wait(1);
    rig.said.clear();
    let author = Keypair::generate();
    let message = Message::signed(&author, 1 << 60, &topic(), vec![0; 2000]).unwrap();
    rig.message(0, &message);
    assert!(rig.heard(|rpc| rpc.control.idontwant.clone()).is_empty());
    let forged = SignatureError::Invalid(author.peer_id());
    rig.settle(Output::Checked(Err(forged)));
    assert!(rig.said.is_empty());
    rig.message(0, &message);
    rig.accept();
    let told = rig.heard(|rpc| rpc.control.idontwant.clone());
    assert_eq!(told, [(peer(1), MessageId::of(&message))]);
    assert_eq!((rig.counts().forged, rig.counts().accepted), (1, 1));
}

/// A machine whose second peer takes no more frames, while a message waits for it.
fn with_queued(second: &Message) -> Rig {
    let mut rig = Rig::among(2, Params::default());
    rig.stuck.insert(1);
    for message in [&message("first"), second] {
        rig.message(0, message);
        rig.accept();
    }
    rig.said.clear();
    rig
}

#[test]
fn a_queued_message_is_dropped_when_its_peer_sends_it() {
    let second = message("second");
    let mut rig = with_queued(&second);
    rig.message(1, &second);
    assert_eq!((rig.counts().duplicates, rig.counts().withdrawn), (1, 1));
    rig.take(1);
    assert!(rig.receivers().is_empty());
}

#[test]
fn a_queued_message_is_dropped_when_it_is_not_wanted() {
    let second = message("second");
    let mut rig = with_queued(&second);
    rig.idontwant(1, vec![MessageId::of(&second)]);
    assert_eq!(rig.counts().withdrawn, 1);
    rig.take(1);
    assert!(rig.receivers().is_empty());
}

fn with_test_extension() -> Rig {
    let mut params = judged();
    params.test_extension = true;
    let mut rig = Rig::new(params);
    rig.follow(true);
    rig
}

#[test]
fn extensions_are_told_in_the_first_rpc_alone() {
    let mut rig = with_test_extension();
    rig.connect(0, V13, true);
    rig.connect(1, V12, true);
    rig.wait(2);
    let said = rig.said.remove(&peer(0)).unwrap();
    assert!(said[0].control.extensions.is_some_and(|ours| ours.test_extension));
    assert!(said.len() > 1 && said[1..].iter().all(|rpc| rpc.control.extensions.is_none()));
    assert!(
        said.iter().all(|rpc| !rpc.test_extension),
        "it did not say that it knows it"
    );
    let said = rig.said.remove(&peer(1)).unwrap();
    assert!(
        said.iter().all(|rpc| rpc.control.extensions.is_none()),
        "1.2 knows none"
    );
}

#[test]
fn extensions_that_both_know_are_used_and_told_once() {
    let mut rig = with_test_extension();
    let extensions = Some(Extensions {
        test_extension: true,
        partial_messages: false,
    });
    let theirs = Control {
        extensions,
        ..Control::default()
    };
    rig.opened(1, V13, None);
    rig.control(1, theirs.clone());
    let token = rig.come(1, true);
    rig.opened(1, V13, Some(token));
    let said = rig.said.remove(&peer(1)).unwrap();
    assert!(said[0].test_extension && said[0].control.extensions.is_some());
    let before = rig.score(1);
    rig.control(1, theirs);
    assert!(rig.score(1) < before, "twice is misbehaviour");
}
