//! The score function, part by part.

use super::Scores;
use crate::{Params, ScoreParams, TopicParams, TopicScore};
use sinew_floodsub::Topic;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::{sync::Arc, time::Duration};

fn topic() -> Topic {
    "a".parse().expect("a topic")
}

/// All weights are zero but those that `change` sets; half is left after each second.
fn scores(change: impl FnOnce(&mut ScoreParams, &mut TopicScore)) -> (Scores, PeerId) {
    let mut global = ScoreParams {
        app_weight: 0.0,
        ip_weight: 0.0,
        behaviour_weight: 0.0,
        behaviour_decay: 0.5,
        slow_peer_decay: 0.5,
        topic_cap: 0.0,
        ..ScoreParams::default()
    };
    let mut topic_score = TopicScore {
        weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        invalid_message_deliveries_weight: 0.0,
        invalid_message_deliveries_decay: 0.5,
        ..TopicScore::default()
    };
    change(&mut global, &mut topic_score);
    let mut params = Params {
        score: Some(global),
        ..Params::default()
    };
    let scored = TopicParams {
        score: Some(topic_score),
        ..TopicParams::default()
    };
    params.topics.insert(topic(), scored);
    params.check().expect("sound");
    let (mut scores, peer) = (Scores::new(Arc::new(params)), PeerId::random());
    scores.connected(at(0), peer, &[]);
    scores.decay(at(1));
    (scores, peer)
}

fn at(secs: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(secs)
}

#[test]
fn time_in_the_mesh_counts_up_to_a_cap() {
    let (mut scores, peer) = scores(|_, topic| {
        topic.time_in_mesh_weight = 2.0;
        topic.time_in_mesh_quantum = Duration::from_secs(2);
        topic.time_in_mesh_cap = 3.0;
    });
    scores.grafted(at(1), &peer, &topic());
    for (secs, score) in [(2, 0.0), (3, 2.0), (6, 4.0), (7, 6.0), (60, 6.0)] {
        scores.decay(at(secs));
        assert_eq!(scores.of(&peer), score, "after {secs} s");
    }
    scores.pruned(&peer, &topic());
    assert_eq!(scores.of(&peer), 0.0);
}

#[test]
fn first_deliveries_count_up_to_a_cap_and_fade() {
    let (mut scores, peer) = scores(|_, topic| {
        topic.first_message_deliveries_weight = 1.0;
        topic.first_message_deliveries_cap = 8.0;
    });
    (0..10).for_each(|_| scores.delivered_first(&peer, &topic()));
    assert_eq!(scores.of(&peer), 8.0);
    scores.decay(at(3));
    assert_eq!(scores.of(&peer), 2.0);
    scores.decay(at(9));
    assert_eq!(scores.of(&peer), 0.0, "what is little is nothing");
}

#[test]
fn a_peer_of_the_mesh_that_brings_too_little_is_punished_and_that_sticks() {
    let (mut scores, peer) = scores(|_, topic| {
        topic.mesh_message_deliveries_weight = -1.0;
        topic.mesh_message_deliveries_threshold = 4.0;
        topic.mesh_message_deliveries_activation = Duration::from_secs(2);
        topic.mesh_failure_penalty_weight = -10.0;
    });
    scores.delivered_first(&peer, &topic());
    scores.grafted(at(1), &peer, &topic());
    scores.decay(at(3));
    assert_eq!(scores.of(&peer), 0.0, "not yet");
    scores.decay(at(4));
    assert_eq!(scores.of(&peer), -16.0, "what it brought before does not count");
    (0..3).for_each(|_| scores.delivered(&peer, &topic()));
    assert_eq!(scores.of(&peer), -1.0);
    scores.pruned(&peer, &topic());
    assert_eq!(scores.of(&peer), -10.0);
    scores.pruned(&peer, &topic());
    assert_eq!(scores.of(&peer), -10.0, "once");
    scores.decay(at(5));
    assert_eq!(scores.of(&peer), -5.0);
}

#[test]
fn invalid_messages_and_misbehaviour_count_as_squares() {
    let (mut scores, peer) = scores(|global, topic| {
        topic.invalid_message_deliveries_weight = -1.0;
        global.behaviour_weight = -2.0;
        global.behaviour_threshold = 1.0;
    });
    (0..4).for_each(|_| scores.delivered_invalid(&peer, &topic()));
    assert_eq!(scores.of(&peer), -16.0);
    scores.penalise(&peer, 3);
    assert_eq!(scores.of(&peer), -24.0);
    scores.decay(at(2));
    assert_eq!(scores.of(&peer), -4.5);
}

