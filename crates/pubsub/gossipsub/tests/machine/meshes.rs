//! Who comes into a mesh and who leaves it.

use crate::rig::{FLOODSUB, Rig, V10, V11, V12, V13, judged, message, peer, peers, topic};
use sinew_floodsub::{Control, IHave, OtherPeer, Prune, SubOpts};
use sinew_gossipsub::{Command, Job, Mesh, MessageId, Output, Params, Reply};
use sinew_machine::{CallId, Input};
use std::collections::BTreeSet;

#[test]
fn a_mesh_is_filled_up_to_its_degree() {
    let mut rig = Rig::new(Params::default());
    for n in 0..4 {
        rig.connect(n, V11, true);
    }
    rig.follow(true);
    assert_eq!((rig.mesh(), rig.grafted()), (peers(0..4), peers(0..4)), "at once");
    for n in 4..20 {
        rig.connect(n, V11, true);
    }
    assert_eq!(rig.mesh().len(), 4);
    rig.wait(1);
    assert_eq!(rig.mesh().len(), 6);
    let grafted = rig.grafted();
    assert!(grafted.len() == 2 && grafted.is_subset(&rig.mesh()));
    rig.wait(60);
    assert!(rig.grafted().is_empty(), "it stays");
}

#[test]
fn peers_without_a_mesh_are_in_none() {
    let mut rig = Rig::new(Params::default());
    rig.connect(0, FLOODSUB, true);
    rig.connect(1, V10, true);
    rig.follow(true);
    rig.wait(5);
    assert_eq!(rig.mesh(), peers(1..2));
    rig.said.clear();
    rig.connect(2, V12, true);
    let message = message("x");
    rig.message(2, &message);
    rig.accept();
    assert_eq!(
        rig.receivers(),
        peers(0..2),
        "all the same they are sent everything"
    );
}

#[test]
fn a_mesh_that_is_too_large_keeps_the_best_and_those_that_we_dialled() {
    let mut params = judged();
    params.mesh.outbound = 2;
    let mut rig = Rig::new(params);
    rig.follow(true);
    for n in 0..16 {
        // Only two were dialled by us; three have a good score.
        rig.connect(n, V11, n >= 14);
        rig.graft(n);
        rig.judge(n, if n < 4 { 5.0 } else { 0.0 });
    }
    let grafted: BTreeSet<_> = peers(0..12).union(&peers(14..16)).copied().collect();
    assert_eq!(rig.mesh(), grafted);
    assert_eq!(rig.pruned().len(), 2, "a full mesh takes nobody who dialled us");
    rig.wait(1);
    let mesh = rig.mesh();
    assert_eq!(mesh.len(), 6);
    assert!(
        mesh.is_superset(&peers(0..4)) && mesh.is_superset(&peers(14..16)),
        "{mesh:?}"
    );
    let pruned = rig.pruned();
    assert_eq!(pruned.len(), 8);
    assert!(
        pruned
            .iter()
            .all(|(_, prune)| prune.backoff == Some(60) && prune.peers.is_empty())
    );
}

#[test]
fn few_that_we_dialled_become_more() {
    let mut rig = Rig::new(Params::default());
    for n in 0..6 {
        rig.connect(n, V11, false);
    }
    rig.follow(true);
    assert_eq!(rig.mesh().len(), 6);
    for n in 6..9 {
        rig.connect(n, V11, true);
    }
    rig.wait(1);
    let dialled: BTreeSet<_> = rig.mesh().intersection(&peers(6..9)).copied().collect();
    assert_eq!((rig.mesh().len(), dialled.len()), (8, 2));
}

#[test]
fn a_graft_is_taken_once_and_not_before_its_time() {
    let mut rig = Rig::among(0, judged());
    rig.connect(0, V11, true);
    rig.said.clear();
    rig.graft(0);
    assert_eq!((rig.mesh(), rig.pruned()), (peers(0..1), vec![]));
    let prune = Prune {
        topic: topic(),
        peers: vec![],
        backoff: Some(30),
    };
    rig.control(
        0,
        Control {
            prune: vec![prune],
            ..Control::default()
        },
    );
    assert!(rig.mesh().is_empty());
    rig.wait(25);
    assert!(rig.grafted().is_empty(), "we keep to it");
    rig.graft(0);
    let pruned = rig.pruned();
    assert_eq!((pruned.len(), rig.mesh().len()), (1, 0));
    assert!(rig.score(0) < 0.0, "too early");
    rig.wait(60);
    assert!(rig.grafted().is_empty(), "its own graft extends the time");
    rig.wait(20);
    assert_eq!(rig.grafted(), peers(0..1));
}

