//! The machine by itself: inputs and the effects that they have, a network of machines, and random operations.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use bytes::Bytes;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_oneof, proptest};
use sinew_floodsub::{
    Command, Job, MAX_TOPICS, Machine, Message, MessageId, News, Received, Reply, Rpc, SEEN_FOR,
    SignatureError, SignaturePolicy, SubOpts, Topic, Validation,
};
use sinew_identity::{Keypair, PeerId};
use sinew_machine::{
    BUDGET, CallId, Effect, EffectsOf, Failure, Input, InputOf, Instant, PeerMachine, PeerState, StreamInput,
    StreamKey, Token, code,
};
use sinew_wire::varint;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

type Effects = EffectsOf<Machine>;

/// A machine, and the time.
struct Rig {
    key: Keypair,
    machine: Machine,
    now: Instant,
}

fn topic(text: &str) -> Topic {
    text.parse().unwrap()
}

fn peer(n: u8) -> PeerId {
    PeerId::from_bytes(&[&[0x12, 32][..], &[n; 32]].concat()).unwrap()
}

/// An inbound stream of a peer, and an outbound one to it.
fn inbound(n: u8) -> StreamKey {
    StreamKey(u64::from(n))
}

fn outbound(n: u8) -> StreamKey {
    StreamKey(1000 + u64::from(n))
}

/// What a frame says.
fn read(frame: &Bytes) -> Rpc {
    let (_, prefix) = varint::decode(frame).unwrap().unwrap();
    Rpc::decode(&frame.slice(prefix..)).unwrap()
}

fn subscribing(topics: &[&str]) -> Rpc {
    Rpc {
        subscriptions: topics
            .iter()
            .map(|text| SubOpts::new(topic(text), true))
            .collect(),
        ..Rpc::default()
    }
}

fn publishing(messages: &[&Message]) -> Rpc {
    Rpc {
        publish: messages.iter().copied().cloned().collect(),
        ..Rpc::default()
    }
}

impl Rig {
    fn new() -> Self {
        Self::with(SignaturePolicy::StrictSign)
    }

    fn with(policy: SignaturePolicy) -> Self {
        let key = Keypair::generate();
        let machine = Machine::new(key.peer_id(), policy, Arc::new(MessageId::of));
        let now = Instant(1);
        Self { key, machine, now }
    }

    /// One that follows `topics`, and has streams with the peers 0 to `peers`, which follow them as well.
    fn among(peers: u8, topics: &[&str]) -> Self {
        let mut rig = Self::new();
        rig.follow(topics);
        for n in 0..peers {
            rig.connect(n);
            rig.rpc(n, subscribing(topics));
        }
        rig
    }

    fn feed(&mut self, input: InputOf<Machine>) -> Effects {
        let mut effects = Effects::new();
        self.machine.handle(self.now, input, &mut effects);
        effects
    }

    fn stream(&mut self, input: StreamInput<Rpc>) -> Effects {
        self.feed(Input::Stream(input))
    }

    fn state(&mut self, n: u8, connected: bool, speaks: bool) -> Effects {
        let peer = peer(n);
        self.feed(Input::Peer(PeerState {
            peer,
            connected,
            speaks,
            outbound: true,
            ips: Arc::default(),
        }))
    }

    fn opened(&mut self, n: u8, stream: StreamKey, token: Option<Token>) -> Effects {
        let (peer, protocol) = (peer(n), 0);
        self.stream(StreamInput::Opened {
            stream,
            peer,
            protocol,
            token,
        })
    }

    /// Streams in both directions; what was sent first is taken.
    fn connect(&mut self, n: u8) {
        let [Effect::Open { token, .. }] = self.state(n, true, true)[..] else {
            panic!("a stream is opened")
        };
        if !self.opened(n, outbound(n), Some(token)).is_empty() {
            assert!(self.writable(n).is_empty());
        }
        assert!(self.opened(n, inbound(n), None).is_empty());
    }

