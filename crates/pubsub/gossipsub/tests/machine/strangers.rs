//! What the specification asks towards peers that do not keep to it, and towards those that do.

use crate::rig::{Rig, V13, inbound, message, nth_topic, peer, topic};
use sinew_floodsub::{Control, MAX_TOPICS, Rpc, SubOpts};
use sinew_gossipsub::{
    Command, Job, Mesh, Message, MessageId, Notice, Output, Params, Reply, ScoreParams, SignatureError,
    SignaturePolicy, Validation,
};
use sinew_identity::Keypair;
use sinew_machine::{BUDGET, Effect, Input, StreamInput};
use std::{collections::BTreeSet, net::IpAddr};

fn following(params: Params) -> Rig {
    let mut rig = Rig::new(params);
    rig.follow(true);
    rig
}

#[test]
fn who_takes_no_stream_of_ours_is_judged_all_the_same() {
    let mut rig = Rig::judging(|_| {});
    rig.state(1, true, false, &[]);
    rig.opened(1, V13, None);
    for _ in 0..4 {
        rig.message(1, &message(&"long".repeat(99)));
    }
    assert!(rig.score(1) < 0.0);
    rig.closed(inbound(1));
    rig.opened(1, V13, None);
    assert!(rig.score(1) < 0.0, "another stream is no forgiveness");
}

#[test]
fn who_cannot_be_sent_messages_gets_no_place_in_a_mesh() {
    let mut rig = Rig::judging(|_| {});
    rig.state(1, true, false, &[]);
    let token = rig.opening.pop().unwrap();
    rig.opened(1, V13, None);
    rig.subscribe(1, true);
    rig.graft(1);
    assert_eq!(rig.mesh(), [].into());
    // It hears of it once it can.
    rig.opened(1, V13, Some(token));
    let pruned = rig.heard_by(1, |rpc| rpc.control.prune.clone());
    assert_eq!(pruned.len(), 1);
}

#[test]
fn a_graft_that_did_not_leave_yet_is_taken_back_by_a_prune() {
    let mut rig = Rig::judging(|_| {});
    rig.stuck.extend(1..4);
    rig.stranger(1, &[]);
    rig.subscribe(1, true);
    rig.wait(1);
    assert_eq!(rig.mesh(), [peer(1)].into());
    rig.prune(1, [topic()], 60);
    rig.stuck.clear();
    rig.take(1);
    assert_eq!(
        rig.heard_by(1, |rpc| rpc.control.graft.clone()),
        [],
        "it would come too early"
    );
}

#[test]
fn who_grafts_follows_the_topic_and_is_sent_its_messages() {
    let mut rig = Rig::judging(|_| {});
    rig.stranger(1, &[]);
    rig.graft(1);
    rig.stranger(2, &[]);
    rig.message(2, &message("hello"));
    rig.accept();
    assert_eq!(rig.mesh(), [peer(1)].into());
    assert_eq!(rig.heard_by(1, |rpc| rpc.publish.clone()), [message("hello")]);
}

#[test]
fn who_follows_too_many_topics_is_in_no_more_meshes() {
    let mut rig = Rig::judging(|_| {});
    rig.stranger(1, &[]);
    let subscriptions = (1..=MAX_TOPICS).map(|n| SubOpts::new(nth_topic(n), true));
    let subscriptions = subscriptions.collect();
    rig.say(
        1,
        Rpc {
            subscriptions,
            ..Rpc::default()
        },
    );
    rig.graft(1);
    assert_eq!(rig.mesh(), [].into());
    assert_eq!(rig.heard_by(1, |rpc| rpc.control.prune.clone()).len(), 1);
}

#[test]
fn all_explicit_peers_are_dialled_whatever_their_number() {
    let rig = Rig::judging(|params| params.explicit = (100..120).map(peer).collect());
    let dialled = rig.jobs.iter().filter(|(_, job)| matches!(job, Job::Connect(_)));
    assert_eq!(dialled.count(), 20);
}

#[test]
fn an_explicit_peer_that_grafts_is_pruned_and_not_punished() {
    let mut rig = Rig::judging(|params| params.explicit = [peer(1)].into());
    rig.stranger(1, &[]);
    for _ in 0..3 {
        rig.graft(1);
        assert_eq!(rig.heard_by(1, |rpc| rpc.control.prune.clone()).len(), 1);
    }
    assert_eq!((rig.score(1), rig.mesh().len()), (0.0, 0));
}

