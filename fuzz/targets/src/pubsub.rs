//! The wire of pubsub, and the machines of `sinew-floodsub` and `sinew-gossipsub`.

use bytes::Bytes;
use sinew_floodsub::{
    MAX_CONTROL, MAX_IDS, MAX_MESSAGES, MAX_PEERS, MAX_SUBSCRIPTIONS, Message, MessageId, OtherPeer,
    Received, Rpc, SignatureError, SignaturePolicy, Topic, Validation,
};
use sinew_gossipsub::{
    GaterParams, InvalidPartial, Params, Partial, PartialMode, PartialParams, ScoreParams, TopicParams,
    TopicScore,
};
use sinew_identity::PeerId;
use sinew_machine::{
    CallId, Effect, EffectsOf, Failure, Input, InputOf, Instant, PeerMachine, PeerState, StreamInput,
    StreamKey, Token,
};
use sinew_wire::varint;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::identity::fixed_key;

/// Lists are bounded, what was read can be written and read again, and every message goes on as it came.
pub(crate) fn rpc(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let Ok(mut rpc) = Rpc::decode(&frame) else { return };
    assert!(rpc.publish.len() + std::mem::take(&mut rpc.malformed) <= MAX_MESSAGES);
    let control = &rpc.control;
    let ids = control.ihave.iter().map(|ihave| ihave.ids.len()).sum::<usize>();
    assert!(rpc.subscriptions.len() <= MAX_SUBSCRIPTIONS);
    assert!(ids + control.iwant.len() + control.idontwant.len() <= MAX_IDS);
    assert!(
        control
            .ihave
            .len()
            .max(control.graft.len())
            .max(control.prune.len())
            <= MAX_CONTROL
    );
    let peers: usize = control.prune.iter().map(|prune| prune.peers.len()).sum();
    assert!(peers <= MAX_PEERS);
    let encoded = rpc.encode();
    let Ok(Some((_, prefix))) = varint::decode(&encoded) else {
        panic!("a length is in front")
    };
    assert_eq!(Rpc::decode(&encoded.slice(prefix..)).as_ref(), Ok(&rpc));
    rpc.publish.iter().for_each(judge);
}

/// Any bytes are judged without harm, and what is signed is part of what came.
pub(crate) fn message(data: &[u8]) {
    if let Ok(message) = Message::decode(Bytes::copy_from_slice(data)) {
        assert!(message.as_bytes().len() <= data.len());
        assert_eq!(Message::decode(message.as_bytes().clone()).as_ref(), Ok(&message));
        judge(&message);
    }
}

fn judge(message: &Message) {
    let policies = [
        SignaturePolicy::StrictSign,
        SignaturePolicy::StrictNoSign,
        SignaturePolicy::LaxSign,
        SignaturePolicy::LaxNoSign,
    ];
    let taken = policies.map(|policy| policy.check(message).is_ok());
    // What a strict policy takes the lax ones take, and the strict ones take nothing in common.
    assert!(!(taken[0] && taken[1]) && taken[2] == taken[3]);
    assert!(taken[2] || !(taken[0] || taken[1]));
    let (id, detached) = (MessageId::of(message), message.clone().detached());
    assert_eq!((MessageId::of(&detached), &detached), (id, message));
    assert_eq!(detached.signed_bytes(), message.signed_bytes());
    assert!(message.data().len() + message.topic().len() <= message.as_bytes().len());
}

/// Whatever peers, handles and jobs do in whatever order: frames are sent only where there is room, nothing is asked of what has
/// ended, and calls are answered. Each byte is an operation; an RPC takes those that follow.
pub(crate) fn floodsub(data: &[u8]) {
    World::<sinew_floodsub::Machine>::new().run(data);
}

/// The same of gossipsub, with scores.
pub(crate) fn gossipsub(data: &[u8]) {
    World::<sinew_gossipsub::Machine>::new().run(data);
}

/// A machine that is put to the test.
trait Subject: PeerMachine<Message = Rpc> {
    fn make() -> Self;
    fn command(argument: u8) -> Self::Command;
    fn output(job: Self::Job, argument: u8) -> Self::Output;
}

impl Subject for sinew_floodsub::Machine {
    fn make() -> Self {
        let local = fixed_key().public().peer_id();
        Self::new(local, SignaturePolicy::LaxSign, Arc::new(MessageId::of))
    }

    fn command(argument: u8) -> Self::Command {
        use sinew_floodsub::Command;
        match argument >> 3 {
            0 => Command::Follow((0..argument & 7).map(topic).collect()),
            1 => Command::Publish(Message::anonymous(&topic(argument), vec![argument])),
            2 => Command::Followers(topic(argument)),
            _ => Command::Counts,
        }
    }

