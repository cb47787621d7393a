//! Random operations of peers and of ourselves, and what holds whatever they are. A failure names its seed.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use sinew_floodsub::{Control, IHave, Prune, Rpc, SubOpts};
use sinew_gossipsub::{
    Command, Job, Machine, Message, MessageId, Output, Params, Reply, ScoreParams, SignaturePolicy, Topic,
    TopicParams, TopicScore, Validation,
};
use sinew_identity::PeerId;
use sinew_machine::{
    CallId, Effect, EffectsOf, Failure, Input, Instant, PeerMachine, PeerState, Rng, StreamInput, StreamKey,
    Token,
};
use sinew_wire::varint;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

const PEERS: usize = 5;
const TOPICS: usize = 2;

/// A stream that has not ended.
#[derive(Clone, Copy)]
struct Wire {
    peer: usize,
    inbound: bool,
    has_room: bool,
}

struct World {
    rng: Rng,
    machine: Machine,
    now: Instant,
    next_stream: u64,
    opening: Vec<(Token, usize)>,
    wires: BTreeMap<StreamKey, Wire>,
    jobs: Vec<(Token, Job)>,
    ours: BTreeSet<Topic>,
    backoff: Backoff,
}

/// Until when we may not take a peer into the mesh of a topic, by what it told us.
type Backoff = BTreeMap<(usize, Topic), Instant>;

fn peer(n: usize) -> PeerId {
    let n = u8::try_from(n).unwrap();
    PeerId::from_bytes(&[&[0x12, 32][..], &[n; 32]].concat()).unwrap()
}

fn number(id: PeerId) -> usize {
    (0..PEERS).find(|n| peer(*n) == id).unwrap()
}

fn topic(n: usize) -> Topic {
    ["a", "b", "c"][n].parse().unwrap()
}

fn params() -> Params {
    let mut params = Params::default();
    let mut score = ScoreParams::default();
    // All are heard.
    score.thresholds.graylist = -1e12;
    params.score = Some(score);
    params.exchange_peers = true;
    params.idontwant_threshold = 1;
    params.opportunistic_graft_ticks = 5;
    (params.mesh.target, params.mesh.low, params.mesh.high) = (2, 2, 3);
    (params.mesh.score, params.mesh.outbound) = (1, 1);
    params.explicit.insert(peer(PEERS - 1));
    let mut scored = TopicParams::default();
    scored.score = Some(TopicScore::default());
    params.topics.insert(topic(0), scored);
    params
}

impl World {
    fn new(seed: u64) -> Self {
        let (policy, id) = (SignaturePolicy::StrictNoSign, Arc::new(MessageId::of));
        Self {
            rng: Rng::new(seed),
            machine: Machine::new(peer(255), policy, id, params(), seed),
            now: Instant(1),
            next_stream: 0,
            opening: Vec::new(),
            wires: BTreeMap::new(),
            jobs: Vec::new(),
            ours: BTreeSet::new(),
            backoff: BTreeMap::new(),
        }
    }

    fn feed(&mut self, input: Input<Command, Rpc, Output>) -> Option<Reply> {
        let mut effects = EffectsOf::<Machine>::new();
        self.machine.handle(self.now, input, &mut effects);
        let mut answer = None;
        for effect in effects {
            match effect {
                Effect::Open { token, peer } => self.opening.push((token, number(peer))),
                Effect::Send { stream, frame } => {
                    let wire = self.wires.get_mut(&stream).expect("the stream has not ended");
                    assert!(std::mem::take(&mut wire.has_room), "there is room");
                    let peer = wire.peer;
                    let (_, prefix) = varint::decode(&frame).unwrap().unwrap();
                    self.said(peer, &Rpc::decode(&frame.slice(prefix..)).unwrap());
                }
                Effect::Reset { stream, .. } => assert!(self.wires.contains_key(&stream)),
                Effect::Run { token, job } => self.jobs.push((token, job)),
                Effect::Return { reply, .. } => assert!(answer.replace(reply).is_none(), "one answer"),
                Effect::Emit(_) | Effect::Keep { .. } => {}
            }
        }
        answer
    }

