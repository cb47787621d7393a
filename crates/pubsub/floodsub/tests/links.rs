//! Streams and peers as they come and go, in the orders in which a driver may tell of them.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use sinew_floodsub::{Machine, Message, MessageId, Rpc, SignaturePolicy};
use sinew_identity::{Keypair, PeerId};
use sinew_machine::{
    BUDGET, Effect, EffectsOf, Input, Instant, PeerMachine, PeerState, StreamInput, StreamKey, Token,
};
use std::{sync::Arc, time::Duration};

const IN: StreamKey = StreamKey(1);
const OUT: StreamKey = StreamKey(2);

struct Rig {
    machine: Machine,
    now: Instant,
    peer: PeerId,
}

impl Rig {
    fn new() -> Self {
        let local = Keypair::generate().peer_id();
        let policy = SignaturePolicy::StrictNoSign;
        Self {
            machine: Machine::new(local, policy, Arc::new(MessageId::of)),
            now: Instant(1),
            peer: PeerId::random(),
        }
    }

    fn stream(&mut self, input: StreamInput<Rpc>) -> EffectsOf<Machine> {
        let mut effects = EffectsOf::<Machine>::new();
        self.machine.handle(self.now, Input::Stream(input), &mut effects);
        effects
    }

    fn state(&mut self, connected: bool, speaks: bool) -> EffectsOf<Machine> {
        let mut effects = EffectsOf::<Machine>::new();
        let state = PeerState {
            peer: self.peer,
            connected,
            speaks,
            outbound: true,
            ips: Arc::default(),
        };
        self.machine.handle(self.now, Input::Peer(state), &mut effects);
        effects
    }

    fn opened(&mut self, stream: StreamKey, token: Option<Token>) {
        let (peer, protocol) = (self.peer, 0);
        self.stream(StreamInput::Opened {
            stream,
            peer,
            protocol,
            token,
        });
    }

    /// When the stream is opened again, if it is within an hour.
    fn reopening(&mut self) -> Option<Token> {
        let end = self.now + Duration::from_secs(3600);
        self.now = self.machine.deadline().filter(|due| *due <= end)?;
        let mut effects = EffectsOf::<Machine>::new();
        self.machine.handle(self.now, Input::Timeout, &mut effects);
        token(&effects)
    }

    fn peers(&self) -> String {
        let debug = format!("{:?}", self.machine);
        let (_, peers) = debug.split_once("peers: ").unwrap();
        peers.split(',').next().unwrap().to_owned()
    }
}

fn token(effects: &EffectsOf<Machine>) -> Option<Token> {
    effects.iter().find_map(|effect| match effect {
        Effect::Open { token, .. } => Some(*token),
        _ => None,
    })
}

#[test]
fn nothing_is_left_of_a_peer_that_was_silenced_after_it_had_gone() {
    let mut rig = Rig::new();
    rig.state(true, false);
    rig.opened(IN, None);
    // It has gone; what it said before that is still on its way.
    rig.state(false, false);
    let message = Message::anonymous(&"unknown".parse().unwrap(), "x");
    let mut resets = 0;
    for _ in 0..=BUDGET {
        let rpc = Rpc {
            publish: vec![message.clone()],
            ..Rpc::default()
        };
        let effects = rig.stream(StreamInput::Message {
            stream: IN,
            message: rpc,
        });
        resets += effects.len();
    }
    assert_eq!(resets, 1);
    rig.stream(StreamInput::Closed { stream: IN });
    assert_eq!(rig.peers(), "0");
}

#[test]
fn a_stream_that_ends_now_and_then_is_opened_for_ever() {
    let mut rig = Rig::new();
    let mut opening = token(&rig.state(true, true));
    for _ in 0..20 {
        rig.opened(OUT, Some(opening.expect("opened again")));
        rig.now = rig.now + Duration::from_secs(601);
        rig.stream(StreamInput::Closed { stream: OUT });
        opening = rig.reopening();
    }
    for _ in 0..4 {
        rig.opened(OUT, Some(opening.expect("opened again")));
        rig.stream(StreamInput::Closed { stream: OUT });
        opening = rig.reopening();
    }
    assert_eq!(opening, None, "too often in a short time");
}
