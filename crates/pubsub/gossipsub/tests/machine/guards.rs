//! What keeps bad peers and old messages away.

use crate::rig::{Rig, inbound, judged, message, peer, topic};
use sinew_floodsub::{Control, MAX_RUNNING, Rpc};
use sinew_gossipsub::{
    Command, GaterParams, Mesh, Message, MessageId, Output, Params, ParamsError, Reply, ScoreParams,
    SignaturePolicy, TopicParams, TopicScore, Validation,
};
use sinew_identity::Keypair;
use sinew_machine::Input;
use std::time::Duration;

/// A machine with so much to validate that it has no room for more of the first peer, which sent ten messages that were none.
fn overloaded() -> Rig {
    let mut gater = GaterParams::default();
    gater.threshold = 0.0005;
    let mut params = Params::default();
    params.gater = Some(gater);
    let mut rig = Rig::among(2, params);
    for n in 0..10 {
        rig.message(0, &message(&format!("bad {n}")));
    }
    for (token, _) in std::mem::take(&mut rig.jobs) {
        let output = Some(Output::Checked(Ok(Validation::Reject)));
        rig.feed(Input::Ran { token, output });
    }
    for n in 0..MAX_RUNNING {
        rig.message(0, &message(&format!("{n}")));
    }
    let before = rig.counts();
    assert_eq!(
        (rig.jobs.len(), before.throttled),
        (MAX_RUNNING, 0),
        "there is room"
    );
    let large = "x".repeat(1 << 20);
    for n in 0..5 {
        rig.message(0, &message(&format!("{n}{large}")));
    }
    assert!(rig.counts().dropped > 0);
    rig
}

#[test]
fn who_sent_much_in_vain_is_not_heard_while_there_is_too_much_to_validate() {
    let mut rig = overloaded();
    let before = rig.counts().throttled;
    for n in 0..50 {
        rig.message(0, &message(&format!("more {n}")));
    }
    let throttled = rig.counts().throttled - before;
    assert!((45..=50).contains(&throttled), "{throttled}");
    let ours = message("ours");
    rig.publish(&ours);
    rig.said.clear();
    let rpc = Rpc {
        publish: vec![message("one more")],
        control: Control {
            iwant: vec![MessageId::of(&ours)],
            ..Control::default()
        },
        ..Rpc::default()
    };
    rig.say(0, rpc);
    assert_eq!(rig.receivers(), [peer(0)].into(), "what is no message is heard");
    let before = rig.counts().throttled;
    for n in 0..50 {
        rig.message(1, &message(&format!("honest {n}")));
    }
    assert_eq!(
        rig.counts().throttled,
        before,
        "of the other nothing bad is known"
    );
}

#[test]
fn when_it_was_quiet_for_a_while_all_are_heard_again() {
    let mut rig = overloaded();
    rig.wait(61);
    let before = rig.counts().throttled;
    for n in 0..50 {
        rig.message(0, &message(&format!("more {n}")));
    }
    assert_eq!(rig.counts().throttled, before);
}

#[test]
fn numbers_of_a_gater_that_make_no_sense_are_refused() {
    let changes: [fn(&mut GaterParams); 4] = [
        |gater| gater.threshold = 0.0,
        |gater| gater.source_decay = 1.0,
        |gater| gater.ignore_weight = 0.5,
        |gater| gater.decay_interval = Duration::ZERO,
    ];
    for change in changes {
        let mut params = Params::default();
        let mut gater = GaterParams::default();
        change(&mut gater);
        params.gater = Some(gater);
        assert!(params.check().is_err(), "{params:?}");
    }
    let mut params = Params::default();
    let mut score = ScoreParams::default();
    score.slow_peer_weight = 1.0;
    params.score = Some(score);
    assert_eq!(params.check(), Err(ParamsError::Range("slow_peer_weight")));
}

/// Sets one number, which has to be refused whatever else is set.
fn refuses<T: Default>(changes: &[fn(&mut T, f64)], with: fn(T) -> Params) {
    for (n, change) in changes.iter().enumerate() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut numbers = T::default();
            change(&mut numbers, value);
            assert!(with(numbers).check().is_err(), "number {n} is {value}");
        }
    }
}