    fn writable(&mut self, n: u8) -> Effects {
        self.stream(StreamInput::Writable { stream: outbound(n) })
    }

    fn rpc(&mut self, n: u8, message: Rpc) -> Effects {
        let stream = inbound(n);
        self.stream(StreamInput::Message { stream, message })
    }

    fn follow(&mut self, topics: &[&str]) -> Effects {
        let command = Command::Follow(topics.iter().map(|text| topic(text)).collect());
        self.call(command).0
    }

    /// The effects of a call, and its answer apart.
    fn call(&mut self, command: Command) -> (Effects, Reply) {
        let call = CallId(7);
        let mut effects = self.feed(Input::Call { call, command });
        match effects.pop() {
            Some(Effect::Return {
                call: CallId(7),
                reply,
            }) => (effects, reply),
            other => panic!("{other:?}"),
        }
    }

    fn counts(&mut self) -> sinew_floodsub::Counts {
        match self.call(Command::Counts).1 {
            Reply::Counts(counts) => counts,
            other => panic!("{other:?}"),
        }
    }

    fn ran(&mut self, token: Token, output: Result<Validation, SignatureError>) -> Effects {
        let output = Some(output);
        self.feed(Input::Ran { token, output })
    }
}

/// A message of somebody else.
fn message(data: &str) -> Message {
    Message::signed(&Keypair::generate(), 1 << 60, &topic("a"), data.to_owned()).unwrap()
}

/// The one job that was begun.
fn job(effects: &Effects) -> (Token, Arc<Received>) {
    match &effects[..] {
        [
            Effect::Run {
                token,
                job: Job(received),
            },
        ] => (*token, received.clone()),
        other => panic!("{other:?}"),
    }
}

fn forged(message: &Message) -> Result<Validation, SignatureError> {
    let author = PeerId::from_bytes(message.from().unwrap()).unwrap();
    Err(SignatureError::Invalid(author))
}

/// To whom which message is sent.
fn sent(effects: &Effects) -> Vec<(StreamKey, Message)> {
    let sends = effects.iter().filter_map(|effect| match effect {
        Effect::Send { stream, frame } => Some((*stream, read(frame).publish.remove(0))),
        _ => None,
    });
    sends.collect()
}