/// One who was asked for a signed message, and sends it.
fn promised() -> Rig {
    let mut rig = Rig::with(Params::default(), SignaturePolicy::StrictSign);
    rig.follow(true);
    rig.stranger(1, &[]);
    let message = Message::signed(&Keypair::generate(), 1 << 60, &topic(), "x").unwrap();
    rig.announce(1, vec![MessageId::of(&message)]);
    assert_eq!(rig.heard_by(1, |rpc| rpc.control.iwant.clone()).len(), 1);
    rig.message(1, &message);
    rig
}

#[test]
fn a_promise_is_kept_however_long_the_message_is_judged() {
    let mut rig = promised();
    rig.wait(5);
    assert_eq!(rig.counts().broken_promises, 0);
    rig.ran(Some(Output::Checked(Ok(Validation::Ignore))));
    rig.wait(5);
    assert_eq!(rig.counts().broken_promises, 0);
}

#[test]
fn a_promise_is_broken_by_something_else_of_that_id() {
    let mut rig = promised();
    rig.ran(Some(Output::Checked(Err(SignatureError::Invalid(peer(9))))));
    rig.wait(2);
    assert_eq!(rig.counts().broken_promises, 1);
}

#[test]
fn what_is_being_judged_is_not_asked_for() {
    let mut rig = Rig::judging(|_| {});
    rig.stranger(1, &[]);
    rig.stranger(2, &[]);
    rig.message(1, &message("here"));
    let ids = [&message("here"), &message("lacking")].map(MessageId::of);
    rig.announce(2, ids.to_vec());
    assert_eq!(rig.heard_by(2, |rpc| rpc.control.iwant.clone()), ids[1..]);
}

#[test]
fn who_is_pruned_hears_of_it_though_no_others_can_be_found() {
    let mut rig = Rig::judging(|params| {
        params.exchange_peers = true;
        params.mesh = Mesh {
            target: 1,
            low: 1,
            high: 1,
            score: 1,
            outbound: 0,
        };
    });
    for n in 1..4 {
        rig.stranger(n, &[]);
        rig.graft(n);
    }
    let records = rig.jobs.iter().filter(|(_, job)| matches!(job, Job::Records(_)));
    assert_eq!(records.count(), 2);
    // The job panicked.
    rig.ran(None);
    rig.ran(None);
    let pruned: BTreeSet<_> = rig.pruned().into_iter().map(|(to, _)| to).collect();
    assert_eq!(pruned, [peer(2), peer(3)].into());
}

#[test]
fn peers_that_come_and_go_do_not_fill_the_memory_with_back_offs() {
    let mut rig = Rig::judging(|_| {});
    rig.call(Command::Follow((0..1024).map(nth_topic).collect()));
    rig.stranger(0, &[]);
    rig.prune(0, (0..1024).map(nth_topic), 3600);
    for n in 1..70 {
        rig.stranger(n, &[]);
        rig.prune(n, (0..1024).map(nth_topic), 3600);
        rig.leave(n);
    }
    rig.wait(16);
    rig.stranger(1, &[]);
    rig.graft(1);
    assert_eq!(rig.mesh(), [peer(1)].into(), "of who left nothing is known");
    rig.graft(0);
    assert_eq!(rig.mesh(), [peer(1)].into(), "of who stayed everything is");
}

#[test]
fn whoever_says_nothing_too_often_is_not_heard() {
    let floods: [fn(&mut Rig); 7] = [
        |rig| rig.say(1, Rpc::default()),
        |rig| rig.graft_to(1, nth_topic(77)),
        |rig| rig.graft(1),
        |rig| rig.subscribe(1, true),
        |rig| {
            rig.subscribe(1, false);
            rig.subscribe(1, true);
        },
        |rig| rig.announce(1, vec![vec![7].into()]),
        |rig| {
            let iwant = vec![vec![7].into()];
            rig.control(
                1,
                Control {
                    iwant,
                    ..Control::default()
                },
            );
        },
    ];
    for flood in floods {
        let mut rig = following(Params::default());
        rig.stranger(1, &[]);
        rig.prune(1, [topic()], 60);
        assert!(rig.resets.is_empty());
        // Some announcements are free.
        (0..=BUDGET + 10).for_each(|_| flood(&mut rig));
        assert_eq!(rig.resets, [inbound(1)]);
    }
}