#[test]
fn numbers_of_scores_that_are_not_finite_are_refused() {
    let changes: [fn(&mut ScoreParams, f64); 13] = [
        |score, value| score.topic_cap = value,
        |score, value| score.app_weight = value,
        |score, value| score.ip_weight = value,
        |score, value| score.behaviour_weight = value,
        |score, value| score.behaviour_threshold = value,
        |score, value| score.behaviour_decay = value,
        |score, value| score.slow_peer_weight = value,
        |score, value| score.slow_peer_threshold = value,
        |score, value| score.decay_to_zero = value,
        |score, value| score.thresholds.gossip = value,
        |score, value| score.thresholds.graylist = value,
        |score, value| score.thresholds.accept_px = value,
        |score, value| score.thresholds.opportunistic_graft = value,
    ];
    refuses(&changes, |score| {
        let mut params = Params::default();
        params.score = Some(score);
        params
    });
    let mut rig = Rig::among(1, judged());
    for value in [f64::NAN, f64::INFINITY] {
        assert_eq!(rig.call(Command::Judge(peer(0), value)), Reply::Judged(false));
    }
}

#[test]
fn numbers_of_a_topic_that_are_not_finite_are_refused() {
    let changes: [fn(&mut TopicScore, f64); 10] = [
        |score, value| score.weight = value,
        |score, value| score.time_in_mesh_weight = value,
        |score, value| score.time_in_mesh_cap = value,
        |score, value| score.first_message_deliveries_weight = value,
        |score, value| score.first_message_deliveries_cap = value,
        |score, value| score.mesh_message_deliveries_weight = value,
        |score, value| score.mesh_message_deliveries_cap = value,
        |score, value| score.mesh_message_deliveries_threshold = value,
        |score, value| score.mesh_failure_penalty_weight = value,
        |score, value| score.invalid_message_deliveries_weight = value,
    ];
    refuses(&changes, |score| {
        let (mut params, mut scored) = (judged(), TopicParams::default());
        scored.score = Some(score);
        params.topics.insert(topic(), scored);
        params
    });
}

#[test]
fn numbers_of_a_gater_that_are_not_finite_are_refused() {
    let changes: [fn(&mut GaterParams, f64); 5] = [
        |gater, value| gater.threshold = value,
        |gater, value| gater.duplicate_weight = value,
        |gater, value| gater.ignore_weight = value,
        |gater, value| gater.reject_weight = value,
        |gater, value| gater.delivery_weights = [(topic(), value)].into(),
    ];
    refuses(&changes, |gater| {
        let mut params = Params::default();
        params.gater = Some(gater);
        params
    });
}

#[test]
fn what_a_peer_does_not_take_in_time_counts_against_it() {
    let mut rig = Rig::among(1, judged());
    rig.stuck.insert(0);
    for data in ["taken", "waits", "waits too"] {
        rig.publish(&message(data));
    }
    rig.wait(5);
    assert_eq!((rig.counts().unsent, rig.score(0)), (2, -0.4));
    rig.wait(1);
    assert!(rig.score(0) > -0.4, "it fades");
}

#[test]
fn what_there_is_no_room_for_counts_against_a_peer() {
    let mut rig = Rig::among(1, judged());
    rig.stuck.insert(0);
    let large = "x".repeat(1 << 20);
    for n in 0..6 {
        rig.publish(&message(&format!("{n}{large}")));
    }
    // One has left, three wait.
    assert_eq!((rig.counts().unsent, rig.score(0)), (2, -0.4));
}

fn signed(author: &Keypair, seqno: u64) -> Message {
    Message::signed(author, seqno, &topic(), "x").unwrap()
}

/// How many of some messages are judged, each after the one before was accepted and is forgotten.
fn judged_of(max_authors: usize, seqnos: &[u64]) -> (u64, u64) {
    let mut params = Params::default();
    params.max_authors = max_authors;
    let mut rig = Rig::with(params, SignaturePolicy::StrictSign);
    rig.follow(true);
    rig.connect(0, 0, true);
    let author = Keypair::generate();
    for seqno in seqnos {
        rig.message(0, &signed(&author, *seqno));
        if !rig.jobs.is_empty() {
            rig.accept();
        }
        rig.wait(121);
    }
    let counts = rig.counts();
    (counts.accepted, counts.old)
}