#[test]
fn who_leaves_for_good_waits_until_peers_were_told() {
    let mut rig = Rig::among(1, &["a"]);
    let (call, command) = (CallId(7), Command::Leave);
    let effects = rig.feed(Input::Call { call, command });
    let [Effect::Send { frame, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(read(frame).subscriptions, [SubOpts::new(topic("a"), false)]);
    let reply = Reply::Followed;
    assert_eq!(rig.writable(0), [Effect::Return { call, reply }]);
}

#[test]
fn too_much_for_all_peers_is_dropped_for_the_slowest_of_them() {
    let mut rig = Rig::among(17, &[]);
    for n in 0..17u8 {
        let topic = topic(&n.to_string());
        rig.rpc(n, subscribing(&[topic.as_str()]));
        // The first is on its way, the others wait: four at most.
        for data in 0..5 {
            assert_eq!(rig.counts().unsent, 0);
            let message = Message::anonymous(&topic, vec![5 * n + data; 1_000_000]);
            let published = Reply::Published(Some(1));
            assert_eq!(rig.call(Command::Publish(message)).1, published);
        }
    }
    assert_eq!(rig.counts().unsent, 5 * 4, "until a quarter is free");
}

#[test]
fn a_peer_that_speaks_it_is_told_our_topics() {
    let mut rig = Rig::new();
    rig.follow(&["a", "b"]);
    assert_eq!(rig.state(1, true, false), [], "not identified yet");
    let opened = rig.state(1, true, true);
    let [Effect::Open { token, peer: to }] = opened[..] else {
        panic!("{opened:?}")
    };
    assert_eq!((to, rig.state(1, true, true)), (peer(1), vec![]), "once");
    let hello = rig.opened(1, outbound(1), Some(token));
    let [Effect::Send { stream, frame }] = &hello[..] else {
        panic!("{hello:?}")
    };
    assert_eq!((*stream, read(frame)), (outbound(1), subscribing(&["a", "b"])));
    assert_eq!(rig.follow(&["b", "c"]), [], "there is no room yet");
    let change = rig.writable(1);
    let [Effect::Send { frame, .. }] = &change[..] else {
        panic!("{change:?}")
    };
    let told: Vec<_> = read(frame)
        .subscriptions
        .iter()
        .map(|sub| (sub.topic.to_string(), sub.subscribe))
        .collect();
    assert_eq!(told, [("a".to_owned(), false), ("c".to_owned(), true)]);
    assert_eq!(rig.writable(1), []);
    assert!(matches!(rig.follow(&["c"])[..], [Effect::Send { .. }]), "at once");
}

#[test]
fn who_opens_a_stream_speaks_it() {
    let mut rig = Rig::new();
    assert_eq!(
        rig.opened(1, inbound(1), None),
        [],
        "nothing says that it is connected"
    );
    assert!(matches!(rig.state(1, true, false)[..], [Effect::Open { .. }]));
}

#[test]
fn a_message_is_judged_then_delivered_and_handed_on() {
    let mut rig = Rig::among(4, &["a"]);
    let message = message("hello");
    let (token, received) = job(&rig.rpc(0, publishing(&[&message])));
    assert_eq!((received.peer, &received.message), (peer(0), &message));
    assert_eq!(
        rig.rpc(1, publishing(&[&message])),
        [],
        "known before its signature is"
    );
    let effects = rig.ran(token, Ok(Validation::Accept));
    let copy = |n| (outbound(n), message.clone());
    assert_eq!(sent(&effects), [copy(2), copy(3)], "not to those who have it");
    let frames = effects.iter().filter_map(|effect| match effect {
        Effect::Send { frame, .. } => Some(frame.as_ptr()),
        _ => None,
    });
    let frames: Vec<_> = frames.collect();
    assert_eq!(frames[0], frames[1], "encoded once");
    assert_eq!(effects.last(), Some(&Effect::Emit(News::Message(received))));
    rig.now = rig.now + (SEEN_FOR - Duration::from_secs(1));
    assert_eq!(rig.rpc(2, publishing(&[&message])), []);
    let counts = rig.counts();
    assert_eq!((counts.accepted, counts.duplicates), (1, 2));
    rig.now = rig.now + Duration::from_secs(1);
    job(&rig.rpc(2, publishing(&[&message])));
}

#[test]
fn a_forged_message_does_not_take_the_place_of_the_real_one() {
    let mut rig = Rig::among(3, &["a"]);
    let real = message("hello");
    let mut bytes = real.as_bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let copy = Message::decode(bytes.into()).unwrap();
    assert_eq!(MessageId::of(&copy), MessageId::of(&real));
    let (first, _) = job(&rig.rpc(0, publishing(&[&copy])));
    let (second, _) = job(&rig.rpc(1, publishing(&[&real])));
    assert_eq!(rig.ran(first, forged(&copy)), []);
    job(&rig.rpc(0, publishing(&[&copy])));
    let effects = rig.ran(second, Ok(Validation::Accept));
    assert_eq!(sent(&effects), [(outbound(0), real.clone()), (outbound(2), real)]);
    assert_eq!(rig.rpc(0, publishing(&[&copy])), [], "the id is taken now");
    assert_eq!(rig.counts().forged, 1);
}

#[test]
fn what_is_ignored_or_rejected_goes_nowhere_and_is_not_judged_again() {
    let mut rig = Rig::among(2, &["a"]);
    for (data, output) in [
        ("ignored", Some(Ok(Validation::Ignore))),
        ("rejected", Some(Ok(Validation::Reject))),
        ("panicked", None),
    ] {
        let message = message(data);
        let (token, _) = job(&rig.rpc(0, publishing(&[&message])));
        assert_eq!(rig.feed(Input::Ran { token, output }), []);
        assert_eq!(rig.rpc(1, publishing(&[&message])), []);
    }
    let counts = rig.counts();
    assert_eq!((counts.ignored, counts.rejected, counts.accepted), (2, 1, 0));
}

#[test]
fn what_nobody_asked_for_is_not_judged() {
    let mut rig = Rig::among(1, &["a"]);
    let foreign = Message::signed(&Keypair::generate(), 1 << 60, &topic("b"), "x").unwrap();
    let unsigned = Message::anonymous(&topic("a"), "x");
    assert_eq!(rig.rpc(0, publishing(&[&foreign, &unsigned])), []);
    assert_eq!(rig.counts().unwanted, 2);
    let echo = Message::signed(&rig.key.clone(), 1 << 60, &topic("a"), "ours").unwrap();
    assert_eq!(
        rig.rpc(0, publishing(&[&echo])),
        [],
        "nobody tells us what we said"
    );
    let mut anonymous = Rig::with(SignaturePolicy::StrictNoSign);
    anonymous.follow(&["a"]);
    anonymous.connect(0);
    job(&anonymous.rpc(0, publishing(&[&unsigned])));
    assert_eq!(anonymous.rpc(0, publishing(&[&message("x")])), []);
}

#[test]
fn publishing_goes_to_all_of_the_topic_and_once() {
    let mut rig = Rig::among(2, &["a"]);
    rig.connect(2);
    let message = message("hello");
    let (effects, reply) = rig.call(Command::Publish(message.clone()));
    assert_eq!(reply, Reply::Published(Some(2)));
    assert_eq!(sent(&effects).len(), 2);
    let again = rig.call(Command::Publish(message.clone()));
    assert_eq!(again, (vec![], Reply::Published(None)));
    assert_eq!(rig.rpc(2, publishing(&[&message])), [], "an echo");
    let elsewhere = Message::signed(&Keypair::generate(), 1 << 60, &topic("z"), "").unwrap();
    assert_eq!(
        rig.call(Command::Publish(elsewhere)),
        (vec![], Reply::Published(Some(0)))
    );
}

#[test]
fn a_slow_peer_loses_messages_and_nobody_else_does() {
    let mut rig = Rig::among(2, &["a"]);
    let large = vec![0; 1 << 20];
    for seqno in 1..=6 {
        let message = Message::signed(&Keypair::generate(), seqno, &topic("a"), large.clone()).unwrap();
        rig.call(Command::Publish(message));
        // The other one takes what it is given.
        rig.writable(1);
    }
    assert_eq!(rig.counts().unsent, 2, "one is on its way, three wait");
    let frames = std::iter::from_fn(|| (!rig.writable(0).is_empty()).then_some(())).count();
    assert_eq!(frames, 3);
}

#[test]
fn peers_come_and_go() {
    let mut rig = Rig::among(2, &["a"]);
    let joined = |n| Effect::Emit(News::Joined(topic("a"), peer(n)));
    let left = |n| Effect::Emit(News::Left(topic("a"), peer(n)));
    let leave = Rpc {
        subscriptions: vec![SubOpts::new(topic("a"), false); 2],
        ..Rpc::default()
    };
    assert_eq!(rig.rpc(0, leave), [left(0)]);
    let elsewhere = |name, n| Effect::Emit(News::Joined(topic(name), peer(n)));
    assert_eq!(
        rig.rpc(0, subscribing(&["a", "a", "other"])),
        [joined(0), elsewhere("other", 0)]
    );
    let followers = rig.call(Command::Followers(topic("a"))).1;
    assert_eq!(followers, Reply::Followers(vec![peer(0), peer(1)]));
    assert_eq!(rig.stream(StreamInput::Closed { stream: inbound(1) }), [left(1)]);
    assert_eq!(rig.state(1, false, true), []);
    assert_eq!(rig.stream(StreamInput::Closed { stream: outbound(1) }), []);
    // It returns, and everything begins anew.
    rig.connect(1);
    assert_eq!(
        rig.rpc(1, subscribing(&["a", "b"])),
        [joined(1), elsewhere("b", 1)]
    );
    assert_eq!(rig.follow(&["b"])[0], elsewhere("b", 1), "it was there before");
}

#[test]
fn a_second_stream_of_a_peer_replaces_the_first() {
    let mut rig = Rig::among(1, &["a"]);
    let effects = rig.opened(0, StreamKey(77), None);
    let reset = Effect::Reset {
        stream: inbound(0),
        code: code::stream::GARBAGE_COLLECTED,
    };
    assert_eq!(effects, [reset, Effect::Emit(News::Left(topic("a"), peer(0)))]);
    assert_eq!(rig.rpc(0, publishing(&[&message("late")])), []);
    assert_eq!(rig.stream(StreamInput::Closed { stream: inbound(0) }), []);
    let stream = StreamKey(77);
    let message = subscribing(&["a"]);
    let effects = rig.stream(StreamInput::Message { stream, message });
    assert_eq!(effects, [Effect::Emit(News::Joined(topic("a"), peer(0)))]);
}

#[test]
fn a_lost_stream_is_opened_again_four_times() {
    let mut rig = Rig::new();
    let mut effects = rig.state(1, true, true);
    let mut waited = Vec::new();
    loop {
        let [Effect::Open { token, .. }] = effects[..] else {
            panic!("{effects:?}")
        };
        let failure = Failure::Failed;
        assert_eq!(rig.stream(StreamInput::OpenFailed { token, failure }), []);
        assert_eq!(rig.state(1, true, waited.len() < 4), [], "not before its time");
        let Some(due) = rig.machine.deadline() else { break };
        waited.push((due - rig.now).as_secs());
        rig.now = due;
        effects = rig.feed(Input::Timeout);
    }
    assert_eq!(waited, [1, 2, 4, 8]);
    assert_eq!(rig.state(1, false, false), []);
    assert!(matches!(rig.state(1, true, true)[..], [Effect::Open { .. }]));
}

#[test]
fn who_does_not_speak_it_is_not_asked_again() {
    let mut rig = Rig::new();
    let [Effect::Open { token, .. }] = rig.state(1, true, true)[..] else {
        panic!()
    };
    let failure = Failure::Unsupported;
    assert_eq!(rig.stream(StreamInput::OpenFailed { token, failure }), []);
    assert_eq!(rig.machine.deadline(), None);
}

#[test]
fn a_stream_that_comes_too_late_is_not_used() {
    let mut rig = Rig::new();
    let [Effect::Open { token: old, .. }] = rig.state(1, true, true)[..] else {
        panic!()
    };
    rig.state(1, false, true);
    let [Effect::Open { token: new, .. }] = rig.state(1, true, true)[..] else {
        panic!()
    };
    let stream = outbound(1);
    let code = code::stream::GARBAGE_COLLECTED;
    assert_eq!(rig.opened(1, stream, Some(old)), [Effect::Reset { stream, code }]);
    rig.follow(&["a"]);
    assert!(matches!(
        rig.opened(1, StreamKey(5), Some(new))[..],
        [Effect::Send {
            stream: StreamKey(5),
            ..
        }]
    ));
}

#[test]
fn a_flood_of_nonsense_is_cut() {
    let mut rig = Rig::among(1, &["a"]);
    let nonsense = Message::anonymous(&topic("a"), "");
    for _ in 0..BUDGET {
        assert_eq!(rig.rpc(0, publishing(&[&nonsense])), []);
    }
    let reset = Effect::Reset {
        stream: inbound(0),
        code: code::stream::PROTOCOL_VIOLATION,
    };
    let left = Effect::Emit(News::Left(topic("a"), peer(0)));
    assert_eq!(rig.rpc(0, publishing(&[&nonsense])), [reset, left]);
    assert_eq!(rig.counts().floods, 1);
}

#[test]
fn topics_of_one_peer_are_bounded() {
    let mut rig = Rig::among(1, &["a"]);
    let many: Vec<String> = (0..2 * MAX_TOPICS).map(|n| format!("topic {n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    rig.rpc(0, subscribing(&many));
    let known = |rig: &mut Rig, text| match rig.call(Command::Followers(topic(text))).1 {
        Reply::Followers(peers) => peers.len(),
        other => panic!("{other:?}"),
    };
    // One place was taken by "a".
    assert_eq!(known(&mut rig, many[MAX_TOPICS - 2]), 1);
    assert_eq!(known(&mut rig, many[MAX_TOPICS - 1]), 0);
}

/// Machines that are joined by wires without delay; jobs succeed at once.
struct Network {
    rigs: Vec<Rig>,
    links: BTreeMap<(usize, usize), Token>,
    inputs: VecDeque<(usize, InputOf<Machine>)>,
    delivered: Vec<Vec<Bytes>>,
    judged: usize,
    copies: usize,
}

impl Network {
    fn new(size: usize, links: &[(usize, usize)]) -> Self {
        let mut network = Self {
            rigs: (0..size).map(|_| Rig::new()).collect(),
            links: BTreeMap::new(),
            inputs: VecDeque::new(),
            delivered: vec![Vec::new(); size],
            judged: 0,
            copies: 0,
        };
        let both = links.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
        for (a, b) in both.filter(|(a, b)| a != b).collect::<BTreeSet<_>>() {
            let state = PeerState {
                peer: network.id(b),
                connected: true,
                speaks: true,
                outbound: true,
                ips: Arc::default(),
            };
            network.inputs.push_back((a, Input::Peer(state)));
        }
        network.settle();
        network
    }

    fn id(&self, n: usize) -> PeerId {
        self.rigs[n].key.peer_id()
    }

    fn index(&self, peer: PeerId) -> usize {
        self.rigs
            .iter()
            .position(|rig| rig.key.peer_id() == peer)
            .unwrap()
    }

    /// The stream from one to another, as both call it.
    fn wire(&self, from: usize, to: usize) -> StreamKey {
        StreamKey((from * self.rigs.len() + to) as u64)
    }

    fn call(&mut self, n: usize, command: Command) {
        let call = CallId(0);
        self.inputs.push_back((n, Input::Call { call, command }));
        self.settle();
    }

    fn settle(&mut self) {
        while let Some((n, input)) = self.inputs.pop_front() {
            for effect in self.rigs[n].feed(input) {
                self.carry_out(n, effect);
            }
        }
    }

    fn carry_out(&mut self, n: usize, effect: Effect<News, Reply, Job>) {
        match effect {
            Effect::Open { token, peer } => {
                let to = self.index(peer);
                self.links.insert((n, to), token);
                for (at, token, other) in [(n, Some(token), to), (to, None, n)] {
                    let opened = StreamInput::Opened {
                        stream: self.wire(n, to),
                        peer: self.id(other),
                        protocol: 0,
                        token,
                    };
                    self.inputs.push_back((at, Input::Stream(opened)));
                }
            }
            Effect::Send { stream, frame } => {
                let size = self.rigs.len() as u64;
                let to = usize::try_from(stream.0 % size).unwrap();
                let message = read(&frame);
                self.copies += message.publish.len();
                let message = StreamInput::Message { stream, message };
                self.inputs.push_back((to, Input::Stream(message)));
                let writable = StreamInput::Writable { stream };
                self.inputs.push_back((n, Input::Stream(writable)));
            }
            Effect::Run {
                token,
                job: Job(received),
            } => {
                self.judged += 1;
                let checked = SignaturePolicy::StrictSign.check(&received.message);
                let output = Some(checked.map(|()| Validation::Accept));
                self.inputs.push_back((n, Input::Ran { token, output }));
            }
            Effect::Emit(News::Message(received)) => {
                self.delivered[n].push(received.message.data_bytes());
            }
            Effect::Emit(_) | Effect::Return { .. } | Effect::Keep { .. } => {}
            Effect::Reset { .. } => panic!("nobody is at fault"),
        }
    }
}

proptest! {
    /// In any connected network each message reaches everybody once, and is judged once by each.
    #[test]
    fn every_message_reaches_everybody_once(
        parents in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        extra in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..20),
        authors in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let size = parents.len() + 1;
        // A tree, so that all are connected, and some links more.
        let tree = parents.iter().enumerate().map(|(n, parent)| (n + 1, parent.index(n + 1)));
        let more = extra.iter().map(|(a, b)| (a.index(size), b.index(size)));
        let links: Vec<_> = tree.chain(more).collect();
        let mut network = Network::new(size, &links);
        let edges = network.links.len();
        for n in 0..size {
            network.call(n, Command::Follow([topic("a")].into()));
        }
        for (seqno, author) in authors.iter().enumerate() {
            let author = author.index(size);
            let data = seqno.to_be_bytes().to_vec();
            let message = Message::signed(&network.rigs[author].key, 1 << 60 | seqno as u64, &topic("a"), data);
            network.call(author, Command::Publish(message.unwrap()));
        }
        for (n, delivered) in network.delivered.iter().enumerate() {
            let unique: BTreeSet<_> = delivered.iter().collect();
            let own = authors.iter().filter(|author| author.index(size) == n).count();
            prop_assert!(unique.len() == delivered.len() && delivered.len() == authors.len() - own);
        }
        prop_assert!(network.judged == authors.len() * (size - 1));
        prop_assert!(network.copies <= authors.len() * edges);
    }

    /// Whatever happens in whatever order: frames are only sent where there is room, and calls are answered.
    #[test]
    fn random_operations(operations in prop::collection::vec(operation(), 0..80)) {
        let mut rig = Rig::with(SignaturePolicy::StrictNoSign);
        let mut world = World::default();
        for operation in operations {
            let inputs = world.inputs(operation);
            for input in inputs {
                let effects = rig.feed(input);
                world.check(&effects);
            }
            rig.now = rig.now + Duration::from_millis(300);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    State(u8, bool, bool),
    Inbound(u8),
    Settle(bool),
    Writable,
    Close(prop::sample::Index),
    Rpc(prop::sample::Index, u8),
    Follow(u8),
    Publish(u8),
    Ran(u8),
    Timeout,
}

fn operation() -> impl Strategy<Value = Operation> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (0u8..3, any::<bool>(), any::<bool>()).prop_map(|(n, a, b)| Operation::State(n, a, b)),
        (0u8..3).prop_map(Operation::Inbound),
        any::<bool>().prop_map(Operation::Settle),
        prop::strategy::Just(Operation::Writable),
        index().prop_map(Operation::Close),
        (index(), any::<u8>()).prop_map(|(stream, what)| Operation::Rpc(stream, what)),
        any::<u8>().prop_map(Operation::Follow),
        any::<u8>().prop_map(Operation::Publish),
        any::<u8>().prop_map(Operation::Ran),
        prop::strategy::Just(Operation::Timeout),
    ]
}

/// What a driver knows: which streams there are and have room, and what is owed.
#[derive(Default)]
struct World {
    next_stream: u64,
    opening: Vec<(Token, PeerId)>,
    /// Outbound streams have room or not; inbound ones are `None`.
    streams: BTreeMap<StreamKey, Option<bool>>,
    running: Vec<Token>,
    calls: u64,
    answered: u64,
}

const TOPICS: [&str; 3] = ["a", "b", "c"];

impl World {
    fn open(&mut self, peer: PeerId, token: Option<Token>) -> InputOf<Machine> {
        self.next_stream += 1;
        let stream = StreamKey(self.next_stream);
        self.streams.insert(stream, token.map(|_| true));
        Input::Stream(StreamInput::Opened {
            stream,
            peer,
            protocol: 0,
            token,
        })
    }

    fn call(&mut self, command: Command) -> InputOf<Machine> {
        self.calls += 1;
        let call = CallId(self.calls);
        Input::Call { call, command }
    }

    fn inputs(&mut self, operation: Operation) -> Vec<InputOf<Machine>> {
        let inbound: Vec<_> = self
            .streams
            .iter()
            .filter(|(_, room)| room.is_none())
            .map(|(key, _)| *key)
            .collect();
        match operation {
            Operation::State(n, connected, speaks) => vec![Input::Peer(PeerState {
                peer: peer(n),
                connected,
                speaks,
                outbound: true,
                ips: Arc::default(),
            })],
            Operation::Inbound(n) => vec![self.open(peer(n), None)],
            Operation::Settle(well) => self.settle(well),
            Operation::Writable => self.writable(),
            Operation::Close(index) if !self.streams.is_empty() => {
                let stream = *index.get(&self.streams.keys().copied().collect::<Vec<_>>());
                self.streams.remove(&stream);
                vec![Input::Stream(StreamInput::Closed { stream })]
            }
            Operation::Rpc(index, what) if !inbound.is_empty() => {
                let stream = *index.get(&inbound);
                let topic = topic(TOPICS[usize::from(what) % 3]);
                let mut rpc = Rpc::default();
                match what / 3 % 3 {
                    0 => rpc.subscriptions.push(SubOpts::new(topic, what < 128)),
                    _ => rpc.publish.push(Message::anonymous(&topic, vec![what])),
                }
                vec![Input::Stream(StreamInput::Message { stream, message: rpc })]
            }
            Operation::Follow(bits) => {
                let topics = TOPICS.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
                let topics = topics.map(|(_, text)| topic(text)).collect();
                vec![self.call(Command::Follow(topics))]
            }
            Operation::Publish(what) => {
                let message = Message::anonymous(&topic(TOPICS[usize::from(what) % 3]), vec![what]);
                vec![self.call(Command::Publish(message))]
            }
            Operation::Ran(what) => self.ran(what),
            Operation::Timeout => vec![Input::Timeout],
            _ => vec![],
        }
    }

    fn settle(&mut self, well: bool) -> Vec<InputOf<Machine>> {
        let failure = Failure::Failed;
        match self.opening.pop() {
            Some((token, peer)) if well => vec![self.open(peer, Some(token))],
            Some((token, _)) => vec![Input::Stream(StreamInput::OpenFailed { token, failure })],
            None => vec![],
        }
    }

    /// Of the streams without room one has room again.
    fn writable(&mut self) -> Vec<InputOf<Machine>> {
        let mut full = self.streams.iter_mut().filter(|(_, room)| **room == Some(false));
        let writable = full.next().map(|(stream, room)| {
            *room = Some(true);
            Input::Stream(StreamInput::Writable { stream: *stream })
        });
        writable.into_iter().collect()
    }

    fn ran(&mut self, what: u8) -> Vec<InputOf<Machine>> {
        let verdicts = [
            Some(Ok(Validation::Accept)),
            Some(Ok(Validation::Reject)),
            Some(Err(SignatureError::Missing("signature"))),
            None,
        ];
        let output = verdicts[usize::from(what) % 4].clone();
        let token = self.running.pop();
        let ran = token.map(|token| Input::Ran { token, output });
        ran.into_iter().collect()
    }

    fn check(&mut self, effects: &Effects) {
        for effect in effects {
            match effect {
                Effect::Open { token, peer } => self.opening.push((*token, *peer)),
                Effect::Send { stream, .. } => {
                    // Of a stream that has ended the machine may not know yet; here it always does.
                    let room = self.streams.get_mut(stream).expect("it has not ended");
                    assert_eq!(*room, Some(true), "there is room");
                    *room = Some(false);
                }
                Effect::Reset { stream, .. } => assert!(self.streams.contains_key(stream)),
                Effect::Run { token, .. } => self.running.push(*token),
                Effect::Return { .. } => self.answered += 1,
                Effect::Emit(_) | Effect::Keep { .. } => {}
            }
        }
        assert_eq!(self.calls, self.answered);
    }
}
