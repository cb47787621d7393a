//! The machine by itself: inputs and the effects that they have.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "machine/duties.rs"]
mod duties;
#[path = "machine/guards.rs"]
mod guards;
#[path = "machine/steps.rs"]
mod steps;

use sinew_floodsub::{Control, Extensions, IHave, OtherPeer, Prune, Rpc, SubOpts};
use sinew_gossipsub::{
    Command, Counts, Job, Machine, Mesh, Message, MessageId, Notice, Output, Params, Reply, ScoreParams,
    SignatureError, SignaturePolicy, Thresholds, Topic, TopicParams, TopicScore, Trace, Validation,
};
use sinew_identity::{Keypair, PeerId};
use sinew_machine::{
    CallId, Effect, EffectsOf, Input, InputOf, Instant, PeerMachine, PeerState, StreamInput, StreamKey,
    Token, Weight,
};
use sinew_wire::varint;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

type Effects = EffectsOf<Machine>;

const V10: usize = 3;
const V11: usize = 2;
const V12: usize = 1;
const V13: usize = 0;
const FLOODSUB: usize = 4;

fn topic() -> Topic {
    "a".parse().unwrap()
}

fn peer(n: u8) -> PeerId {
    PeerId::from_bytes(&[&[0x12, 32][..], &[n; 32]].concat()).unwrap()
}

fn inbound(n: u8) -> StreamKey {
    StreamKey(u64::from(n))
}

fn outbound(n: u8) -> StreamKey {
    StreamKey(1000 + u64::from(n))
}

/// A machine, the time, and what it said to whom since that was last looked at. Peers take every frame at once.
struct Rig {
    machine: Machine,
    now: Instant,
    said: BTreeMap<PeerId, Vec<Rpc>>,
    jobs: Vec<(Token, Job)>,
    resets: Vec<StreamKey>,
    keeps: Vec<(PeerId, &'static str, Weight)>,
    steps: Vec<Trace>,
    /// A peer that takes one frame and no more.
    stuck: Option<u8>,
}

impl Rig {
    fn new(params: Params) -> Self {
        Self::with(params, SignaturePolicy::StrictNoSign)
    }

    fn with(params: Params, policy: SignaturePolicy) -> Self {
        let machine = Machine::new(peer(255), policy, Arc::new(MessageId::of), params, 7);
        Self {
            machine,
            now: Instant(1),
            said: BTreeMap::new(),
            jobs: Vec::new(),
            resets: Vec::new(),
            keeps: Vec::new(),
            steps: Vec::new(),
            stuck: None,
        }
    }

    /// One that follows the topic, among peers of the newest version that follow it, and after a first heartbeat.
    fn among(peers: u8, params: Params) -> Self {
        let mut rig = Self::new(params);
        rig.follow(true);
        for n in 0..peers {
            rig.connect(n, V13, true);
        }
        rig.wait(1);
        rig.said.clear();
        rig
    }