    fn output(sinew_floodsub::Job(received): Self::Job, argument: u8) -> Self::Output {
        judged(&received, argument)
    }
}

impl Subject for sinew_gossipsub::Machine {
    fn make() -> Self {
        let local = fixed_key().public().peer_id();
        let mut params = Params::default();
        params.score = Some(ScoreParams::default());
        params.gater = Some(GaterParams::default());
        params.max_authors = 2;
        params.exchange_peers = true;
        params.test_extension = true;
        params.idontwant_threshold = 1;
        params.mesh.high = 6;
        params.explicit.insert(peer(3));
        let mut scored = TopicParams::default();
        scored.score = Some(TopicScore::default());
        scored.max_data = Some(100);
        params.topics.insert(topic(0), scored);
        let mut partial = PartialParams::default();
        partial.topics.insert(topic(0), PartialMode::Request);
        partial.topics.insert(topic(1), PartialMode::Send);
        partial.groups_per_peer = 2;
        params.partial = Some(partial);
        Self::new(
            local,
            SignaturePolicy::LaxSign,
            Arc::new(MessageId::of),
            params,
            7,
        )
        .traced()
    }

    fn command(argument: u8) -> Self::Command {
        use sinew_gossipsub::Command;
        match argument >> 2 {
            0 => Command::Follow((0..argument & 3).map(topic).collect()),
            1 => Command::Publish(Message::anonymous(&topic(argument), vec![argument; 9])),
            2 => Command::PublishPartial {
                topic: topic(argument),
                group: vec![argument & 1].into(),
                partial: Arc::new(Bits(argument)),
                to: (0..argument & 2).map(peer).collect(),
            },
            3 => Command::Mesh(topic(argument)),
            4 => Command::Judge(peer(argument), f64::from(argument & 3) - 2.0),
            5 => Command::Block(peer(argument), Duration::from_secs(u64::from(argument & 3))),
            6 => Command::Scores,
            _ => Command::Counts,
        }
    }

    fn output(job: Self::Job, argument: u8) -> Self::Output {
        use sinew_gossipsub::{Job, Output};
        match job {
            Job::Check(received) => Output::Checked(judged(&received, argument)),
            Job::Partial(_) => Output::Partial(match argument & 3 {
                0 => Err(InvalidPartial),
                1 => Ok(None),
                _ => Ok(Some(Arc::new(Bits(argument)))),
            }),
            Job::Connect(_) => Output::Done,
            Job::Records(peers) => {
                let record = (argument & 1 == 0).then(|| vec![argument; 9].into());
                let with = |peer| OtherPeer {
                    peer,
                    record: record.clone(),
                };
                Output::Records(peers.into_iter().map(with).collect())
            }
        }
    }
}

/// A message of eight parts, a bit each: metadata and parts are the bits, and zero is none.
#[derive(Debug)]
struct Bits(u8);

fn bits(bytes: &[u8]) -> Result<u8, InvalidPartial> {
    match bytes {
        [bits] if *bits > 0 => Ok(*bits),
        _ => Err(InvalidPartial),
    }
}

impl Partial for Bits {
    fn metadata(&self) -> Bytes {
        vec![self.0 | 1].into()
    }

    fn merge(&self, known: &[u8], said: &[u8]) -> Result<Bytes, InvalidPartial> {
        Ok(vec![bits(known)? | bits(said)?].into())
    }

    fn metadata_of(&self, parts: &[u8]) -> Result<Bytes, InvalidPartial> {
        Ok(vec![bits(parts)?].into())
    }

    fn parts_for(&self, theirs: Option<&[u8]>, _: usize) -> Result<Option<Bytes>, InvalidPartial> {
        let lacking = self.0 & !theirs.map_or(Ok(0), bits)?;
        Ok((lacking != 0).then(|| vec![lacking].into()))
    }
}

fn judged(received: &Received, argument: u8) -> Result<Validation, SignatureError> {
    let verdict = match argument & 3 {
        0 => Validation::Reject,
        1 => Validation::Ignore,
        _ => Validation::Accept,
    };
    SignaturePolicy::LaxSign
        .check(&received.message)
        .map(|()| verdict)
}

/// One of three topics.
fn topic(argument: u8) -> Topic {
    Topic::new(["a", "b", "c"][usize::from(argument % 3)]).expect("a topic")
}

/// A machine, and what its driver knows.
struct World<M: Subject> {
    machine: M,
    now: Instant,
    next_stream: u64,
    opening: Vec<(Token, PeerId)>,
    /// Whether an outbound stream has room; `None` for an inbound one.
    streams: BTreeMap<StreamKey, Option<bool>>,
    running: Vec<(Token, M::Job)>,
}

