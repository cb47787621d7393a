//! A machine, and peers that a test speaks for.

use sinew_floodsub::{Control, IHave, Prune, Rpc, SubOpts};
use sinew_gossipsub::{
    Command, Counts, Job, Machine, Message, MessageId, Notice, Output, Params, Reply, ScoreParams,
    SignaturePolicies, SignaturePolicy, Topic, TopicParams, TopicScore, Trace, Validation,
};
use sinew_identity::PeerId;
use sinew_machine::{
    CallId, Effect, EffectsOf, Input, InputOf, Instant, PeerMachine, PeerState, StreamInput, StreamKey,
    Token, Weight,
};
use sinew_wire::varint;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

pub(crate) type Effects = EffectsOf<Machine>;

pub(crate) const V10: usize = 3;
pub(crate) const V11: usize = 2;
pub(crate) const V12: usize = 1;
pub(crate) const V13: usize = 0;
pub(crate) const FLOODSUB: usize = 4;

/// The topic that is followed.
pub(crate) fn topic() -> Topic {
    nth_topic(0)
}

pub(crate) fn nth_topic(n: usize) -> Topic {
    format!("topic {n}").parse().unwrap()
}

pub(crate) fn peer(n: u8) -> PeerId {
    PeerId::from_bytes(&[&[0x12, 32][..], &[n; 32]].concat()).unwrap()
}

pub(crate) fn inbound(n: u8) -> StreamKey {
    StreamKey(u64::from(n))
}

pub(crate) fn outbound(n: u8) -> StreamKey {
    StreamKey(1000 + u64::from(n))
}

/// A machine, the time, and what it said to whom since that was last looked at. Peers take every frame at once.
pub(crate) struct Rig {
    pub(crate) machine: Machine,
    pub(crate) now: Instant,
    pub(crate) said: BTreeMap<PeerId, Vec<Rpc>>,
    pub(crate) jobs: Vec<(Token, Job)>,
    pub(crate) opening: Vec<Token>,
    pub(crate) resets: Vec<StreamKey>,
    pub(crate) keeps: Vec<(PeerId, &'static str, Weight)>,
    pub(crate) steps: Vec<Trace>,
    /// Peers that take one frame and no more.
    pub(crate) stuck: BTreeSet<u8>,
}

impl Rig {
    pub(crate) fn new(params: Params) -> Self {
        Self::with(params, SignaturePolicy::StrictNoSign)
    }

    pub(crate) fn with(params: Params, policy: impl Into<SignaturePolicies>) -> Self {
        let machine = Machine::new(peer(255), policy, Arc::new(MessageId::of), params, 7);
        Self {
            machine,
            now: Instant(1),
            said: BTreeMap::new(),
            jobs: Vec::new(),
            opening: Vec::new(),
            resets: Vec::new(),
            keeps: Vec::new(),
            steps: Vec::new(),
            stuck: BTreeSet::new(),
        }
    }

    /// One that follows the topic, among peers of the newest version that follow it, and after a first heartbeat.
    pub(crate) fn among(peers: u8, params: Params) -> Self {
        let mut rig = Self::new(params);
        rig.follow(true);
        for n in 0..peers {
            rig.connect(n, V13, true);
        }
        rig.wait(1);
        rig.said.clear();
        rig
    }

    pub(crate) fn feed(&mut self, input: InputOf<Machine>) -> Option<Reply> {
        let mut inputs = vec![input];
        let mut reply = None;
        while let Some(input) = inputs.pop() {
            let mut effects = Effects::new();
            self.machine.handle(self.now, input, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Send { stream, frame } => {
                        let n = u8::try_from(stream.0 - 1000).unwrap();
                        let (_, prefix) = varint::decode(&frame).unwrap().unwrap();
                        let rpc = Rpc::decode(&frame.slice(prefix..)).unwrap();
                        self.said.entry(peer(n)).or_default().push(rpc);
                        if !self.stuck.contains(&n) {
                            inputs.push(Input::Stream(StreamInput::Writable { stream }));
                        }
                    }
                    Effect::Run { token, job } => self.jobs.push((token, job)),
                    Effect::Return { reply: said, .. } => reply = Some(said),
                    Effect::Reset { stream, .. } => self.resets.push(stream),
                    Effect::Keep { peer, tag, weight } => self.keeps.push((peer, tag, weight)),
                    Effect::Emit(Notice::Trace(step)) => self.steps.push(*step),
                    Effect::Open { token, .. } => self.opening.push(token),
                    Effect::Emit(Notice::News(_)) => {}
                }
            }
        }
        reply
    }

