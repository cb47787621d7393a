//! What the specification asks of the machine towards peers that do not keep to it, and towards those that do.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use sinew_floodsub::{Control, IHave, MAX_TOPICS, Prune, Rpc, SubOpts};
use sinew_gossipsub::{
    Command, Counts, Job, Machine, Mesh, Message, MessageId, Output, Params, Reply, ScoreParams,
    SignatureError, SignaturePolicy, Topic, TopicParams, TopicScore, Validation,
};
use sinew_identity::{Keypair, PeerId};
use sinew_machine::{
    BUDGET, CallId, Effect, EffectsOf, Input, Instant, PeerMachine, PeerState, StreamInput, StreamKey, Token,
};
use sinew_wire::varint;
use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

/// The first protocol in the list.
const NEWEST: usize = 0;

type Effects = EffectsOf<Machine>;

fn topic(n: usize) -> Topic {
    format!("topic {n}").parse().unwrap()
}

fn peer(n: u64) -> PeerId {
    let digest = [&n.to_be_bytes()[..], &[0; 24]].concat();
    PeerId::from_bytes(&[&[0x12, 32][..], &digest].concat()).unwrap()
}

fn inbound(n: u64) -> StreamKey {
    StreamKey(2 * n)
}

fn outbound(n: u64) -> StreamKey {
    StreamKey(2 * n + 1)
}

/// A machine that follows a topic, and what it wants done. Peers take every frame at once, unless they are stuck.
struct Rig {
    machine: Machine,
    now: Instant,
    said: Vec<(PeerId, Rpc)>,
    jobs: Vec<(Token, Job)>,
    opening: Vec<Token>,
    resets: BTreeSet<StreamKey>,
    are_stuck: bool,
}

impl Rig {
    fn new(params: Params, policy: SignaturePolicy) -> Self {
        let mut rig = Self {
            machine: Machine::new(peer(u64::MAX), policy, Arc::new(MessageId::of), params, 7),
            now: Instant(1),
            said: Vec::new(),
            jobs: Vec::new(),
            opening: Vec::new(),
            resets: BTreeSet::new(),
            are_stuck: false,
        };
        rig.call(Command::Follow([topic(0)].into()));
        rig
    }

    /// One that judges peers by P5 to P7 and, in the topic, by P4, and to which they send messages without author.
    fn judging(change: impl FnOnce(&mut Params)) -> Self {
        let mut params = Params::default();
        let mut score = ScoreParams::default();
        score.app_weight = 1.0;
        params.score = Some(score);
        let mut scored = TopicParams::default();
        scored.score = Some(TopicScore::default());
        scored.max_data = Some(100);
        params.topics.insert(topic(0), scored);
        change(&mut params);
        Self::new(params, SignaturePolicy::StrictNoSign)
    }

