//! The driver, with a machine that notes what it is told.

use super::{Dialling, Network, World};
use crate::message::peer;
use bytes::Bytes;
use sinew_machine::{
    CloseCode, Effect, EffectsOf, Input, InputOf, Instant, PeerMachine, Rng, StreamInput, Token,
};
use std::{net::Ipv4Addr, time::Duration};

const LATENCY: Duration = Duration::from_millis(50);

/// Opens a stream to whoever speaks, writes two frames, and notes the time and the kind of its inputs.
#[derive(Default)]
struct Noter {
    notes: Vec<(u64, &'static str)>,
    frames: usize,
}

impl PeerMachine for Noter {
    type Command = ();
    type Reply = ();
    type Message = Bytes;
    type Event = ();
    type Job = ();
    type Output = ();

    fn handle(&mut self, now: Instant, input: InputOf<Self>, out: &mut EffectsOf<Self>) {
        let note = match input {
            Input::Timeout => "timeout",
            Input::Call { call, .. } => {
                out.push(Effect::Return { call, reply: () });
                "call"
            }
            Input::Peer(state) if !state.connected => "gone",
            Input::Peer(state) if !state.speaks => "connected",
            Input::Peer(state) => {
                if state.outbound {
                    let (token, peer) = (Token(1), state.peer);
                    out.push(Effect::Open { token, peer });
                }
                "speaks"
            }
            Input::Ran { .. } => "ran",
            Input::Stream(StreamInput::Opened { stream, token, .. }) => {
                if token.is_some() {
                    let frame = Bytes::from_static(&[0; 1000]);
                    out.push(Effect::Send { stream, frame });
                }
                "opened"
            }
            Input::Stream(StreamInput::OpenFailed { .. }) => "failed",
            Input::Stream(StreamInput::Message { .. }) => "message",
            Input::Stream(StreamInput::Writable { stream }) => {
                self.frames += 1;
                if self.frames < 2 {
                    let frame = Bytes::from_static(&[0; 1000]);
                    out.push(Effect::Send { stream, frame });
                }
                "writable"
            }
            Input::Stream(StreamInput::Closed { .. }) => "closed",
            Input::Stream(StreamInput::Malformed { .. }) => "malformed",
        };
        self.notes.push(((now - Instant::ZERO).as_millis() as u64, note));
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

struct Nothing;

impl World<Noter> for Nothing {
    fn agree(&self, _: usize, _: usize) -> Option<(usize, usize)> {
        Some((0, 0))
    }

    fn decode(&mut self, _: Instant, _: (usize, usize), frame: &Bytes) -> Option<Bytes> {
        Some(frame.clone())
    }

    fn work(&mut self, _: usize, (): ()) -> ((), Duration) {
        ((), Duration::ZERO)
    }

    fn emit(&mut self, _: Instant, _: usize, (): ()) {}

    fn reset(&mut self, _: usize, _: usize, _: CloseCode) {}
}

/// Two nodes of which the first dials the second; a frame of 1,000 bytes leaves in 10 ms.
fn two() -> Network<Noter, Nothing> {
    let dialling = Dialling {
        redial: Duration::from_secs(2),
        notice: Duration::from_secs(5),
        lasts: None,
    };
    let mut network = Network::new(Nothing, dialling, 1);
    let mut rng = Rng::new(1);
    for place in 0..2 {
        network.add(peer(&mut rng, place), Ipv4Addr::LOCALHOST, 800_000);
    }
    network.contact(0, 1, LATENCY);
    network.contact(1, 0, LATENCY);
    network.start(0, Noter::default());
    network.start(1, Noter::default());
    network
}

fn notes(network: &Network<Noter, Nothing>, node: usize) -> &[(u64, &'static str)] {
    &network.machine(node).expect("up").notes
}

#[test]
fn frames_take_their_time() {
    let mut network = two();
    network.run_until(Instant::ZERO + Duration::from_secs(1));
    let writer = [
        (300, "connected"),
        (400, "speaks"),
        (500, "opened"),
        (510, "writable"),
        (520, "writable"),
    ];
    assert_eq!(notes(&network, 0), writer);
    let reader = [
        (300, "connected"),
        (400, "speaks"),
        (450, "opened"),
        (560, "message"),
        (570, "message"),
    ];
    assert_eq!(notes(&network, 1), reader);
}

#[test]
fn streams_end_before_their_peer_is_gone_and_a_contact_is_dialled_again() {
    let mut network = two();
    network.run_until(Instant::ZERO + Duration::from_secs(1));
    assert!(network.stop(1).is_some() && network.call(1, ()).is_none());
    network.run_until(Instant::ZERO + Duration::from_secs(7));
    assert_eq!(notes(&network, 0)[5..], [(6000, "closed"), (6000, "gone")]);
    network.start(1, Noter::default());
    network.run_until(Instant::ZERO + Duration::from_secs(9));
    assert_eq!(notes(&network, 0)[7], (8000, "connected"));
    assert_eq!(notes(&network, 1)[0], (8000, "connected"));
}

#[test]
fn nothing_crosses_a_partition() {
    let mut network = two();
    network.run_until(Instant::ZERO + Duration::from_millis(505));
    network.set_side(1, 1);
    network.run_until(Instant::ZERO + Duration::from_secs(20));
    assert!(notes(&network, 1).iter().all(|(_, note)| *note != "message"));
    assert_eq!(network.neighbours(0).count(), 0);
    network.set_side(1, 0);
    network.run_until(Instant::ZERO + Duration::from_secs(23));
    assert_eq!(network.neighbours(0).collect::<Vec<_>>(), [1]);
}
