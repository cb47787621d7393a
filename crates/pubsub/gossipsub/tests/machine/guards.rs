//! What keeps bad peers away.

use super::{Command, Params, Reply, Rig, judged, message, peer};

#[test]
fn what_a_peer_does_not_take_in_time_counts_against_it() {
    let mut rig = Rig::among(1, judged());
    rig.stuck = Some(0);
    for data in ["taken", "waits", "waits too"] {
        rig.publish(&message(data));
    }
    rig.wait(6);
    assert_eq!((rig.counts().unsent, rig.score(0)), (0, 0.0), "nobody looked yet");
    rig.publish(&message("later"));
    assert_eq!((rig.counts().unsent, rig.score(0)), (2, -0.4));
    rig.wait(1);
    assert!(rig.score(0) > -0.4, "it fades");
}

#[test]
fn what_there_is_no_room_for_counts_against_a_peer() {
    let mut rig = Rig::among(1, judged());
    rig.stuck = Some(0);
    let large = "x".repeat(1 << 20);
    for n in 0..6 {
        rig.publish(&message(&format!("{n}{large}")));
    }
    // One has left, three wait.
    assert_eq!((rig.counts().unsent, rig.score(0)), (2, -0.4));
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
    let mut rig = Rig::among(2, Params::default());
    assert_eq!(rig.call(Command::ScoreReports), Reply::ScoreReports(vec![]));
}