    /// One that judges peers by P5 and, in the topic, by what they do there; its messages are short.
    pub(crate) fn judging(change: impl FnOnce(&mut Params)) -> Self {
        let (mut params, mut scored) = (judged(), TopicParams::default());
        scored.score = Some(TopicScore::default());
        scored.max_data = Some(100);
        params.topics.insert(topic(), scored);
        change(&mut params);
        let mut rig = Self::new(params);
        rig.follow(true);
        rig
    }

    /// Streams in both directions, and its topic.
    pub(crate) fn connect(&mut self, n: u8, protocol: usize, we_dialled: bool) {
        let token = self.come(n, we_dialled);
        self.opened(n, protocol, Some(token));
        self.opened(n, protocol, None);
        self.subscribe(n, true);
    }

    /// Streams in both directions that somebody opened who dialled us and says nothing.
    pub(crate) fn stranger(&mut self, n: u8, ips: &[IpAddr]) {
        self.state(n, true, false, ips);
        let token = self.opening.pop();
        self.opened(n, V13, Some(token.expect("a stream is opened")));
        self.opened(n, V13, None);
    }

    /// There is a connection, and a stream is to be opened.
    pub(crate) fn come(&mut self, n: u8, we_dialled: bool) -> Token {
        self.state(n, true, we_dialled, &[]);
        self.opening.pop().expect("a stream is opened")
    }

    pub(crate) fn state(&mut self, n: u8, connected: bool, outbound: bool, ips: &[IpAddr]) {
        self.feed(Input::Peer(PeerState {
            peer: peer(n),
            connected,
            speaks: connected,
            outbound,
            ips: ips.into(),
        }));
    }

    /// The connection ends, and with it the streams.
    pub(crate) fn leave(&mut self, n: u8) {
        self.state(n, false, false, &[]);
        self.closed(inbound(n));
        self.closed(outbound(n));
    }

    pub(crate) fn closed(&mut self, stream: StreamKey) {
        self.feed(Input::Stream(StreamInput::Closed { stream }));
    }

    /// A peer that was stuck takes the next frame.
    pub(crate) fn take(&mut self, n: u8) -> Option<Reply> {
        let stream = outbound(n);
        self.feed(Input::Stream(StreamInput::Writable { stream }))
    }

    pub(crate) fn opened(&mut self, n: u8, protocol: usize, token: Option<Token>) {
        let (stream, peer) = (token.map_or(inbound(n), |_| outbound(n)), peer(n));
        self.feed(Input::Stream(StreamInput::Opened {
            stream,
            peer,
            protocol,
            token,
        }));
    }

    pub(crate) fn subscribe(&mut self, n: u8, on: bool) {
        let rpc = Rpc {
            subscriptions: vec![SubOpts::new(topic(), on)],
            ..Rpc::default()
        };
        self.say(n, rpc);
    }

    pub(crate) fn say(&mut self, n: u8, message: Rpc) {
        let stream = inbound(n);
        self.feed(Input::Stream(StreamInput::Message { stream, message }));
    }

    pub(crate) fn control(&mut self, n: u8, control: Control) {
        self.say(
            n,
            Rpc {
                control,
                ..Rpc::default()
            },
        );
    }

    pub(crate) fn graft(&mut self, n: u8) {
        self.graft_to(n, topic());
    }

    pub(crate) fn graft_to(&mut self, n: u8, topic: Topic) {
        let graft = vec![topic];
        self.control(
            n,
            Control {
                graft,
                ..Control::default()
            },
        );
    }

    pub(crate) fn prune(&mut self, n: u8, topics: impl IntoIterator<Item = Topic>, secs: u64) {
        let prune = |topic| Prune {
            topic,
            peers: Vec::new(),
            backoff: Some(secs),
        };
        let prune = topics.into_iter().map(prune).collect();
        self.control(
            n,
            Control {
                prune,
                ..Control::default()
            },
        );
    }

    pub(crate) fn announce(&mut self, n: u8, ids: Vec<MessageId>) {
        let ihave = vec![IHave { topic: topic(), ids }];
        self.control(
            n,
            Control {
                ihave,
                ..Control::default()
            },
        );
    }