    fn feed(&mut self, input: InputOf<Machine>) -> Option<Reply> {
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
                        if self.stuck != Some(n) {
                            inputs.push(Input::Stream(StreamInput::Writable { stream }));
                        }
                    }
                    Effect::Run { token, job } => self.jobs.push((token, job)),
                    Effect::Return { reply: said, .. } => reply = Some(said),
                    Effect::Reset { stream, .. } => self.resets.push(stream),
                    Effect::Keep { peer, tag, weight } => self.keeps.push((peer, tag, weight)),
                    Effect::Emit(Notice::Trace(step)) => self.steps.push(*step),
                    Effect::Open { .. } | Effect::Emit(Notice::News(_)) => {}
                }
            }
        }
        reply
    }

    /// Streams in both directions, and its topic.
    fn connect(&mut self, n: u8, protocol: usize, we_dialled: bool) {
        let token = self.come(n, we_dialled);
        self.opened(n, protocol, Some(token));
        self.opened(n, protocol, None);
        self.subscribe(n, true);
    }

    /// There is a connection, and a stream is to be opened.
    fn come(&mut self, n: u8, we_dialled: bool) -> Token {
        let mut effects = Effects::new();
        let state = PeerState {
            peer: peer(n),
            connected: true,
            speaks: true,
            outbound: we_dialled,
            ips: Arc::default(),
        };
        self.machine.handle(self.now, Input::Peer(state), &mut effects);
        let token = effects.iter().find_map(|effect| match effect {
            Effect::Open { token, .. } => Some(*token),
            _ => None,
        });
        token.expect("a stream is opened")
    }

    fn opened(&mut self, n: u8, protocol: usize, token: Option<Token>) {
        let (stream, peer) = (token.map_or(inbound(n), |_| outbound(n)), peer(n));
        self.feed(Input::Stream(StreamInput::Opened {
            stream,
            peer,
            protocol,
            token,
        }));
    }

    fn subscribe(&mut self, n: u8, on: bool) {
        let rpc = Rpc {
            subscriptions: vec![SubOpts::new(topic(), on)],
            ..Rpc::default()
        };
        self.say(n, rpc);
    }

    fn say(&mut self, n: u8, message: Rpc) {
        let stream = inbound(n);
        self.feed(Input::Stream(StreamInput::Message { stream, message }));
    }

    fn control(&mut self, n: u8, control: Control) {
        self.say(
            n,
            Rpc {
                control,
                ..Rpc::default()
            },
        );
    }

    fn graft(&mut self, n: u8) {
        let graft = vec![topic()];
        self.control(
            n,
            Control {
                graft,
                ..Control::default()
            },
        );
    }

    fn message(&mut self, n: u8, message: &Message) {
        let publish = vec![message.clone()];
        self.say(
            n,
            Rpc {
                publish,
                ..Rpc::default()
            },
        );
    }

    fn call(&mut self, command: Command) -> Reply {
        let call = CallId(0);
        self.feed(Input::Call { call, command }).unwrap()
    }

    fn follow(&mut self, on: bool) {
        let topics = if on { [topic()].into() } else { BTreeSet::new() };
        self.call(Command::Follow(topics));
    }

    fn publish(&mut self, message: &Message) -> Option<usize> {
        match self.call(Command::Publish(message.clone())) {
            Reply::Published(peers) => peers,
            other => panic!("{other:?}"),
        }
    }

    fn mesh(&mut self) -> BTreeSet<PeerId> {
        match self.call(Command::Mesh(topic())) {
            Reply::Peers(peers) => peers.into_iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    fn counts(&mut self) -> Counts {
        match self.call(Command::Counts) {
            Reply::Counts(counts) => counts,
            other => panic!("{other:?}"),
        }
    }

    fn score(&mut self, n: u8) -> f64 {
        match self.call(Command::Scores) {
            Reply::Scores(scores) => scores.iter().find(|(id, _)| *id == peer(n)).unwrap().1,
            other => panic!("{other:?}"),
        }
    }

    fn judge(&mut self, n: u8, score: f64) {
        assert_eq!(self.call(Command::Judge(peer(n), score)), Reply::Judged(true));
    }

    /// Lets seconds pass, with all that is due in them.
    fn wait(&mut self, secs: u64) {
        let end = self.now + Duration::from_secs(secs);
        while let Some(due) = self.machine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    /// Ends the only job that was begun.
    fn settle(&mut self, output: Output) {
        let [(token, _)] = self.jobs[..] else {
            panic!("{:?}", self.jobs)
        };
        self.jobs.clear();
        let output = Some(output);
        self.feed(Input::Ran { token, output });
    }

    fn accept(&mut self) {
        self.settle(Output::Checked(Ok(Validation::Accept)));
    }

    /// Takes out what was said to whom, as something of each RPC.
    fn heard<T>(&mut self, part: impl Fn(&Rpc) -> Vec<T>) -> Vec<(PeerId, T)> {
        let said = std::mem::take(&mut self.said);
        let each = said.iter().flat_map(|(peer, rpcs)| {
            let parts = rpcs.iter().flat_map(&part);
            parts.map(|part| (*peer, part)).collect::<Vec<_>>()
        });
        each.collect()
    }

    /// Who was sent messages.
    fn receivers(&mut self) -> BTreeSet<PeerId> {
        let heard = self.heard(|rpc| rpc.publish.clone());
        heard.into_iter().map(|(peer, _)| peer).collect()
    }

    fn grafted(&mut self) -> BTreeSet<PeerId> {
        let heard = self.heard(|rpc| rpc.control.graft.clone());
        heard.into_iter().map(|(peer, _)| peer).collect()
    }

    fn pruned(&mut self) -> Vec<(PeerId, Prune)> {
        self.heard(|rpc| rpc.control.prune.clone())
    }
}

fn message(data: &str) -> Message {
    Message::anonymous(&topic(), data.to_owned())
}

fn peers(range: std::ops::Range<u8>) -> BTreeSet<PeerId> {
    range.map(peer).collect()
}

/// P5 alone counts, one to one.
fn judged() -> Params {
    let mut score = ScoreParams::default();
    score.app_weight = 1.0;
    let mut params = Params::default();
    params.score = Some(score);
    params
}

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
fn messages_of_a_batch_are_with_somebody_each_before_any_is_with_all() {
    let mut rig = Rig::among(4, Params::default());
    // Nobody takes a frame any more.
    let mut effects = Effects::new();
    let call = CallId(0);
    let mut command = |rig: &mut Rig, command| {
        let input = Input::Call { call, command };
        rig.machine.handle(rig.now, input, &mut effects);
        std::mem::take(&mut effects)
    };
    command(&mut rig, Command::Publish(message("first")));
    let batch: Vec<_> = ["0", "1", "2", "3", "3"].map(message).into();
    let reply = Reply::Batch(vec![Some(4), Some(4), Some(4), Some(4), None]);
    let answered = command(&mut rig, Command::PublishBatch(batch));
    assert_eq!(answered, [Effect::Return { call, reply }]);
    (0..4).for_each(|n| {
        rig.feed(Input::Stream(StreamInput::Writable { stream: outbound(n) }));
    });
    let heard = rig.heard(|rpc| rpc.publish.iter().map(|it| it.data().to_vec()).collect());
    let order: Vec<_> = (0..4)
        .map(|n| {
            let its = heard.iter().filter(|(to, _)| *to == peer(n));
            its.map(|(_, data)| char::from(data[0])).collect::<String>()
        })
        .collect();
    assert_eq!(order, ["0321", "1032", "2103", "3210"]);
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
fn messages_go_to_the_mesh_and_gossip_to_others() {
    let mut rig = Rig::among(20, Params::default());
    let mesh = rig.mesh();
    let sender = (0..20).find(|n| !mesh.contains(&peer(*n))).unwrap();
    let message = message("hello");
    rig.message(sender, &message);
    rig.accept();
    assert_eq!(rig.receivers(), mesh);
    let told = |rig: &mut Rig| -> BTreeSet<PeerId> {
        rig.wait(1);
        let heard = rig.heard(|rpc| rpc.control.ihave.clone());
        assert!(
            heard
                .iter()
                .all(|(_, ihave)| ihave.ids == [MessageId::of(&message)])
        );
        heard.into_iter().map(|(peer, _)| peer).collect()
    };
    for _ in 0..3 {
        let told = told(&mut rig);
        assert!(told.len() == 6 && told.is_disjoint(&mesh), "{told:?}");
    }
    assert!(told(&mut rig).is_empty(), "not for ever");
    assert_eq!(rig.counts().accepted, 1);
}

#[test]
fn our_own_messages_go_to_everybody_if_they_are_flooded() {
    let mut rig = Rig::among(10, Params::default());
    assert_eq!(rig.publish(&message("flooded")), Some(10));
    assert_eq!(rig.receivers(), peers(0..10));
    assert_eq!(rig.publish(&message("flooded")), None);
    let mut params = Params::default();
    params.flood_publish = false;
    let mut rig = Rig::among(10, params);
    let mesh = rig.mesh();
    assert_eq!(rig.publish(&message("to the mesh")), Some(6));
    assert_eq!(rig.receivers(), mesh);
}

#[test]
fn a_topic_that_is_not_followed_has_a_fanout_for_a_while() {
    let mut params = Params::default();
    params.flood_publish = false;
    let mut rig = Rig::new(params);
    for n in 0..20 {
        rig.connect(n, V11, true);
    }
    assert_eq!(rig.publish(&message("1")), Some(6));
    let fanout = rig.receivers();
    rig.wait(30);
    assert_eq!(rig.publish(&message("2")), Some(6));
    assert_eq!(rig.receivers(), fanout, "the same peers");
    let gone = (0..20).find(|n| fanout.contains(&peer(*n))).unwrap();
    rig.subscribe(gone, false);
    rig.wait(1);
    assert_eq!(rig.publish(&message("3")), Some(6));
    let refilled = rig.receivers();
    assert!(!refilled.contains(&peer(gone)));
    rig.follow(true);
    assert_eq!(rig.grafted(), refilled, "they become the mesh");
    rig.follow(false);
    rig.wait(100);
    rig.publish(&message("4"));
    assert_ne!(rig.receivers(), refilled, "after a minute others are chosen");
}

#[test]
fn who_is_told_of_messages_asks_for_those_it_lacks() {
    let mut rig = Rig::among(1, Params::default());
    let (known, lacking) = (message("known"), message("lacking"));
    rig.message(0, &known);
    rig.accept();
    let ids = vec![MessageId::of(&known), MessageId::of(&lacking)];
    let ihave = vec![IHave { topic: topic(), ids }];
    rig.control(
        0,
        Control {
            ihave,
            ..Control::default()
        },
    );
    let asked = rig.heard(|rpc| rpc.control.iwant.clone());
    assert_eq!(asked, [(peer(0), MessageId::of(&lacking))]);
}

#[test]
fn announcements_are_bounded() {
    let mut params = Params::default();
    params.max_ihave_length = 25;
    let mut rig = Rig::among(1, params);
    let announce = |rig: &mut Rig, range: std::ops::Range<u32>| {
        let ids = range.map(|n| n.to_be_bytes().to_vec().into()).collect();
        let ihave = vec![IHave { topic: topic(), ids }];
        rig.control(
            0,
            Control {
                ihave,
                ..Control::default()
            },
        );
        rig.heard(|rpc| rpc.control.iwant.clone()).len()
    };
    assert_eq!(announce(&mut rig, 0..20), 20);
    assert_eq!(announce(&mut rig, 20..40), 5);
    assert_eq!(announce(&mut rig, 40..60), 0);
    rig.wait(1);
    for n in 0..10 {
        assert_eq!(announce(&mut rig, n..n + 1), 1);
    }
    assert_eq!(announce(&mut rig, 10..11), 0, "ten times for each heartbeat");
}

#[test]
fn of_many_messages_each_peer_is_told_others() {
    let mut params = Params::default();
    (params.max_ihave_length, params.flood_publish) = (20, false);
    let mut rig = Rig::among(40, params);
    (0..100).for_each(|n| drop(rig.publish(&message(&n.to_string()))));
    rig.said.clear();
    rig.wait(1);
    let told = rig.heard(|rpc| rpc.control.ihave.clone());
    assert_eq!(told.len(), 8, "a quarter of those outside the mesh");
    assert!(told.iter().all(|(_, ihave)| ihave.ids.len() == 20));
    let all: BTreeSet<_> = told.iter().flat_map(|(_, ihave)| &ihave.ids).collect();
    assert!(all.len() > 20, "{}", all.len());
}

#[test]
fn who_asks_is_sent_a_message_three_times() {
    let mut rig = Rig::among(1, Params::default());
    let message = message("x");
    rig.publish(&message);
    rig.said.clear();
    let iwant = Control {
        iwant: vec![MessageId::of(&message), MessageId::from(&b"unknown"[..])],
        ..Control::default()
    };
    let sent: Vec<_> = (0..4)
        .map(|_| {
            rig.control(0, iwant.clone());
            rig.heard(|rpc| rpc.publish.clone()).len()
        })
        .collect();
    assert_eq!(sent, [1, 1, 1, 0]);
}

#[test]
fn what_was_promised_and_does_not_come_is_misbehaviour() {
    let mut rig = Rig::among(2, judged());
    let (kept, broken) = (message("kept"), MessageId::from(&b"broken"[..]));
    for (n, id) in [(0, MessageId::of(&kept)), (1, broken)] {
        let ihave = vec![IHave {
            topic: topic(),
            ids: vec![id],
        }];
        rig.control(
            n,
            Control {
                ihave,
                ..Control::default()
            },
        );
    }
    rig.message(0, &kept);
    rig.accept();
    rig.wait(4);
    assert_eq!(rig.counts().broken_promises, 1);
    assert!(rig.score(1) < 0.0 && rig.score(0) >= 0.0);
    assert!(!rig.mesh().contains(&peer(1)) || rig.score(1) >= 0.0);
}

#[test]
fn a_promise_counts_from_when_the_peer_was_asked() {
    let mut rig = Rig::among(1, Params::default());
    rig.stuck = Some(0);
    rig.publish(&message("on its way"));
    let announce = |rig: &mut Rig, data| {
        let ids = vec![MessageId::of(&message(data))];
        let ihave = vec![IHave { topic: topic(), ids }];
        rig.control(
            0,
            Control {
                ihave,
                ..Control::default()
            },
        );
    };
    announce(&mut rig, "lacking");
    announce(&mut rig, "here soon");
    let has_left = Input::Stream(StreamInput::Writable { stream: outbound(0) });
    rig.wait(10);
    rig.feed(has_left.clone());
    assert_eq!(rig.heard(|rpc| rpc.control.iwant.clone()).len(), 2);
    rig.connect(1, V13, true);
    rig.message(1, &message("here soon"));
    rig.accept();
    rig.wait(10);
    assert_eq!(rig.counts().broken_promises, 0, "it is not asked yet");
    rig.feed(has_left);
    rig.wait(2);
    assert_eq!(rig.counts().broken_promises, 0);
    rig.wait(2);
    assert_eq!(rig.counts().broken_promises, 1);
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
    rig.stuck = Some(0);
    rig.publish(&message("on its way"));
    rig.said.clear();
    let (call, command) = (CallId(7), Command::Leave);
    assert_eq!(rig.feed(Input::Call { call, command }), None);
    assert_eq!(rig.pruned().len(), 1);
    let has_left = Input::Stream(StreamInput::Writable { stream: outbound(0) });
    assert_eq!(rig.feed(has_left.clone()), None);
    let (to, prune) = rig.pruned().remove(0);
    assert_eq!((to, prune.backoff), (peer(0), Some(10)));
    assert_eq!(rig.feed(has_left), Some(Reply::Done));
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
fn explicit_peers_are_dialled_and_sent_everything() {
    let mut params = judged();
    params.explicit = peers(0..2);
    let mut rig = Rig::among(0, params);
    let dialled = std::mem::take(&mut rig.jobs);
    assert_eq!(dialled.len(), 2);
    rig.connect(0, V11, true);
    rig.connect(2, V11, true);
    rig.judge(0, -1000.0);
    rig.wait(1);
    rig.said.clear();
    let message = message("x");
    rig.message(0, &message);
    rig.accept();
    assert_eq!(rig.receivers(), peers(2..3), "whatever its score is");
    let other = Message::anonymous(&topic(), "y");
    rig.message(2, &other);
    rig.accept();
    assert_eq!(rig.receivers(), peers(0..1));
    assert_eq!(rig.mesh(), peers(2..3));
}

#[test]
fn large_messages_are_not_sent_to_who_has_them() {
    let mut rig = Rig::among(3, Params::default());
    let (small, large) = (message("x"), message(&"x".repeat(2000)));
    rig.message(0, &small);
    assert!(rig.heard(|rpc| rpc.control.idontwant.clone()).is_empty());
    rig.accept();
    rig.said.clear();
    rig.message(0, &large);
    let told = rig.heard(|rpc| rpc.control.idontwant.clone());
    let id = MessageId::of(&large);
    assert_eq!(
        told,
        [(peer(1), id.clone()), (peer(2), id.clone())],
        "before it is judged"
    );
    let idontwant = vec![id];
    rig.control(
        1,
        Control {
            idontwant,
            ..Control::default()
        },
    );
    assert_eq!(rig.counts().idontwants, 1);
    rig.accept();
    assert_eq!(rig.receivers(), peers(2..3));
    let old = Rig::among(0, Params::default());
    let mut rig = old;
    rig.connect(0, V12, true);
    rig.connect(1, V11, true);
    rig.wait(1);
    rig.said.clear();
    rig.message(0, &large);
    assert!(
        rig.heard(|rpc| rpc.control.idontwant.clone()).is_empty(),
        "1.1 knows nothing of it"
    );
}

#[test]
fn of_a_signed_message_nobody_is_told_before_it_is_verified() {
    let mut rig = Rig::with(Params::default(), SignaturePolicy::StrictSign);
    rig.follow(true);
    rig.connect(0, V12, true);
    rig.connect(1, V12, true);
    rig.wait(1);
    rig.said.clear();
    let author = Keypair::generate();
    let message = Message::signed(&author, 1 << 60, &topic(), vec![0; 2000]).unwrap();
    rig.message(0, &message);
    assert!(rig.heard(|rpc| rpc.control.idontwant.clone()).is_empty());
    let forged = SignatureError::Invalid(author.peer_id());
    rig.settle(Output::Checked(Err(forged)));
    assert!(rig.said.is_empty());
    rig.message(0, &message);
    rig.accept();
    let told = rig.heard(|rpc| rpc.control.idontwant.clone());
    assert_eq!(told, [(peer(1), MessageId::of(&message))]);
    assert_eq!((rig.counts().forged, rig.counts().accepted), (1, 1));
}

/// A machine whose second peer takes no more frames, while a message waits for it.
fn with_queued(second: &Message) -> Rig {
    let mut rig = Rig::among(2, Params::default());
    let mut effects = Effects::new();
    let first = message("first");
    let feed = |rig: &mut Rig, input, effects: &mut Effects| rig.machine.handle(rig.now, input, effects);
    for message in [&first, second] {
        let publish = vec![message.clone()];
        let rpc = Rpc {
            publish,
            ..Rpc::default()
        };
        let stream = inbound(0);
        let input = Input::Stream(StreamInput::Message { stream, message: rpc });
        feed(&mut rig, input, &mut effects);
        let Some(Effect::Run { token, .. }) = effects.pop() else {
            panic!("{effects:?}")
        };
        let output = Some(Output::Checked(Ok(Validation::Accept)));
        feed(&mut rig, Input::Ran { token, output }, &mut effects);
    }
    rig
}

#[test]
fn a_queued_message_is_dropped_when_its_peer_sends_it() {
    let second = message("second");
    let mut rig = with_queued(&second);
    rig.message(1, &second);
    assert_eq!((rig.counts().duplicates, rig.counts().withdrawn), (1, 1));
    rig.feed(Input::Stream(StreamInput::Writable { stream: outbound(1) }));
    assert!(rig.receivers().is_empty());
}

#[test]
fn a_queued_message_is_dropped_when_it_is_not_wanted() {
    let second = message("second");
    let mut rig = with_queued(&second);
    let idontwant = vec![MessageId::of(&second)];
    rig.control(
        1,
        Control {
            idontwant,
            ..Control::default()
        },
    );
    assert_eq!(rig.counts().withdrawn, 1);
    rig.feed(Input::Stream(StreamInput::Writable { stream: outbound(1) }));
    assert!(rig.receivers().is_empty());
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
fn bad_peers_leave_the_mesh_and_are_not_listened_to() {
    let mut rig = Rig::among(4, judged());
    assert_eq!(rig.mesh(), peers(0..4));
    rig.judge(0, -1.0);
    rig.wait(1);
    assert_eq!(rig.mesh(), peers(1..4));
    assert_eq!(rig.pruned().len(), 1);
    let thresholds = Thresholds::default();
    rig.judge(0, thresholds.publish - 1.0);
    assert_eq!(rig.publish(&message("1")), Some(3));
    rig.judge(0, thresholds.graylist - 1.0);
    rig.message(0, &message("2"));
    assert!(rig.jobs.is_empty());
    assert_eq!(rig.counts().graylisted, 1);
    rig.judge(0, thresholds.gossip - 1.0);
    let ihave = vec![IHave {
        topic: topic(),
        ids: vec![b"new"[..].into()],
    }];
    rig.said.clear();
    rig.control(
        0,
        Control {
            ihave,
            ..Control::default()
        },
    );
    assert!(rig.said.is_empty());
}

#[test]
fn invalid_messages_lower_the_score_of_all_who_sent_them() {
    let mut params = judged();
    let mut scored = TopicParams::default();
    scored.score = Some(TopicScore::default());
    params.topics.insert(topic(), scored);
    let mut rig = Rig::among(3, params);
    let message = message("bad");
    rig.message(0, &message);
    rig.message(1, &message);
    let before = [rig.score(0), rig.score(1), rig.score(2)];
    rig.settle(Output::Checked(Ok(Validation::Reject)));
    assert!(rig.score(0) < before[0] && rig.score(1) < before[1]);
    rig.message(2, &message);
    assert!(rig.score(2) < before[2], "and who comes later");
    assert!(rig.jobs.is_empty(), "it is not judged again");
    let good = Message::anonymous(&topic(), "good");
    let before = rig.score(2);
    rig.message(2, &good);
    rig.accept();
    assert!(rig.score(2) > before, "the first to bring a message gains");
}

#[test]
fn messages_have_a_bound_for_each_topic() {
    let mut params = Params::default();
    let mut bounded = TopicParams::default();
    bounded.max_data = Some(3);
    params.topics.insert(topic(), bounded);
    let mut rig = Rig::among(1, params);
    rig.message(0, &message("long"));
    assert!(rig.jobs.is_empty());
    rig.message(0, &message("abc"));
    assert_eq!((rig.jobs.len(), rig.counts().unwanted), (1, 1));
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

fn with_test_extension() -> Rig {
    let mut params = judged();
    params.test_extension = true;
    let mut rig = Rig::new(params);
    rig.follow(true);
    rig
}

#[test]
fn extensions_are_told_in_the_first_rpc_alone() {
    let mut rig = with_test_extension();
    rig.connect(0, V13, true);
    rig.connect(1, V12, true);
    rig.wait(2);
    let said = rig.said.remove(&peer(0)).unwrap();
    assert!(said[0].control.extensions.is_some_and(|ours| ours.test_extension));
    assert!(said.len() > 1 && said[1..].iter().all(|rpc| rpc.control.extensions.is_none()));
    assert!(
        said.iter().all(|rpc| !rpc.test_extension),
        "it did not say that it knows it"
    );
    let said = rig.said.remove(&peer(1)).unwrap();
    assert!(
        said.iter().all(|rpc| rpc.control.extensions.is_none()),
        "1.2 knows none"
    );
}

#[test]
fn extensions_that_both_know_are_used_and_told_once() {
    let mut rig = with_test_extension();
    let extensions = Some(Extensions {
        test_extension: true,
        partial_messages: false,
    });
    let theirs = Control {
        extensions,
        ..Control::default()
    };
    rig.opened(1, V13, None);
    rig.control(1, theirs.clone());
    let token = rig.come(1, true);
    rig.opened(1, V13, Some(token));
    let said = rig.said.remove(&peer(1)).unwrap();
    assert!(said[0].test_extension && said[0].control.extensions.is_some());
    let before = rig.score(1);
    rig.control(1, theirs);
    assert!(rig.score(1) < before, "twice is misbehaviour");
}

#[test]
fn a_blocked_peer_is_not_heard_and_not_quoted() {
    let mut rig = Rig::with(Params::default(), SignaturePolicy::StrictSign);
    rig.follow(true);
    let author = Keypair::generate();
    rig.connect(0, V11, true);
    rig.connect(1, V11, true);
    rig.call(Command::Block(peer(0), Duration::MAX));
    rig.call(Command::Block(author.peer_id(), Duration::MAX));
    assert_eq!(rig.resets, [inbound(0)]);
    assert!(!rig.mesh().contains(&peer(0)));
    let message = Message::signed(&author, 1 << 60, &topic(), "x").unwrap();
    rig.message(1, &message);
    assert!(rig.jobs.is_empty());
    rig.call(Command::Block(author.peer_id(), Duration::ZERO));
    rig.message(1, &message);
    assert_eq!(rig.jobs.len(), 1);
}

#[test]
fn numbers_that_contradict_each_other_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    let mut none = Params::default();
    none.mesh = Mesh {
        target: 0,
        low: 0,
        high: 0,
        score: 0,
        outbound: 0,
    };
    assert_eq!(none.check(), Ok(()), "a bootstrapper has no mesh");
    let changes: [fn(&mut Params); 6] = [
        |params| params.mesh.high = 5,
        |params| params.mesh.outbound = 4,
        |params| params.history_gossip = 6,
        |params| params.heartbeat = Duration::ZERO,
        |params| params.gossip_factor = 2.0,
        |params| {
            let mut score = ScoreParams::default();
            score.thresholds.graylist = 0.0;
            params.score = Some(score);
        },
    ];
    for change in changes {
        let mut params = Params::default();
        change(&mut params);
        assert!(params.check().is_err(), "{params:?}");
    }
}