    fn feed(&mut self, input: Input<Command, Rpc, Output>) -> Option<Reply> {
        let mut inputs = vec![input];
        let mut answer = None;
        while let Some(input) = inputs.pop() {
            let mut effects = Effects::new();
            self.machine.handle(self.now, input, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Send { stream, frame } => {
                        let (_, prefix) = varint::decode(&frame).unwrap().unwrap();
                        let rpc = Rpc::decode(&frame.slice(prefix..)).unwrap();
                        self.said.push((peer(stream.0 / 2), rpc));
                        if !self.are_stuck {
                            inputs.push(Input::Stream(StreamInput::Writable { stream }));
                        }
                    }
                    Effect::Open { token, .. } => self.opening.push(token),
                    Effect::Run { token, job } => self.jobs.push((token, job)),
                    Effect::Return { reply, .. } => answer = Some(reply),
                    Effect::Reset { stream, .. } => drop(self.resets.insert(stream)),
                    Effect::Emit(_) | Effect::Keep { .. } => {}
                }
            }
        }
        answer
    }

    fn call(&mut self, command: Command) -> Reply {
        let call = CallId(0);
        self.feed(Input::Call { call, command }).unwrap()
    }

    fn state(&mut self, n: u64, connected: bool, ips: &[IpAddr]) {
        let state = PeerState {
            peer: peer(n),
            connected,
            speaks: connected,
            outbound: false,
            ips: ips.into(),
        };
        self.feed(Input::Peer(state));
    }

    fn opened(&mut self, n: u64, token: Option<Token>) {
        let stream = token.map_or(inbound(n), |_| outbound(n));
        let (peer, protocol) = (peer(n), NEWEST);
        self.feed(Input::Stream(StreamInput::Opened {
            stream,
            peer,
            protocol,
            token,
        }));
    }

    /// A connection, and streams in both directions.
    fn connect(&mut self, n: u64, ips: &[IpAddr]) {
        self.state(n, true, ips);
        let token = self.opening.pop();
        self.opened(n, Some(token.expect("a stream is opened")));
        self.opened(n, None);
    }

    fn closed(&mut self, stream: StreamKey) {
        self.feed(Input::Stream(StreamInput::Closed { stream }));
    }

    /// The connection ends, and with it the streams.
    fn leave(&mut self, n: u64) {
        self.state(n, false, &[]);
        self.closed(inbound(n));
        self.closed(outbound(n));
    }

    fn say(&mut self, n: u64, message: Rpc) {
        let stream = inbound(n);
        self.feed(Input::Stream(StreamInput::Message { stream, message }));
    }

    fn control(&mut self, n: u64, control: Control) {
        self.say(
            n,
            Rpc {
                control,
                ..Rpc::default()
            },
        );
    }

    fn subscribe(&mut self, n: u64) {
        let subscriptions = vec![SubOpts::new(topic(0), true)];
        self.say(
            n,
            Rpc {
                subscriptions,
                ..Rpc::default()
            },
        );
    }

    fn graft(&mut self, n: u64, graft: Vec<Topic>) {
        self.control(
            n,
            Control {
                graft,
                ..Control::default()
            },
        );
    }

    fn prune(&mut self, n: u64, topics: impl IntoIterator<Item = usize>, secs: u64) {
        let prune = |n| Prune {
            topic: topic(n),
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

    fn announce(&mut self, n: u64, ids: Vec<MessageId>) {
        let ihave = vec![IHave { topic: topic(0), ids }];
        self.control(
            n,
            Control {
                ihave,
                ..Control::default()
            },
        );
    }

    fn message(&mut self, n: u64, message: &Message) {
        let publish = vec![message.clone()];
        self.say(
            n,
            Rpc {
                publish,
                ..Rpc::default()
            },
        );
    }

    fn ran(&mut self, output: Option<Output>) {
        let (token, _) = self.jobs.remove(0);
        self.feed(Input::Ran { token, output });
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

    fn mesh(&mut self) -> Vec<PeerId> {
        match self.call(Command::Mesh(topic(0))) {
            Reply::Peers(peers) => peers,
            other => panic!("{other:?}"),
        }
    }

    fn score(&mut self, n: u64) -> f64 {
        match self.call(Command::Scores) {
            Reply::Scores(scores) => scores.iter().find(|(id, _)| *id == peer(n)).unwrap().1,
            other => panic!("{other:?}"),
        }
    }

    fn counts(&mut self) -> Counts {
        match self.call(Command::Counts) {
            Reply::Counts(counts) => counts,
            other => panic!("{other:?}"),
        }
    }

    /// Takes out something of what was said to a peer.
    fn heard<T>(&mut self, n: u64, part: impl Fn(Rpc) -> Vec<T>) -> Vec<T> {
        let said = std::mem::take(&mut self.said).into_iter();
        said.filter(|(to, _)| *to == peer(n))
            .flat_map(|(_, rpc)| part(rpc))
            .collect()
    }
}

fn message(data: &str) -> Message {
    Message::anonymous(&topic(0), data.to_owned())
}

#[test]
fn who_takes_no_stream_of_ours_is_judged_all_the_same() {
    let mut rig = Rig::judging(|_| {});
    rig.state(1, true, &[]);
    rig.opened(1, None);
    for _ in 0..4 {
        rig.message(1, &message(&"long".repeat(99)));
    }
    assert!(rig.score(1) < 0.0);
    rig.closed(inbound(1));
    rig.opened(1, None);
    assert!(rig.score(1) < 0.0, "another stream is no forgiveness");
}

#[test]
fn who_cannot_be_sent_messages_gets_no_place_in_a_mesh() {
    let mut rig = Rig::judging(|_| {});
    rig.state(1, true, &[]);
    let token = rig.opening.pop().unwrap();
    rig.opened(1, None);
    rig.subscribe(1);
    rig.graft(1, vec![topic(0)]);
    assert_eq!(rig.mesh(), []);
    // It hears of it once it can.
    rig.opened(1, Some(token));
    let pruned = rig.heard(1, |rpc| rpc.control.prune);
    assert_eq!(pruned.len(), 1);
}

#[test]
fn a_graft_that_did_not_leave_yet_is_taken_back_by_a_prune() {
    let mut rig = Rig::judging(|_| {});
    rig.are_stuck = true;
    rig.connect(1, &[]);
    rig.subscribe(1);
    rig.wait(1);
    assert_eq!(rig.mesh(), [peer(1)]);
    rig.prune(1, [0], 60);
    rig.are_stuck = false;
    let stream = outbound(1);
    rig.feed(Input::Stream(StreamInput::Writable { stream }));
    assert_eq!(
        rig.heard(1, |rpc| rpc.control.graft),
        [],
        "it would come too early"
    );
}

#[test]
fn who_grafts_follows_the_topic_and_is_sent_its_messages() {
    let mut rig = Rig::judging(|_| {});
    rig.connect(1, &[]);
    rig.graft(1, vec![topic(0)]);
    rig.connect(2, &[]);
    rig.message(2, &message("hello"));
    rig.ran(Some(Output::Checked(Ok(Validation::Accept))));
    assert_eq!(rig.mesh(), [peer(1)]);
    assert_eq!(rig.heard(1, |rpc| rpc.publish), [message("hello")]);
}

#[test]
fn who_follows_too_many_topics_is_in_no_more_meshes() {
    let mut rig = Rig::judging(|_| {});
    rig.connect(1, &[]);
    let subscriptions = (1..=MAX_TOPICS).map(|n| SubOpts::new(topic(n), true));
    let subscriptions = subscriptions.collect();
    rig.say(
        1,
        Rpc {
            subscriptions,
            ..Rpc::default()
        },
    );
    rig.graft(1, vec![topic(0)]);
    assert_eq!(rig.mesh(), []);
    assert_eq!(rig.heard(1, |rpc| rpc.control.prune).len(), 1);
}

#[test]
fn all_explicit_peers_are_dialled_whatever_their_number() {
    let rig = Rig::judging(|params| params.explicit = (100..120).map(peer).collect());
    let dialled = rig.jobs.iter().filter(|(_, job)| matches!(job, Job::Connect(_)));
    assert_eq!(dialled.count(), 20);
}

#[test]
fn an_explicit_peer_that_grafts_is_pruned_and_not_punished() {
    let mut rig = Rig::judging(|params| params.explicit = [peer(1)].into());
    rig.connect(1, &[]);
    for _ in 0..3 {
        rig.graft(1, vec![topic(0)]);
        assert_eq!(rig.heard(1, |rpc| rpc.control.prune).len(), 1);
    }
    assert_eq!((rig.score(1), rig.mesh().len()), (0.0, 0));
}

/// One who was asked for a signed message, and sends it.
fn promised() -> Rig {
    let mut rig = Rig::new(Params::default(), SignaturePolicy::StrictSign);
    rig.connect(1, &[]);
    let message = Message::signed(&Keypair::generate(), 1 << 60, &topic(0), "x").unwrap();
    rig.announce(1, vec![MessageId::of(&message)]);
    assert_eq!(rig.heard(1, |rpc| rpc.control.iwant).len(), 1);
    rig.message(1, &message);
    rig
}

#[test]
fn a_promise_is_kept_however_long_the_message_is_judged() {
    let mut rig = promised();
    rig.wait(5);
    assert_eq!(rig.counts().broken_promises, 0);
    rig.ran(Some(Output::Checked(Ok(Validation::Ignore))));
    rig.wait(5);
    assert_eq!(rig.counts().broken_promises, 0);
}

#[test]
fn a_promise_is_broken_by_something_else_of_that_id() {
    let mut rig = promised();
    rig.ran(Some(Output::Checked(Err(SignatureError::Invalid(peer(9))))));
    rig.wait(2);
    assert_eq!(rig.counts().broken_promises, 1);
}

#[test]
fn what_is_being_judged_is_not_asked_for() {
    let mut rig = Rig::judging(|_| {});
    rig.connect(1, &[]);
    rig.connect(2, &[]);
    rig.message(1, &message("here"));
    let ids = [&message("here"), &message("lacking")].map(MessageId::of);
    rig.announce(2, ids.to_vec());
    assert_eq!(rig.heard(2, |rpc| rpc.control.iwant), ids[1..]);
}

#[test]
fn who_is_pruned_hears_of_it_though_no_others_can_be_found() {
    let mut rig = Rig::judging(|params| {
        params.exchange_peers = true;
        params.mesh = Mesh {
            target: 1,
            low: 1,
            high: 1,
            score: 1,
            outbound: 0,
        };
    });
    for n in 1..4 {
        rig.connect(n, &[]);
        rig.graft(n, vec![topic(0)]);
    }
    let records = rig.jobs.iter().filter(|(_, job)| matches!(job, Job::Records(_)));
    assert_eq!(records.count(), 2);
    // The job panicked.
    rig.ran(None);
    rig.ran(None);
    let pruned = rig.said.iter().filter(|(_, rpc)| !rpc.control.prune.is_empty());
    let pruned: BTreeSet<_> = pruned.map(|(to, _)| *to).collect();
    assert_eq!(pruned, [peer(2), peer(3)].into());
}

#[test]
fn peers_that_come_and_go_do_not_fill_the_memory_with_back_offs() {
    let mut rig = Rig::judging(|_| {});
    rig.call(Command::Follow((0..1024).map(topic).collect()));
    rig.connect(0, &[]);
    rig.prune(0, 0..1024, 3600);
    for n in 1..70 {
        rig.connect(n, &[]);
        rig.prune(n, 0..1024, 3600);
        rig.leave(n);
    }
    rig.wait(16);
    rig.connect(1, &[]);
    rig.graft(1, vec![topic(0)]);
    assert_eq!(rig.mesh(), [peer(1)], "of who left nothing is known");
    rig.graft(0, vec![topic(0)]);
    assert_eq!(rig.mesh(), [peer(1)], "of who stayed everything is");
}

#[test]
fn whoever_says_nothing_too_often_is_not_heard() {
    let floods: [fn(&mut Rig); 3] = [
        |rig| rig.say(1, Rpc::default()),
        |rig| rig.graft(1, vec![topic(77)]),
        |rig| rig.graft(1, vec![topic(0)]),
    ];
    for flood in floods {
        let mut rig = Rig::new(Params::default(), SignaturePolicy::StrictNoSign);
        rig.connect(1, &[]);
        rig.prune(1, [0], 60);
        assert!(rig.resets.is_empty());
        (0..=BUDGET).for_each(|_| flood(&mut rig));
        assert_eq!(rig.resets, [inbound(1)].into());
    }
}

#[test]
fn who_is_ignored_for_its_score_pays_for_what_it_says() {
    let mut rig = Rig::judging(|_| {});
    rig.connect(1, &[]);
    let ignored = sinew_gossipsub::Thresholds::default().graylist - 1.0;
    rig.call(Command::Judge(peer(1), ignored));
    let subscribe = || Rpc {
        subscriptions: vec![SubOpts::new(topic(0), true)],
        ..Rpc::default()
    };
    (0..=BUDGET).for_each(|_| rig.say(1, subscribe()));
    assert_eq!(rig.resets, [inbound(1)].into());
}

#[test]
fn the_addresses_of_a_bad_peer_count_after_it_left() {
    let ip: IpAddr = "192.0.2.1".parse().unwrap();
    let mut rig = Rig::judging(|params| {
        let mut score = ScoreParams::default();
        score.ip_threshold = 1;
        score.ip_weight = -1.0;
        params.score = Some(score);
    });
    for n in 1..4 {
        rig.connect(n, &[ip]);
    }
    assert_eq!(rig.score(1), -4.0);
    rig.leave(2);
    rig.leave(3);
    assert_eq!(rig.score(1), -4.0);
}

#[test]
fn gossip_goes_to_a_quarter_of_many() {
    let mut rig = Rig::judging(|_| {});
    for n in 0..50 {
        rig.connect(n, &[]);
        rig.subscribe(n);
    }
    rig.wait(1);
    assert_eq!(rig.mesh().len(), 6);
    rig.message(0, &message("x"));
    rig.ran(Some(Output::Checked(Ok(Validation::Accept))));
    rig.said.clear();
    rig.wait(1);
    let told = rig.said.iter().filter(|(_, rpc)| !rpc.control.ihave.is_empty());
    assert_eq!(told.count(), (50 - 6) / 4);
}

#[test]
fn too_much_for_all_peers_is_dropped_for_the_slowest_of_them() {
    let mut params = Params::default();
    (params.max_queued_bytes, params.idontwant_threshold) = (70_000, usize::MAX);
    let mut rig = Rig::new(params, SignaturePolicy::StrictNoSign);
    for n in 1..4 {
        rig.connect(n, &[]);
        rig.subscribe(n);
    }
    rig.wait(1);
    rig.said.clear();
    rig.are_stuck = true;
    let take = |rig: &mut Rig, n| {
        let stream = outbound(n);
        rig.feed(Input::Stream(StreamInput::Writable { stream }));
    };
    for data in ["on its way", "own"] {
        rig.call(Command::Publish(message(data)));
    }
    take(&mut rig, 2);
    for n in 0..4 {
        assert_eq!(rig.counts().unsent, 0);
        rig.message(3, &message(&format!("{n}{}", "x".repeat(20_000))));
        rig.ran(Some(Output::Checked(Ok(Validation::Accept))));
        take(&mut rig, 2);
    }
    assert_eq!(rig.counts().unsent, 4);
    assert_eq!(rig.heard(2, |rpc| rpc.publish).len(), 6, "one that is not slow loses nothing");
    rig.are_stuck = false;
    take(&mut rig, 1);
    assert_eq!(rig.heard(1, |rpc| rpc.publish), [message("own")], "ours go last");
}

#[test]
fn what_waited_too_long_is_dropped_though_nothing_else_is_sent() {
    let mut rig = Rig::new(Params::default(), SignaturePolicy::StrictNoSign);
    rig.connect(1, &[]);
    rig.subscribe(1);
    rig.are_stuck = true;
    for data in ["on its way", "waits"] {
        rig.call(Command::Publish(message(data)));
    }
    rig.wait(4);
    assert_eq!(rig.counts().unsent, 0);
    rig.wait(2);
    assert_eq!(rig.counts().unsent, 1);
}
