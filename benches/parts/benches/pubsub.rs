//! RPCs of pubsub in and out, and what gossipsub's machine does with a message and with a copy of it.
#![allow(missing_docs, reason = "what the macros of criterion make has none")]

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sinew_floodsub::{Control, Rpc, SubOpts};
use sinew_gossipsub::{
    Command, Job, Machine, Message, MessageId, Output, Params, ScoreParams, SignaturePolicy, Topic,
    TopicParams, TopicScore, Validation,
};
use sinew_identity::{Keypair, PeerId};
use sinew_machine::{
    CallId, Effect, EffectsOf, Input, InputOf, Instant, PeerMachine, PeerState, StreamInput, StreamKey, Token,
};
use sinew_wire::varint;
use std::{
    hint::black_box,
    sync::Arc,
    time::{self, Duration},
};

/// The length of a message's data.
const DATA: usize = 1024;

/// Peers of the machine: all of them are in its mesh.
const PEERS: u64 = 9;

/// Peers and topics of the machine whose heartbeats are measured: all peers follow all topics.
const MANY_PEERS: u64 = 1_000;
const MANY_TOPICS: u64 = 50;

fn topic(number: u64) -> Topic {
    format!("bench {number}").parse().expect("a topic")
}

fn message(topic: &Topic, number: u64) -> Message {
    let mut data = vec![0; DATA];
    data[..8].copy_from_slice(&number.to_be_bytes());
    // The id is the sum of the data alone.
    data[8..][..topic.as_str().len()].copy_from_slice(topic.as_str().as_bytes());
    Message::anonymous(topic, data)
}

fn said(message: Message) -> Rpc {
    Rpc {
        publish: vec![message],
        ..Rpc::default()
    }
}

/// A frame without its length.
fn body(frame: &Bytes) -> Bytes {
    let (_, prefix) = varint::decode(frame).expect("sound").expect("whole");
    frame.slice(prefix..)
}

fn rpcs(c: &mut Criterion) {
    let signed = Message::signed(&Keypair::generate(), 1, &topic(0), vec![1; DATA]).expect("a key in memory");
    let idontwant = Rpc {
        control: Control {
            idontwant: vec![MessageId::of(&signed)],
            ..Control::default()
        },
        ..Rpc::default()
    };
    c.bench_function("pubsub encode, a message", |b| {
        b.iter(|| black_box(&signed).rpc());
    });
    c.bench_function("pubsub encode, an IDONTWANT", |b| {
        b.iter(|| black_box(&idontwant).encode());
    });
    for (name, frame) in [("a message", signed.rpc()), ("an IDONTWANT", idontwant.encode())] {
        let body = body(&frame);
        c.bench_function(&format!("pubsub decode, {name}"), |b| {
            b.iter(|| Rpc::decode(black_box(&body)).expect("an RPC of ours"));
        });
    }
    c.bench_function("pubsub id, signed", |b| {
        b.iter(|| MessageId::of(black_box(&signed)));
    });
    c.bench_function("pubsub signed bytes", |b| {
        b.iter(|| black_box(&signed).signed_bytes());
    });
}

/// A machine whose peers take every frame at once.
struct Rig {
    machine: Machine,
    now: Instant,
    effects: EffectsOf<Machine>,
}

impl Rig {
    fn new(params: Params, topics: u64) -> Self {
        let policy = SignaturePolicy::StrictNoSign;
        let machine = Machine::new(PeerId::random(), policy, Arc::new(MessageId::of), params, 7);
        let mut rig = Self {
            machine,
            now: Instant(1),
            effects: EffectsOf::<Machine>::new(),
        };
        rig.call(Command::Follow((0..topics).map(topic).collect()));
        rig
    }

    /// One that judges many peers by what each did in many topics.
    fn judging() -> Self {
        let mut params = Params::default();
        params.score = Some(ScoreParams::default());
        let mut judged = TopicParams::default();
        judged.score = Some(TopicScore::default());
        params.topics = (0..MANY_TOPICS).map(|n| (topic(n), judged.clone())).collect();
        let mut rig = Self::new(params, MANY_TOPICS);
        let topics: Vec<_> = (0..MANY_TOPICS).map(topic).collect();
        (0..MANY_PEERS).for_each(|peer| rig.connect(peer, &topics));
        rig.publish_everywhere(0);
        for peer in 0..MANY_PEERS {
            topics
                .iter()
                .for_each(|topic| rig.say(peer, said(message(topic, 0))));
        }
        rig
    }

