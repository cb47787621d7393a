//! To whom messages go, and from whom they are taken.

use crate::rig::{Rig, V11, inbound, judged, message, nth_topic, peer, peers, topic};
use sinew_floodsub::{Control, IHave};
use sinew_gossipsub::{
    Command, Message, MessageId, Output, Params, Reply, SignaturePolicies, SignaturePolicy, Thresholds,
    TopicParams, TopicScore, Validation,
};
use sinew_identity::{Keypair, PeerId};
use std::{collections::BTreeSet, time::Duration};

#[test]
fn messages_of_a_batch_are_with_somebody_each_before_any_is_with_all() {
    let mut rig = Rig::among(4, Params::default());
    rig.stuck.extend(0..4);
    rig.publish(&message("first"));
    rig.said.clear();
    let batch: Vec<_> = ["0", "1", "2", "3", "3"].map(message).into();
    let reply = Reply::Batch(vec![Some(4), Some(4), Some(4), Some(4), None]);
    assert_eq!(rig.call(Command::PublishBatch(batch)), reply);
    assert!(rig.said.is_empty());
    rig.stuck.clear();
    for n in 0..4 {
        rig.take(n);
    }
    let heard = rig.heard(|rpc| rpc.publish.iter().map(|it| it.data().to_vec()).collect());
    let order: Vec<_> = (0..4)
        .map(|n| {
            let its = heard.iter().filter(|(to, _)| *to == peer(n));
            its.map(|(_, data)| char::from(data[0])).collect::<String>()
        })
        .collect();
    assert_eq!(order, ["0321", "1032", "2103", "3210"]);
}

#[test]
fn messages_go_to_the_mesh_and_gossip_to_others() {
    let mut rig = Rig::among(20, Params::default());
    let mesh = rig.mesh();
    let sender = (0..20).find(|n| !mesh.contains(&peer(*n))).unwrap();
    let message = message("hello");
    rig.message(sender, &message);
    rig.accept();
    assert_eq!(rig.receivers(), mesh);
    let told = |rig: &mut Rig| -> BTreeSet<PeerId> {
        rig.wait(1);
        let heard = rig.heard(|rpc| rpc.control.ihave.clone());
        assert!(
            heard
                .iter()
                .all(|(_, ihave)| ihave.ids == [MessageId::of(&message)])
        );
        heard.into_iter().map(|(peer, _)| peer).collect()
    };
    for _ in 0..3 {
        let told = told(&mut rig);
        assert!(told.len() == 6 && told.is_disjoint(&mesh), "{told:?}");
    }
    assert!(told(&mut rig).is_empty(), "not for ever");
    assert_eq!(rig.counts().accepted, 1);
}

#[test]
fn our_own_messages_go_to_everybody_if_they_are_flooded() {
    let mut rig = Rig::among(10, Params::default());
    assert_eq!(rig.publish(&message("flooded")), Some(10));
    assert_eq!(rig.receivers(), peers(0..10));
    assert_eq!(rig.publish(&message("flooded")), None);
    let mut params = Params::default();
    params.flood_publish = false;
    let mut rig = Rig::among(10, params);
    let mesh = rig.mesh();
    assert_eq!(rig.publish(&message("to the mesh")), Some(6));
    assert_eq!(rig.receivers(), mesh);
}

#[test]
fn a_topic_that_is_not_followed_has_a_fanout_for_a_while() {
    let mut params = Params::default();
    params.flood_publish = false;
    let mut rig = Rig::new(params);
    for n in 0..20 {
        rig.connect(n, V11, true);
    }
    assert_eq!(rig.publish(&message("1")), Some(6));
    let fanout = rig.receivers();
    rig.wait(30);
    assert_eq!(rig.publish(&message("2")), Some(6));
    assert_eq!(rig.receivers(), fanout, "the same peers");
    let gone = (0..20).find(|n| fanout.contains(&peer(*n))).unwrap();
    rig.subscribe(gone, false);
    rig.wait(1);
    assert_eq!(rig.publish(&message("3")), Some(6));
    let refilled = rig.receivers();
    assert!(!refilled.contains(&peer(gone)));
    rig.follow(true);
    assert_eq!(rig.grafted(), refilled, "they become the mesh");
    rig.follow(false);
    rig.wait(100);
    rig.publish(&message("4"));
    assert_ne!(rig.receivers(), refilled, "after a minute others are chosen");
}

#[test]
fn explicit_peers_are_dialled_and_sent_everything() {
    let mut params = judged();
    params.explicit = peers(0..2);
    let mut rig = Rig::among(0, params);
    let dialled = std::mem::take(&mut rig.jobs);
    assert_eq!(dialled.len(), 2);
    rig.connect(0, V11, true);
    rig.connect(2, V11, true);
    rig.judge(0, -1000.0);
    rig.wait(1);
    rig.said.clear();
    let message = message("x");
    rig.message(0, &message);
    rig.accept();
    assert_eq!(rig.receivers(), peers(2..3), "whatever its score is");
    let other = Message::anonymous(&topic(), "y");
    rig.message(2, &other);
    rig.accept();
    assert_eq!(rig.receivers(), peers(0..1));
    assert_eq!(rig.mesh(), peers(2..3));
}