#[test]
fn an_old_message_does_not_come_back() {
    let base = 1 << 60;
    let seqnos = [base, base, base + 2, base + 1, base + 3];
    assert_eq!(judged_of(10, &seqnos), (3, 2));
    assert_eq!(judged_of(0, &seqnos), (5, 0), "unless it is set");
}

#[test]
fn messages_that_are_verified_at_once_may_pass_each_other() {
    let mut params = Params::default();
    params.max_authors = 10;
    let mut rig = Rig::with(params, SignaturePolicy::StrictSign);
    rig.follow(true);
    rig.connect(0, 0, true);
    let author = Keypair::generate();
    rig.message(0, &signed(&author, 1 << 60));
    rig.message(0, &signed(&author, (1 << 60) + 1));
    let jobs = std::mem::take(&mut rig.jobs);
    for (token, _) in jobs.into_iter().rev() {
        let output = Some(Output::Checked(Ok(Validation::Accept)));
        rig.feed(Input::Ran { token, output });
    }
    assert_eq!((rig.counts().accepted, rig.counts().old), (2, 0));
}

#[test]
fn a_forged_number_blocks_nobody() {
    let mut params = Params::default();
    params.max_authors = 10;
    let mut rig = Rig::with(params, SignaturePolicy::StrictSign);
    rig.follow(true);
    rig.connect(0, 0, true);
    let author = Keypair::generate();
    rig.message(0, &signed(&author, u64::MAX));
    let forged = sinew_gossipsub::SignatureError::Invalid(author.peer_id());
    rig.settle(Output::Checked(Err(forged)));
    rig.message(0, &signed(&author, 1 << 60));
    rig.accept();
    assert_eq!((rig.counts().accepted, rig.counts().old), (1, 0));
}

#[test]
fn a_block_ends_by_itself() {
    let mut rig = Rig::among(1, Params::default());
    rig.call(Command::Block(peer(0), Duration::from_secs(30)));
    rig.opened(0, 0, None);
    rig.message(0, &message("1"));
    rig.wait(29);
    rig.message(0, &message("2"));
    assert!(rig.jobs.is_empty());
    rig.wait(1);
    assert_eq!(
        rig.resets,
        [inbound(0), inbound(0)],
        "it is to say again what it follows"
    );
    rig.opened(0, 0, None);
    rig.message(0, &message("2"));
    assert_eq!(rig.jobs.len(), 1);
}

#[test]
fn a_score_is_told_by_what_it_is_made_of() {
    let mut rig = Rig::among(2, judged());
    rig.judge(1, -3.0);
    let Reply::ScoreReports(reports) = rig.call(Command::ScoreReports) else {
        panic!("another reply")
    };
    let scores: Vec<_> = reports
        .iter()
        .map(|(peer, report)| (*peer, report.app, report.total()))
        .collect();
    assert_eq!(scores, [(peer(0), 0.0, 0.0), (peer(1), -3.0, -3.0)]);
    rig.come(2, true);
    let Reply::Scores(scores) = rig.call(Command::Scores) else {
        panic!("another reply")
    };
    assert_eq!(scores.len(), 2, "who is connected and says nothing has none");
    let mut rig = Rig::among(2, Params::default());
    assert_eq!(rig.call(Command::ScoreReports), Reply::ScoreReports(vec![]));
}

#[test]
fn numbers_that_contradict_each_other_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    let mut none = Params::default();
    none.mesh = Mesh {
        target: 0,
        low: 0,
        high: 0,
        score: 0,
        outbound: 0,
    };
    assert_eq!(none.check(), Ok(()), "a bootstrapper has no mesh");
    let changes: [fn(&mut Params); 6] = [
        |params| params.mesh.high = 5,
        |params| params.mesh.outbound = 4,
        |params| params.history_gossip = 6,
        |params| params.heartbeat = Duration::ZERO,
        |params| params.gossip_factor = 2.0,
        |params| {
            let mut score = ScoreParams::default();
            score.thresholds.graylist = 0.0;
            params.score = Some(score);
        },
    ];
    for change in changes {
        let mut params = Params::default();
        change(&mut params);
        assert!(params.check().is_err(), "{params:?}");
    }
}