impl<M: Subject> World<M> {
    fn new() -> Self {
        Self {
            machine: M::make(),
            now: Instant(1),
            next_stream: 0,
            opening: Vec::new(),
            streams: BTreeMap::new(),
            running: Vec::new(),
        }
    }

    fn run(mut self, data: &[u8]) {
        let mut rest = data;
        while let [operation, more @ ..] = rest {
            rest = self.operate(*operation, more);
            self.now = self.now + Duration::from_millis(100);
        }
    }

    /// Does one thing; what is left of the input.
    fn operate<'a>(&mut self, operation: u8, rest: &'a [u8]) -> &'a [u8] {
        let argument = operation >> 3;
        match operation & 7 {
            0 => self.peer(argument),
            1 => self.opened(argument, peer(argument), None),
            2 => self.settle_open(argument),
            3 => self.writable(argument),
            4 => self.close(argument),
            5 => return self.rpc(argument, rest),
            6 => self.settle_job(argument),
            _ => self.call(argument),
        }
        rest
    }

    fn feed(&mut self, input: InputOf<M>) {
        let mut effects = EffectsOf::<M>::new();
        let owed = usize::from(matches!(input, Input::Call { .. }));
        self.machine.handle(self.now, input, &mut effects);
        let mut answered = 0;
        for effect in effects {
            match effect {
                Effect::Open { token, peer } => self.opening.push((token, peer)),
                Effect::Send { stream, .. } => {
                    let room = self.streams.get_mut(&stream).expect("the stream has not ended");
                    assert_eq!(*room, Some(true), "there is room");
                    *room = Some(false);
                }
                Effect::Reset { stream, .. } => assert!(self.streams.contains_key(&stream)),
                Effect::Run { token, job } => self.running.push((token, job)),
                Effect::Return { .. } => answered += 1,
                Effect::Keep { .. } | Effect::Emit(_) => {}
            }
        }
        assert_eq!(answered, owed);
    }

    fn peer(&mut self, argument: u8) {
        self.feed(Input::Peer(PeerState {
            peer: peer(argument),
            connected: argument & 8 == 0,
            speaks: argument & 4 == 0,
            outbound: true,
            ips: Arc::default(),
        }));
    }

    fn opened(&mut self, argument: u8, peer: PeerId, token: Option<Token>) {
        self.next_stream += 1;
        let stream = StreamKey(self.next_stream);
        self.streams.insert(stream, token.map(|_| true));
        self.feed(Input::Stream(StreamInput::Opened {
            stream,
            peer,
            protocol: usize::from(argument >> 1 & 3),
            token,
        }));
    }

    fn settle_open(&mut self, argument: u8) {
        match self.opening.pop() {
            Some((token, peer)) if argument & 1 == 1 => self.opened(argument, peer, Some(token)),
            Some((token, _)) => {
                let failure = Failure::Failed;
                self.feed(Input::Stream(StreamInput::OpenFailed { token, failure }));
            }
            None => self.feed(Input::Timeout),
        }
    }

    fn writable(&mut self, argument: u8) {
        let mut full = self.streams.iter_mut().filter(|(_, room)| **room == Some(false));
        if let Some((&stream, room)) = full.nth(usize::from(argument)) {
            *room = Some(true);
            self.feed(Input::Stream(StreamInput::Writable { stream }));
        }
    }

    fn close(&mut self, argument: u8) {
        if let Some(&stream) = self.streams.keys().nth(usize::from(argument)) {
            self.streams.remove(&stream);
            self.feed(Input::Stream(StreamInput::Closed { stream }));
        }
    }

    /// The first byte is the length of an RPC.
    fn rpc<'a>(&mut self, argument: u8, rest: &'a [u8]) -> &'a [u8] {
        let Some((&len, rest)) = rest.split_first() else {
            return rest;
        };
        let (frame, rest) = rest.split_at(rest.len().min(len.into()));
        let mut inbound = self.streams.iter().filter(|(_, room)| room.is_none());
        if let Some((&stream, _)) = inbound.nth(usize::from(argument))
            && let Ok(message) = Rpc::decode(&Bytes::copy_from_slice(frame))
        {
            self.feed(Input::Stream(StreamInput::Message { stream, message }));
        }
        rest
    }

    fn settle_job(&mut self, argument: u8) {
        let Some((token, job)) = self.running.pop() else {
            return;
        };
        let output = (argument != 31).then(|| M::output(job, argument));
        self.feed(Input::Ran { token, output });
    }

    fn call(&mut self, argument: u8) {
        let call = CallId(0);
        let command = M::command(argument);
        self.feed(Input::Call { call, command });
    }
}

/// One of four peers.
fn peer(argument: u8) -> PeerId {
    let id = [&[0x12, 32][..], &[argument & 3; 32]].concat();
    PeerId::from_bytes(&id).expect("a peer id")
}