#[test]
fn peers_behind_one_address_are_too_many() {
    let (mut scores, peer) = scores(|global, _| {
        global.ip_weight = -1.0;
        global.ip_threshold = 2;
    });
    let others = [PeerId::random(), PeerId::random(), PeerId::random()];
    let ip = |text: &str| text.parse().expect("an address");
    scores.set_addrs(peer, &[ip("2001:db8::1")]);
    for (n, other) in (2..).zip(others) {
        scores.connected(at(1), other, &[ip(&format!("2001:db8::{n}"))]);
    }
    assert_eq!(scores.of(&peer), -4.0, "four in one /64");
    scores.set_addrs(others[0], &[ip("192.0.2.1")]);
    assert_eq!((scores.of(&peer), scores.of(&others[0])), (-1.0, 0.0));
    [peer, others[1], others[2]]
        .iter()
        .for_each(|peer| scores.set_addrs(*peer, &[ip("127.0.0.1")]));
    assert_eq!(scores.of(&peer), 0.0);
}

#[test]
fn topics_have_a_cap_and_the_application_has_a_say() {
    let (mut scores, peer) = scores(|global, topic| {
        global.topic_cap = 3.0;
        global.app_weight = 2.0;
        topic.first_message_deliveries_weight = 1.0;
    });
    (0..10).for_each(|_| scores.delivered_first(&peer, &topic()));
    assert_eq!(scores.of(&peer), 3.0);
    assert!(scores.set_app(peer, -5.0) && !scores.set_app(peer, f64::NAN));
    assert_eq!(scores.of(&peer), -7.0);
}

#[test]
fn what_the_application_thinks_is_there_before_a_peer_and_when_it_comes_back() {
    let (mut scores, _) = scores(|global, _| global.app_weight = 2.0);
    let peer = PeerId::random();
    assert!(scores.set_app(peer, 3.0));
    for start in [1, 2] {
        scores.connected(at(start), peer, &[]);
        assert_eq!(scores.of(&peer), 6.0);
        scores.disconnected(at(start), peer);
    }
    scores.connected(at(3), peer, &[]);
    scores.set_app(peer, 0.0);
    assert_eq!((scores.of(&peer), scores.app.len()), (0.0, 0));
}

#[test]
fn a_bad_score_is_remembered_and_a_good_one_is_not() {
    let (mut scores, peer) = scores(|global, topic| {
        topic.invalid_message_deliveries_weight = -1.0;
        topic.first_message_deliveries_weight = 1.0;
        global.retain = Duration::from_secs(10);
    });
    scores.delivered_first(&peer, &topic());
    scores.disconnected(at(1), peer);
    assert!(scores.peers.is_empty() && scores.retained.is_empty());
    scores.connected(at(1), peer, &[]);
    (0..2).for_each(|_| scores.delivered_invalid(&peer, &topic()));
    scores.disconnected(at(1), peer);
    scores.decay(at(10));
    assert_eq!(scores.of(&peer), -4.0, "nothing fades meanwhile");
    scores.connected(at(10), peer, &[]);
    scores.disconnected(at(10), peer);
    scores.decay(at(19));
    assert_eq!(scores.of(&peer), -4.0);
    scores.decay(at(20));
    assert!(scores.peers.is_empty() && scores.retained.is_empty());
}

#[test]
fn nobody_is_judged_unless_that_is_wanted() {
    let (mut scores, peer) = (Scores::new(Arc::new(Params::default())), PeerId::random());
    scores.connected(at(0), peer, &[]);
    scores.penalise(&peer, 9);
    scores.delivered_invalid(&peer, &topic());
    assert_eq!((scores.of(&peer), scores.peers.len()), (0.0, 0));
}

#[test]
fn a_peer_that_takes_nothing_in_time_loses_a_little_for_each_message() {
    let (mut scores, peer) = scores(|global, _| {
        global.slow_peer_weight = -0.25;
        global.slow_peer_threshold = 2.0;
    });
    scores.was_slow(&peer, 2);
    assert_eq!(scores.of(&peer), 0.0, "up to the threshold");
    scores.was_slow(&peer, 8);
    assert_eq!(scores.of(&peer), -2.0, "not squared");
    scores.decay(at(2));
    assert_eq!(scores.of(&peer), -0.75);
    scores.decay(at(9));
    assert_eq!(scores.of(&peer), 0.0);
}

#[test]
fn an_old_score_is_forgotten_though_nothing_happened_meanwhile() {
    let (mut scores, peer) = scores(|global, _| {
        global.behaviour_weight = -1.0;
        global.retain = Duration::from_secs(10);
    });
    scores.penalise(&peer, 2);
    scores.disconnected(at(1), peer);
    scores.connected(at(10), peer, &[]);
    assert_eq!(scores.of(&peer), -4.0);
    scores.disconnected(at(10), peer);
    scores.connected(at(20), peer, &[]);
    assert_eq!(scores.of(&peer), 0.0);
}