    pub(crate) fn idontwant(&mut self, n: u8, ids: Vec<MessageId>) {
        self.control(
            n,
            Control {
                idontwant: ids,
                ..Control::default()
            },
        );
    }

    pub(crate) fn message(&mut self, n: u8, message: &Message) {
        let publish = vec![message.clone()];
        self.say(
            n,
            Rpc {
                publish,
                ..Rpc::default()
            },
        );
    }

    pub(crate) fn call(&mut self, command: Command) -> Reply {
        let call = CallId(0);
        self.feed(Input::Call { call, command }).unwrap()
    }

    pub(crate) fn follow(&mut self, on: bool) {
        let topics = if on { [topic()].into() } else { BTreeSet::new() };
        self.call(Command::Follow(topics));
    }

    pub(crate) fn publish(&mut self, message: &Message) -> Option<usize> {
        match self.call(Command::Publish(message.clone())) {
            Reply::Published(peers) => peers,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn mesh(&mut self) -> BTreeSet<PeerId> {
        match self.call(Command::Mesh(topic())) {
            Reply::Peers(peers) => peers.into_iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn counts(&mut self) -> Counts {
        match self.call(Command::Counts) {
            Reply::Counts(counts) => *counts,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn score(&mut self, n: u8) -> f64 {
        match self.call(Command::Scores) {
            Reply::Scores(scores) => scores.iter().find(|(id, _)| *id == peer(n)).unwrap().1,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn judge(&mut self, n: u8, score: f64) {
        assert_eq!(self.call(Command::Judge(peer(n), score)), Reply::Judged(true));
    }

    /// Lets seconds pass, with all that is due in them.
    pub(crate) fn wait(&mut self, secs: u64) {
        let end = self.now + Duration::from_secs(secs);
        while let Some(due) = self.machine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    /// Ends the only job that was begun.
    pub(crate) fn settle(&mut self, output: Output) {
        assert_eq!(self.jobs.len(), 1, "{:?}", self.jobs);
        self.ran(Some(output));
    }

    /// Ends the oldest job.
    pub(crate) fn ran(&mut self, output: Option<Output>) {
        let (token, _) = self.jobs.remove(0);
        self.feed(Input::Ran { token, output });
    }

    pub(crate) fn accept(&mut self) {
        self.settle(Output::Checked(Ok(Validation::Accept)));
    }

    /// Takes out what was said to whom, as something of each RPC.
    pub(crate) fn heard<T>(&mut self, part: impl Fn(&Rpc) -> Vec<T>) -> Vec<(PeerId, T)> {
        let said = std::mem::take(&mut self.said);
        let each = said.iter().flat_map(|(peer, rpcs)| {
            let parts = rpcs.iter().flat_map(&part);
            parts.map(|part| (*peer, part)).collect::<Vec<_>>()
        });
        each.collect()
    }

    /// Takes out what was said, as something of each RPC to one peer.
    pub(crate) fn heard_by<T>(&mut self, n: u8, part: impl Fn(&Rpc) -> Vec<T>) -> Vec<T> {
        let heard = self.heard(part).into_iter();
        heard
            .filter(|(to, _)| *to == peer(n))
            .map(|(_, part)| part)
            .collect()
    }

    /// Who was sent messages.
    pub(crate) fn receivers(&mut self) -> BTreeSet<PeerId> {
        let heard = self.heard(|rpc| rpc.publish.clone());
        heard.into_iter().map(|(peer, _)| peer).collect()
    }

    pub(crate) fn grafted(&mut self) -> BTreeSet<PeerId> {
        let heard = self.heard(|rpc| rpc.control.graft.clone());
        heard.into_iter().map(|(peer, _)| peer).collect()
    }

    pub(crate) fn pruned(&mut self) -> Vec<(PeerId, Prune)> {
        self.heard(|rpc| rpc.control.prune.clone())
    }
}

pub(crate) fn message(data: &str) -> Message {
    Message::anonymous(&topic(), data.to_owned())
}

pub(crate) fn peers(range: std::ops::Range<u8>) -> BTreeSet<PeerId> {
    range.map(peer).collect()
}

/// P5 alone counts, one to one.
pub(crate) fn judged() -> Params {
    let mut score = ScoreParams::default();
    score.app_weight = 1.0;
    let mut params = Params::default();
    params.score = Some(score);
    params
}
