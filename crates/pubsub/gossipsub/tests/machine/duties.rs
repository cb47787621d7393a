//! When the machine wants to be called.

use super::{Effects, Machine, Params, Rig, V11, message, outbound, peer};
use sinew_machine::{Effect, Input, Instant, PeerMachine, PeerState, StreamInput};
use std::{sync::Arc, time::Duration};

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
    rig.feed(Input::Stream(StreamInput::Closed { stream: outbound(1) }));
    rig.feed(Input::Stream(StreamInput::Closed {
        stream: super::inbound(1),
    }));
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
        super::SignaturePolicy::StrictNoSign,
        Arc::new(super::MessageId::of),
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