#[test]
fn bad_peers_leave_the_mesh_and_are_not_listened_to() {
    let mut rig = Rig::among(4, judged());
    assert_eq!(rig.mesh(), peers(0..4));
    rig.judge(0, -1.0);
    rig.wait(1);
    assert_eq!(rig.mesh(), peers(1..4));
    assert_eq!(rig.pruned().len(), 1);
    let thresholds = Thresholds::default();
    rig.judge(0, thresholds.publish - 1.0);
    assert_eq!(rig.publish(&message("1")), Some(3));
    rig.judge(0, thresholds.graylist - 1.0);
    rig.message(0, &message("2"));
    assert!(rig.jobs.is_empty());
    assert_eq!(rig.counts().graylisted, 1);
    rig.judge(0, thresholds.gossip - 1.0);
    let ihave = vec![IHave {
        topic: topic(),
        ids: vec![b"new"[..].into()],
    }];
    rig.said.clear();
    rig.control(
        0,
        Control {
            ihave,
            ..Control::default()
        },
    );
    assert!(rig.said.is_empty());
}

#[test]
fn invalid_messages_lower_the_score_of_all_who_sent_them() {
    let mut params = judged();
    let mut scored = TopicParams::default();
    scored.score = Some(TopicScore::default());
    params.topics.insert(topic(), scored);
    let mut rig = Rig::among(3, params);
    let message = message("bad");
    rig.message(0, &message);
    rig.message(1, &message);
    let before = [rig.score(0), rig.score(1), rig.score(2)];
    rig.settle(Output::Checked(Ok(Validation::Reject)));
    assert!(rig.score(0) < before[0] && rig.score(1) < before[1]);
    rig.message(2, &message);
    assert!(rig.score(2) < before[2], "and who comes later");
    assert!(rig.jobs.is_empty(), "it is not judged again");
    let good = Message::anonymous(&topic(), "good");
    let before = rig.score(2);
    rig.message(2, &good);
    rig.accept();
    assert!(rig.score(2) > before, "the first to bring a message gains");
}

#[test]
fn a_copy_counts_for_its_bringer_if_it_comes_nearly_as_soon_as_the_first() {
    let mut params = judged();
    let (mut scored, mut score) = (TopicParams::default(), TopicScore::default());
    score.weight = 1.0;
    score.mesh_message_deliveries_weight = -1.0;
    score.mesh_message_deliveries_threshold = 3.0;
    score.mesh_message_deliveries_activation = Duration::from_secs(1);
    scored.score = Some(score);
    params.topics.insert(topic(), scored);
    let mut rig = Rig::among(5, params);
    rig.wait(3);
    let message = message("hello");
    rig.message(0, &message);
    rig.message(1, &message);
    rig.accept();
    rig.now = rig.now + score.mesh_message_deliveries_window;
    rig.message(2, &message);
    rig.message(2, &message);
    rig.message(0, &message);
    rig.now = rig.now + Duration::from_nanos(1);
    rig.message(3, &message);
    let Reply::ScoreReports(reports) = rig.call(Command::ScoreReports) else {
        panic!("there are some")
    };
    let missing = reports
        .iter()
        .map(|(_, report)| report.by_topic[&topic()].mesh_deliveries);
    assert_eq!(missing.collect::<Vec<_>>(), [-4.0, -4.0, -4.0, -9.0, -9.0]);
}

#[test]
fn a_policy_may_be_of_one_topic() {
    let policies = SignaturePolicies::from(SignaturePolicy::StrictSign);
    let mut rig = Rig::with(
        Params::default(),
        policies.with(nth_topic(1), SignaturePolicy::StrictNoSign),
    );
    rig.call(Command::Follow([topic(), nth_topic(1)].into()));
    rig.connect(0, V11, true);
    rig.message(0, &message("not signed"));
    assert!(rig.jobs.is_empty());
    rig.message(0, &Message::anonymous(&nth_topic(1), "nor this"));
    assert_eq!((rig.jobs.len(), rig.counts().unwanted), (1, 1));
}

#[test]
fn messages_have_a_bound_for_each_topic() {
    let mut params = Params::default();
    let mut bounded = TopicParams::default();
    bounded.max_data = Some(3);
    params.topics.insert(topic(), bounded);
    let mut rig = Rig::among(1, params);
    rig.message(0, &message("long"));
    assert!(rig.jobs.is_empty());
    rig.message(0, &message("abc"));
    assert_eq!((rig.jobs.len(), rig.counts().unwanted), (1, 1));
}

#[test]
fn a_blocked_peer_is_not_heard_and_not_quoted() {
    let mut rig = Rig::with(Params::default(), SignaturePolicy::StrictSign);
    rig.follow(true);
    let author = Keypair::generate();
    rig.connect(0, V11, true);
    rig.connect(1, V11, true);
    rig.call(Command::Block(peer(0), Duration::MAX));
    rig.call(Command::Block(author.peer_id(), Duration::MAX));
    assert_eq!(rig.resets, [inbound(0)]);
    assert!(!rig.mesh().contains(&peer(0)));
    let message = Message::signed(&author, 1 << 60, &topic(), "x").unwrap();
    rig.message(1, &message);
    assert!(rig.jobs.is_empty());
    rig.call(Command::Block(author.peer_id(), Duration::ZERO));
    rig.message(1, &message);
    assert_eq!(rig.jobs.len(), 1);
}