/// One for each topic that an RPC joins or leaves.
#[test]
fn an_effect_takes_little_room() {
    let bytes = size_of::<Effect<Notice, Reply, Job>>();
    assert!(bytes <= 112, "{bytes}");
}

#[test]
fn whoever_has_a_stream_reset_for_what_it_says_misbehaves() {
    let mut rig = Rig::judging(|_| {});
    rig.stranger(1, &[]);
    let stream = inbound(1);
    rig.feed(Input::Stream(StreamInput::Malformed { stream }));
    rig.closed(stream);
    assert_eq!((rig.score(1), rig.counts().malformed), (-10.0, 1));
    rig.opened(1, V13, None);
    (0..=BUDGET).for_each(|_| rig.say(1, Rpc::default()));
    assert_eq!((rig.score(1), rig.counts().floods), (-40.0, 1), "two, squared");
}

#[test]
fn who_is_ignored_for_its_score_pays_for_what_it_says() {
    let mut rig = Rig::judging(|_| {});
    rig.stranger(1, &[]);
    let ignored = sinew_gossipsub::Thresholds::default().graylist - 1.0;
    rig.call(Command::Judge(peer(1), ignored));
    let subscribe = || Rpc {
        subscriptions: vec![SubOpts::new(topic(), true)],
        ..Rpc::default()
    };
    (0..=BUDGET).for_each(|_| rig.say(1, subscribe()));
    assert_eq!(rig.resets, [inbound(1)]);
}

#[test]
fn the_addresses_of_a_bad_peer_count_after_it_left() {
    let ip: IpAddr = "192.0.2.1".parse().unwrap();
    let mut rig = Rig::judging(|params| {
        let mut score = ScoreParams::default();
        score.ip_threshold = 1;
        score.ip_weight = -1.0;
        params.score = Some(score);
    });
    for n in 1..4 {
        rig.stranger(n, &[ip]);
    }
    assert_eq!(rig.score(1), -4.0);
    rig.leave(2);
    rig.leave(3);
    assert_eq!(rig.score(1), -4.0);
}

#[test]
fn gossip_goes_to_a_quarter_of_many() {
    let mut rig = Rig::judging(|_| {});
    for n in 0..50 {
        rig.stranger(n, &[]);
        rig.subscribe(n, true);
    }
    rig.wait(1);
    assert_eq!(rig.mesh().len(), 6);
    rig.message(0, &message("x"));
    rig.accept();
    rig.said.clear();
    rig.wait(1);
    let told = rig.heard(|rpc| rpc.control.ihave.clone());
    assert_eq!(told.len(), (50 - 6) / 4);
}

#[test]
fn too_much_for_all_peers_is_dropped_for_the_slowest_of_them() {
    let mut params = Params::default();
    (params.max_queued_bytes, params.idontwant_threshold) = (70_000, usize::MAX);
    let mut rig = following(params);
    for n in 1..4 {
        rig.stranger(n, &[]);
        rig.subscribe(n, true);
    }
    rig.wait(1);
    rig.said.clear();
    rig.stuck.extend(1..4);
    for data in ["on its way", "own"] {
        rig.call(Command::Publish(message(data)));
    }
    rig.take(2);
    for n in 0..4 {
        assert_eq!(rig.counts().unsent, 0);
        rig.message(3, &message(&format!("{n}{}", "x".repeat(20_000))));
        rig.accept();
        rig.take(2);
    }
    assert_eq!(rig.counts().unsent, 4);
    assert_eq!(
        rig.heard_by(2, |rpc| rpc.publish.clone()).len(),
        6,
        "one that is not slow loses nothing"
    );
    rig.stuck.clear();
    rig.take(1);
    assert_eq!(
        rig.heard_by(1, |rpc| rpc.publish.clone()),
        [message("own")],
        "ours go last"
    );
}

#[test]
fn what_waited_too_long_is_dropped_though_nothing_else_is_sent() {
    let mut rig = following(Params::default());
    rig.stranger(1, &[]);
    rig.subscribe(1, true);
    rig.stuck.extend(1..4);
    for data in ["on its way", "waits"] {
        rig.call(Command::Publish(message(data)));
    }
    rig.wait(4);
    assert_eq!(rig.counts().unsent, 0);
    rig.wait(2);
    assert_eq!(rig.counts().unsent, 1);
}