#[test]
fn a_graft_of_who_is_bad_or_explicit_or_of_what_we_do_not_follow_is_refused() {
    let mut params = judged();
    params.explicit.insert(peer(1));
    let mut rig = Rig::among(0, params);
    for n in 0..3 {
        rig.connect(n, V11, true);
    }
    rig.judge(0, -1.0);
    rig.wait(1);
    rig.said.clear();
    rig.graft(0);
    rig.graft(1);
    let refused: Vec<_> = rig.pruned().into_iter().map(|(peer, _)| peer).collect();
    assert_eq!(refused, [peer(0), peer(1)]);
    assert_eq!(rig.mesh(), peers(2..3));
    let graft = vec!["unknown".parse().unwrap()];
    rig.control(
        2,
        Control {
            graft,
            ..Control::default()
        },
    );
    assert!(rig.pruned().is_empty(), "nobody is told what we do not follow");
}

#[test]
fn leaving_prunes_the_mesh_with_a_short_back_off() {
    let mut rig = Rig::among(3, Params::default());
    rig.follow(false);
    let said = std::mem::take(&mut rig.said);
    for rpcs in said.values() {
        assert_eq!(rpcs[0].control.prune[0].backoff, Some(10));
        assert_eq!(rpcs[0].subscriptions, [SubOpts::new(topic(), false)]);
    }
    assert_eq!(said.len(), 3);
    rig.follow(true);
    assert!(rig.mesh().is_empty());
    rig.wait(28);
    assert_eq!(rig.mesh().len(), 3);
}

#[test]
fn who_leaves_for_good_waits_until_peers_were_told() {
    let mut rig = Rig::among(2, Params::default());
    rig.stuck.insert(0);
    rig.publish(&message("on its way"));
    rig.said.clear();
    let (call, command) = (CallId(7), Command::Leave);
    assert_eq!(rig.feed(Input::Call { call, command }), None);
    assert_eq!(rig.pruned().len(), 1);
    assert_eq!(rig.take(0), None);
    let (to, prune) = rig.pruned().remove(0);
    assert_eq!((to, prune.backoff), (peer(0), Some(10)));
    assert_eq!(rig.take(0), Some(Reply::Done));
}

#[test]
fn a_peer_of_the_first_version_is_told_no_back_off() {
    let mut rig = Rig::among(0, Params::default());
    rig.connect(0, V10, true);
    rig.wait(1);
    rig.said.clear();
    rig.follow(false);
    assert_eq!(rig.pruned()[0].1.backoff, None);
}

#[test]
fn a_peer_that_is_pruned_is_told_of_others() {
    let mut params = Params::default();
    params.exchange_peers = true;
    params.mesh = Mesh {
        target: 2,
        low: 2,
        high: 2,
        score: 1,
        outbound: 1,
    };
    let mut rig = Rig::new(params);
    rig.follow(true);
    for n in 0..4 {
        rig.connect(n, V11, false);
    }
    rig.wait(1);
    rig.said.clear();
    let outsider = (0..4).find(|n| !rig.mesh().contains(&peer(*n))).unwrap();
    rig.graft(outsider);
    let [(_, Job::Records(peers))] = &rig.jobs[..] else {
        panic!("{:?}", rig.jobs)
    };
    assert_eq!(peers.len(), 3);
    let peers = vec![OtherPeer {
        peer: peers[0],
        record: Some("record".into()),
    }];
    rig.settle(Output::Records(peers.clone()));
    let pruned = rig.pruned();
    assert_eq!((pruned[0].0, &pruned[0].1.peers), (peer(outsider), &peers));
}

#[test]
fn others_are_taken_from_peers_with_a_good_score_alone() {
    let mut params = judged();
    params.prune_peers = 3;
    let mut rig = Rig::among(2, params);
    rig.judge(0, 10.0);
    let others = (100..110).map(|n| OtherPeer {
        peer: peer(n),
        record: None,
    });
    let prune = Prune {
        topic: topic(),
        peers: others.collect(),
        backoff: None,
    };
    let control = Control {
        prune: vec![prune],
        ..Control::default()
    };
    rig.control(1, control.clone());
    assert!(rig.jobs.is_empty());
    rig.control(0, control);
    assert_eq!(rig.jobs.len(), 3);
    assert!(rig.jobs.iter().all(|(_, job)| matches!(job, Job::Connect(_))));
}

#[test]
fn who_comes_into_a_mesh_is_told_of_the_last_messages() {
    let mut rig = Rig::among(6, Params::default());
    assert_eq!(rig.publish(&message("1")), Some(6));
    rig.connect(6, V13, true);
    rig.said.clear();
    rig.graft(6);
    let ids = vec![MessageId::of(&message("1"))];
    let told = (peer(6), IHave { topic: topic(), ids });
    assert_eq!(rig.heard(|rpc| rpc.control.ihave.clone()), [told]);
}

#[test]
fn better_peers_join_a_mesh_of_bad_ones() {
    let mut params = judged();
    params.opportunistic_graft_ticks = 10;
    let mut rig = Rig::among(6, params);
    for n in 6..12 {
        rig.connect(n, V11, true);
        rig.judge(n, 5.0);
    }
    rig.wait(5);
    assert_eq!(rig.mesh(), peers(0..6));
    rig.wait(6);
    assert_eq!(rig.mesh().intersection(&peers(6..12)).count(), 2);
}