#[test]
fn who_comes_after_a_rest_is_not_forgiven_for_it() {
    let (mut scores, peer) = scores(|global, _| global.behaviour_weight = -1.0);
    scores.penalise(&peer, 2);
    scores.disconnected(at(1), peer);
    scores.rest();
    scores.connected(at(100), peer, &[]);
    scores.decay(at(100));
    assert_eq!(scores.of(&peer), -4.0);
    scores.decay(at(101));
    assert_eq!(scores.of(&peer), -1.0);
}

#[test]
fn a_report_adds_up_to_the_score() {
    let (mut scores, peer) = scores(|global, topic| {
        global.topic_cap = 1.0;
        global.app_weight = 2.0;
        global.ip_weight = -1.0;
        global.ip_threshold = 1;
        global.behaviour_weight = -1.0;
        global.slow_peer_weight = -0.5;
        topic.weight = 0.5;
        topic.first_message_deliveries_weight = 4.0;
        topic.invalid_message_deliveries_weight = -1.0;
    });
    let ip = "192.0.2.1".parse().expect("an address");
    scores.connected(at(1), PeerId::random(), &[ip]);
    scores.set_addrs(peer, &[ip]);
    scores.delivered_first(&peer, &topic());
    (0..2).for_each(|_| scores.delivered_first(&peer, &topic()));
    (0..2).for_each(|_| scores.delivered_invalid(&peer, &topic()));
    scores.set_app(peer, 3.0);
    scores.penalise(&peer, 3);
    scores.was_slow(&peer, 4);
    let report = scores.report(&peer).expect("it is known");
    let topic = report.by_topic[&topic()];
    assert_eq!((topic.first_deliveries, topic.invalid_deliveries), (6.0, -2.0));
    assert_eq!((topic.total(), report.topics), (4.0, 1.0), "there is a cap");
    assert_eq!((report.app, report.colocation), (6.0, -1.0));
    assert_eq!((report.behaviour, report.slow_peer), (-9.0, -2.0));
    assert_eq!(report.total(), scores.of(&peer));
    assert_eq!(scores.report(&PeerId::random()), None);
}

#[test]
fn a_score_is_added_up_once_until_something_changes() {
    let (mut scores, peer) = scores(|global, topic| {
        global.app_weight = 1.0;
        global.behaviour_weight = -1.0;
        global.slow_peer_weight = -1.0;
        global.ip_weight = -1.0;
        global.ip_threshold = 1;
        topic.time_in_mesh_weight = 1.0;
        topic.first_message_deliveries_weight = 1.0;
        topic.invalid_message_deliveries_weight = -1.0;
        topic.mesh_message_deliveries_weight = -1.0;
        topic.mesh_message_deliveries_activation = Duration::from_secs(1);
    });
    let other = PeerId::random();
    let ip = ["192.0.2.1".parse().expect("an address")];
    let changes: [fn(&mut Scores, &PeerId); 9] = [
        |scores, peer| scores.penalise(peer, 2),
        |scores, peer| scores.was_slow(peer, 1),
        |scores, peer| assert!(scores.set_app(*peer, 7.0)),
        |scores, peer| scores.delivered_first(peer, &topic()),
        |scores, peer| scores.delivered_invalid(peer, &topic()),
        |scores, peer| scores.grafted(at(1), peer, &topic()),
        |scores, _| scores.decay(at(5)),
        |scores, peer| scores.delivered(peer, &topic()),
        |scores, peer| scores.pruned(peer, &topic()),
    ];
    let added_up = |scores: &Scores| scores.report(&peer).map_or(0.0, |report| report.total());
    for (n, change) in changes.iter().enumerate() {
        let before = scores.of(&peer);
        change(&mut scores, &peer);
        assert_eq!(scores.of(&peer), added_up(&scores), "after change {n}");
        let same = n == 5;
        assert_eq!(scores.of(&peer) == before, same, "change {n} is one");
    }
    scores.set_addrs(peer, &ip);
    let alone = scores.of(&peer);
    scores.connected(at(5), other, &ip);
    assert_eq!(scores.of(&peer), alone - 1.0, "somebody shares its address");
    scores.set_addrs(other, &[]);
    assert_eq!(scores.of(&peer), alone);
    // What nobody told it of is not looked at again.
    let stats = scores.peers.get_mut(&peer).expect("known");
    stats.behaviour += 1.0;
    assert_eq!(scores.of(&peer), alone);
    assert_ne!(added_up(&scores), alone);
    scores.disconnected(at(5), peer);
    assert_eq!(scores.of(&peer), added_up(&scores));
}