    fn said(&mut self, peer: usize, rpc: &Rpc) {
        for topic in &rpc.control.graft {
            let until = self.backoff.get(&(peer, topic.clone()));
            assert!(
                until.is_none_or(|until| *until <= self.now),
                "we keep to back-offs"
            );
        }
    }

    fn call(&mut self, command: Command) -> Reply {
        let call = CallId(0);
        self.feed(Input::Call { call, command })
            .expect("calls are answered")
    }

    fn peers(&mut self, command: Command) -> BTreeSet<PeerId> {
        match self.call(command) {
            Reply::Peers(peers) => peers.into_iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    fn step(&mut self) {
        match self.rng.below(12) {
            0 => self.state(),
            1 => {
                let n = self.rng.below(PEERS);
                self.opened(n, None);
            }
            2 => self.settle_open(),
            3 => self.settle_job(),
            4 => self.close(),
            5 => self.wait(),
            6 => self.ourselves(),
            7 | 8 => self.take_frames(),
            _ => self.hear(),
        }
        for n in 0..TOPICS {
            let mesh = self.peers(Command::Mesh(topic(n)));
            let followers = self.peers(Command::Followers(topic(n)));
            assert!(mesh.is_subset(&followers), "a mesh is of followers");
            assert!(!mesh.contains(&peer(PEERS - 1)), "an explicit peer is in no mesh");
            for id in mesh {
                let mut wires = self.wires.values();
                let is_written = wires.any(|wire| !wire.inbound && peer(wire.peer) == id);
                assert!(is_written, "who is in a mesh can be sent messages");
            }
        }
    }

    fn state(&mut self) {
        let n = self.rng.below(PEERS);
        let connected = self.rng.below(3) > 0;
        self.tell_state(n, connected);
    }

    fn tell_state(&mut self, n: usize, connected: bool) {
        let outbound = self.rng.below(2) == 0;
        self.feed(Input::Peer(PeerState {
            peer: peer(n),
            connected,
            speaks: connected,
            outbound,
            ips: [[192, 0, 2, 1].into()].into(),
        }));
    }

    fn opened(&mut self, n: usize, token: Option<Token>) {
        self.next_stream += 1;
        let (stream, inbound) = (StreamKey(self.next_stream), token.is_none());
        let wire = Wire {
            peer: n,
            inbound,
            has_room: !inbound,
        };
        self.wires.insert(stream, wire);
        let protocol = self.rng.below(5);
        self.feed(Input::Stream(StreamInput::Opened {
            stream,
            peer: peer(n),
            protocol,
            token,
        }));
    }

    fn settle_open(&mut self) {
        let Some((token, n)) = self.opening.pop() else {
            return;
        };
        if self.rng.below(4) > 0 {
            return self.opened(n, Some(token));
        }
        let failure = [Failure::Failed, Failure::Unsupported][self.rng.below(2)];
        self.feed(Input::Stream(StreamInput::OpenFailed { token, failure }));
    }

    fn settle_job(&mut self) {
        let Some((token, job)) = self.jobs.pop() else {
            return;
        };
        let verdicts = [
            Validation::Accept,
            Validation::Accept,
            Validation::Ignore,
            Validation::Reject,
        ];
        let output = match job {
            _ if self.rng.below(8) == 0 => None,
            Job::Check(_) => Some(Output::Checked(Ok(verdicts[self.rng.below(4)]))),
            Job::Connect(_) => Some(Output::Done),
            Job::Records(_) => Some(Output::Records(Vec::new())),
            Job::Partial(_) => Some(Output::Partial(Ok(None))),
        };
        self.feed(Input::Ran { token, output });
    }

    fn some_wire(&mut self, fits: impl Fn(&Wire) -> bool) -> Option<(StreamKey, Wire)> {
        let wires = self.wires.iter().filter(|(_, wire)| fits(wire));
        let wires: Vec<_> = wires.map(|(stream, wire)| (*stream, *wire)).collect();
        (!wires.is_empty()).then(|| wires[self.rng.below(wires.len())])
    }

    fn close(&mut self) {
        if let Some((stream, _)) = self.some_wire(|_| true) {
            self.wires.remove(&stream);
            self.feed(Input::Stream(StreamInput::Closed { stream }));
        }
    }

    fn wait(&mut self) {
        let end = self.now + Duration::from_millis(self.rng.below(20_000) as u64);
        while let Some(due) = self.machine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    fn ourselves(&mut self) {
        let n = self.rng.below(PEERS);
        let command = match self.rng.below(4) {
            0 | 1 => {
                self.ours = (0..self.rng.below(TOPICS + 1)).map(topic).collect();
                Command::Follow(self.ours.clone())
            }
            2 => Command::Publish(self.message()),
            _ => Command::Judge(peer(n), self.rng.below(5) as f64 - 1.0),
        };
        self.call(command);
    }

    fn message(&mut self) -> Message {
        let data = self.rng.below(50).to_be_bytes().to_vec();
        Message::anonymous(&topic(self.rng.below(TOPICS + 1)), data)
    }

    fn take_frames(&mut self) {
        for _ in 0..4 {
            let Some((stream, _)) = self.some_wire(|wire| !wire.inbound && !wire.has_room) else {
                return;
            };
            self.wires.get_mut(&stream).unwrap().has_room = true;
            self.feed(Input::Stream(StreamInput::Writable { stream }));
        }
    }

    fn hear(&mut self) {
        let Some((stream, wire)) = self.some_wire(|wire| wire.inbound) else {
            return;
        };
        let topic = topic(self.rng.below(TOPICS + 1));
        let (mut rpc, mut control) = (Rpc::default(), Control::default());
        let id = MessageId::of(&self.message());
        match self.rng.below(9) {
            0..3 => rpc.subscriptions = vec![SubOpts::new(topic, true)],
            3 => rpc.subscriptions = vec![SubOpts::new(topic, false)],
            4 => control.graft = vec![topic],
            5 => {
                let (peers, backoff) = (Vec::new(), Some(self.rng.below(90) as u64 + 1));
                let prune = Prune {
                    topic,
                    peers,
                    backoff,
                };
                control.prune = vec![prune];
            }
            6 => control.ihave = vec![IHave { topic, ids: vec![id] }],
            7 => (control.iwant, control.idontwant) = (vec![id.clone()], vec![id]),
            _ => rpc.publish = vec![self.message()],
        }
        rpc.control = control;
        // What an older stream still held does not count, nor what is said of topics that are not ours.
        let mut wires = self.wires.iter();
        let is_newest = wires.all(|(other, of)| !of.inbound || of.peer != wire.peer || *other <= stream);
        for prune in rpc
            .control
            .prune
            .iter()
            .filter(|prune| is_newest && self.ours.contains(&prune.topic))
        {
            let until = self.now + Duration::from_secs(prune.backoff.expect("is told"));
            let known = self
                .backoff
                .entry((wire.peer, prune.topic.clone()))
                .or_insert(until);
            *known = until.max(*known);
        }
        self.feed(Input::Stream(StreamInput::Message { stream, message: rpc }));
    }

    /// All peers leave, and all that was begun ends.
    fn end(&mut self) {
        (0..PEERS).for_each(|n| self.tell_state(n, false));
        while !self.wires.is_empty() {
            self.close();
        }
        while let Some((token, _)) = self.opening.pop() {
            let failure = Failure::Failed;
            self.feed(Input::Stream(StreamInput::OpenFailed { token, failure }));
        }
        while !self.jobs.is_empty() {
            self.settle_job();
        }
        for n in 0..TOPICS {
            assert!(self.peers(Command::Followers(topic(n))).is_empty());
            assert!(self.peers(Command::Mesh(topic(n))).is_empty());
        }
        let Reply::Scores(scores) = self.call(Command::Scores) else {
            panic!("scores")
        };
        assert!(scores.is_empty(), "nothing is left of who left");
    }
}

#[test]
fn what_holds_whatever_peers_do() {
    for seed in 0..150 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        (0..600).for_each(|_| world.step());
        world.end();
    }
}