    fn call(&mut self, command: Command) {
        let call = CallId(0);
        self.feed(Input::Call { call, command });
    }

    fn publish_everywhere(&mut self, number: u64) {
        for n in 0..MANY_TOPICS {
            self.call(Command::Publish(message(&topic(n), number)));
        }
    }

    fn connect(&mut self, number: u64, topics: &[Topic]) {
        let (peer, token) = (PeerId::random(), Some(Token(number + 1)));
        self.feed(Input::Peer(PeerState {
            peer,
            connected: true,
            speaks: true,
            outbound: true,
            ips: Arc::default(),
        }));
        for (stream, token) in [(number + MANY_PEERS, token), (number, None)] {
            self.feed(Input::Stream(StreamInput::Opened {
                stream: StreamKey(stream),
                peer,
                protocol: 0,
                token,
            }));
        }
        let subscriptions = topics.iter().map(|topic| SubOpts::new(topic.clone(), true));
        let rpc = Rpc {
            subscriptions: subscriptions.collect(),
            ..Rpc::default()
        };
        self.say(number, rpc);
    }

    fn say(&mut self, peer: u64, message: Rpc) {
        let stream = StreamKey(peer);
        self.feed(Input::Stream(StreamInput::Message { stream, message }));
    }

    /// Gives the machine an input, and what follows from its effects: streams take their frames, jobs find nothing wrong.
    fn feed(&mut self, input: InputOf<Machine>) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.machine.handle(self.now, input, &mut self.effects);
            for effect in self.effects.drain(..) {
                match effect {
                    Effect::Send { stream, frame } => {
                        black_box(frame);
                        inputs.push(Input::Stream(StreamInput::Writable { stream }));
                    }
                    Effect::Run {
                        token,
                        job: Job::Check(_),
                    } => inputs.push(Input::Ran {
                        token,
                        output: Some(Output::Checked(Ok(Validation::Accept))),
                    }),
                    _ => {}
                }
            }
        }
    }
}

fn machine(c: &mut Criterion) {
    let (mut rig, mut number) = (Rig::new(Params::default(), 1), 0);
    for peer in 0..PEERS {
        rig.connect(peer, &[topic(0)]);
        let control = Control {
            graft: vec![topic(0)],
            ..Control::default()
        };
        rig.say(
            peer,
            Rpc {
                control,
                ..Rpc::default()
            },
        );
    }
    // A thousand a second, so that what is remembered for a while is as much as in a busy network.
    let mut next = |rig: &mut Rig| {
        number += 1;
        rig.now = rig.now + Duration::from_millis(1);
        said(message(&topic(0), number))
    };
    c.bench_function("gossipsub machine, a message to eight", |b| {
        b.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let rpc = next(&mut rig);
                let began = time::Instant::now();
                rig.say(0, rpc);
                took += began.elapsed();
            }
            took
        });
    });
    let known = next(&mut rig);
    rig.say(0, known.clone());
    c.bench_function("gossipsub machine, a copy", |b| {
        b.iter_batched(|| known.clone(), |copy| rig.say(1, copy), BatchSize::SmallInput);
    });
}

/// One message was published in each topic since the heartbeat before.
fn heartbeat(c: &mut Criterion) {
    let (mut rig, mut number) = (Rig::judging(), 0);
    c.bench_function("gossipsub heartbeat, 1,000 peers in 50 topics", |b| {
        b.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                number += 1;
                rig.publish_everywhere(number);
                rig.now = rig.now + Duration::from_secs(1);
                let began = time::Instant::now();
                rig.feed(Input::Timeout);
                took += began.elapsed();
            }
            took
        });
    });
}

criterion_group!(benches, rpcs, machine, heartbeat);
criterion_main!(benches);
