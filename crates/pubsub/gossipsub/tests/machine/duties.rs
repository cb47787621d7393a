//! What the machine tells whoever closes connections, and when it wants to be called.

use crate::rig::{Effects, Rig, V11, inbound, message, outbound, peer, topic};
use sinew_floodsub::Control;
use sinew_gossipsub::{Command, Machine, MessageId, Params, SignaturePolicy};
use sinew_machine::{Effect, Input, Instant, PeerMachine, PeerState, Weight};
use std::{sync::Arc, time::Duration};

const MESH: &str = "gossipsub mesh";
const DELIVERIES: &str = "gossipsub deliveries";

fn keeps(rig: &mut Rig) -> Vec<(u8, &'static str, Weight)> {
    let keeps = std::mem::take(&mut rig.keeps).into_iter();
    let number = |id| (0..10).find(|n| peer(*n) == id).unwrap();
    keeps.map(|(id, tag, weight)| (number(id), tag, weight)).collect()
}

#[test]
fn a_mesh_is_a_reason_to_keep_its_peers() {
    let mut rig = Rig::new(Params::default());
    rig.connect(0, V11, true);
    assert_eq!(keeps(&mut rig), []);
    rig.follow(true);
    assert_eq!(keeps(&mut rig), [(0, MESH, Weight::Some(20))]);
    let other = "b".parse().unwrap();
    rig.call(Command::Follow([topic(), other].into()));
    rig.control(
        0,
        Control {
            graft: vec!["b".parse().unwrap()],
            ..Control::default()
        },
    );
    assert_eq!(keeps(&mut rig), [(0, MESH, Weight::Some(40))], "both count");
    rig.follow(false);
    assert_eq!(keeps(&mut rig), [(0, MESH, Weight::None)]);
}

#[test]
fn messages_are_a_reason_that_fades() {
    let mut rig = Rig::among(2, Params::default());
    keeps(&mut rig);
    rig.message(0, &message("1"));
    rig.message(1, &message("1"));
    assert_eq!(keeps(&mut rig), []);
    rig.accept();
    let one = |n| (n, DELIVERIES, Weight::Some(1));
    assert_eq!(keeps(&mut rig), [one(0), one(1)], "and who brought it meanwhile");
    rig.message(1, &message("1"));
    assert_eq!(keeps(&mut rig), [], "a late copy is worth nothing");
    for n in 2..30 {
        rig.message(0, &message(&n.to_string()));
        rig.accept();
    }
    let told = keeps(&mut rig);
    assert_eq!(told.len(), 14);
    assert_eq!(
        told.last(),
        Some(&(0, DELIVERIES, Weight::Some(15))),
        "there is a cap"
    );
    rig.wait(600);
    let faded = [(0, DELIVERIES, Weight::Some(14)), (1, DELIVERIES, Weight::None)];
    assert_eq!(keeps(&mut rig), faded);
    rig.closed(outbound(0));
    let gone = [(0, MESH, Weight::None), (0, DELIVERIES, Weight::None)];
    assert_eq!(keeps(&mut rig), gone, "who is gone is forgotten");
}

#[test]
fn explicit_peers_are_protected() {
    let mut params = Params::default();
    params.explicit.insert(peer(1));
    let mut rig = Rig::among(0, params);
    rig.connect(0, V11, true);
    rig.connect(1, V11, true);
    assert_eq!(keeps(&mut rig), [(1, "gossipsub explicit", Weight::Protect)]);
    rig.closed(outbound(1));
    assert_eq!(keeps(&mut rig), [], "it stays so");
}

/// Seconds until it does not want to be called any more.
fn until_quiet(rig: &mut Rig) -> u64 {
    let quiet = (0..100).find(|_| {
        let quiet = rig.machine.deadline().is_none();
        if !quiet {
            rig.wait(1);
        }
        quiet
    });
    quiet.unwrap()
}

#[test]
fn nobody_is_no_reason_to_wake() {
    let mut rig = Rig::new(Params::default());
    assert_eq!(rig.machine.deadline(), None);
    rig.follow(true);
    assert_eq!(rig.machine.deadline(), None, "there is nobody to follow it with");
    let state = PeerState {
        peer: peer(0),
        connected: true,
        speaks: false,
        outbound: true,
        ips: Arc::default(),
    };
    rig.feed(Input::Peer(state));
    assert_eq!(
        rig.machine.deadline(),
        None,
        "who is here speaks another language"
    );
    rig.wait(1000);
    rig.connect(1, V11, true);
    assert!(rig.mesh().is_empty());
    assert_eq!(rig.machine.deadline(), Some(rig.now + Duration::from_secs(1)));
    rig.wait(1);
    assert_eq!(rig.mesh(), [peer(1)].into());
    rig.closed(outbound(1));
    rig.closed(inbound(1));
    let gone = PeerState {
        peer: peer(1),
        connected: false,
        speaks: false,
        outbound: false,
        ips: Arc::default(),
    };
    rig.feed(Input::Peer(gone));
    rig.wait(5);
    assert_eq!(rig.machine.deadline(), None);
}

#[test]
fn who_only_speaks_is_a_reason_to_wake() {
    let mut rig = Rig::new(Params::default());
    rig.opened(0, V11, None);
    rig.wait(10);
    assert_eq!(rig.machine.deadline(), Some(rig.now + Duration::from_secs(1)));
    rig.closed(inbound(0));
    rig.wait(1);
    assert_eq!(rig.machine.deadline(), None);
}

#[test]
fn what_is_to_be_forgotten_is_a_reason_to_wake() {
    let mut rig = Rig::new(Params::default());
    rig.publish(&message("x"));
    assert_eq!(until_quiet(&mut rig), 4, "until it is not announced any more");
    let mut params = Params::default();
    params.flood_publish = false;
    let mut rig = Rig::new(params);
    rig.publish(&message("x"));
    assert_eq!(until_quiet(&mut rig), 61, "until its peers are of no use");
}

#[test]
fn explicit_peers_are_a_reason_to_wake() {
    let mut params = Params::default();
    params.explicit.insert(peer(1));
    let mut machine = Machine::new(
        peer(255),
        SignaturePolicy::StrictNoSign,
        Arc::new(MessageId::of),
        params,
        7,
    );
    let due = machine.deadline().unwrap();
    assert_eq!(due, Instant::ZERO);
    let mut effects = Effects::new();
    machine.handle(due, Input::Timeout, &mut effects);
    assert!(matches!(effects[..], [Effect::Run { .. }]), "{effects:?}");
    assert_eq!(machine.deadline(), Some(due + Duration::from_secs(1)));
}
