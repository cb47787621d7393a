//! The decisions of gossipsub, without clock or input and output.
//!
//! Of each topic that is followed a few peers are in its *mesh*: they are sent every message. Others are told of the last
//! messages at each *heartbeat*, and ask for those that they lack. Who is in a mesh is looked at with each heartbeat, by
//! numbers and by scores.

mod authors;
mod blocks;
mod cache;
mod control;
mod counts;
mod gater;
mod heartbeat;
mod mesh;
mod messages;
mod outbox;
mod peer;
mod promises;
mod roles;
mod score;
mod trace;

pub use counts::Counts;
pub use outbox::MAX_QUEUED;
pub use score::{ScoreReport, TopicReport};
pub use trace::{Notice, RejectReason, RpcTrace, Trace};

use crate::{PROTOCOLS, Params, Thresholds};
use authors::Authors;
use cache::Cache;
use gater::Gater;
use peer::{Peer, Version};
use promises::Promises;
use roles::Roles;
use score::Scores;
use sinew_floodsub::{
    Checks, Followers, LinkEvent, Links, MAX_TOPICS, Message, MessageIdFn, News, OtherPeer, Received, Rpc,
    Seen, SignatureError, SignaturePolicy, SubOpts, Topic, Validation,
};
use sinew_identity::PeerId;
use sinew_machine::{
    CallId, Effect, EffectsOf, Input, InputOf, Instant, PeerMachine, PeerState, Rng, Token, code,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};
use trace::Tracer;

/// The machine of gossipsub.
pub struct Machine {
    local: PeerId,
    policy: SignaturePolicy,
    message_id: MessageIdFn,
    params: Arc<Params>,
    rng: Rng,
    links: Links<Peer>,
    followers: Followers,
    /// The topics that we follow, each with its mesh.
    mesh: BTreeMap<Topic, BTreeSet<PeerId>>,
    /// The topics that we publish to and do not follow.
    fanout: BTreeMap<Topic, mesh::Fanout>,
    /// Until when a peer does not come into a mesh.
    backoff: BTreeMap<Topic, BTreeMap<PeerId, Instant>>,
    seen: Seen<messages::Fate>,
    checks: Checks,
    cache: Cache,
    promises: Promises,
    scores: Scores,
    gater: Gater,
    authors: Authors,
    roles: Roles,
    /// Until when nothing is taken of a peer.
    blocked: BTreeMap<PeerId, Instant>,
    connecting: BTreeSet<Token>,
    /// `None` while there is nothing to look after.
    next_heartbeat: Option<Instant>,
    ticks: u64,
    next_token: u64,
    counts: Counts,
    tracer: Tracer,
}

/// What a handle asks.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// These are our topics from now on; at most [`MAX_TOPICS`] are kept.
    Follow(BTreeSet<Topic>),
    /// Publish a message.
    Publish(Message),
    /// Which peers follow a topic?
    Followers(Topic),
    /// Which peers are in the mesh of a topic?
    Mesh(Topic),
    /// How many peers are in the mesh of each topic that is followed?
    Meshes,
    /// What are the scores of the peers that take frames?
    Scores,
    /// What are they made of?
    ScoreReports,
    /// P5 of a peer is this from now on.
    Judge(PeerId, f64),
    /// Take nothing from a peer, nor what it wrote, for so long from now on; zero takes that back.
    Block(PeerId, Duration),
    /// What was counted?
    Counts,
}

/// What a handle is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// It is so.
    Done,
    /// To [`Command::Judge`]: whether the peer is connected, or remembered.
    Judged(bool),
    /// To [`Command::Publish`]: to how many peers the message goes; `None` if it was known already.
    Published(Option<usize>),
    /// To [`Command::Followers`] and [`Command::Mesh`].
    Peers(Vec<PeerId>),
    /// To [`Command::Meshes`].
    Meshes(Vec<(Topic, usize)>),
    /// To [`Command::Scores`].
    Scores(Vec<(PeerId, f64)>),
    /// To [`Command::ScoreReports`]: of those that are judged.
    ScoreReports(Vec<(PeerId, ScoreReport)>),
    /// To [`Command::Counts`].
    Counts(Counts),
}

/// Work for the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    /// Verify the signature of a message, if it has one; then have the application validate it. Gives [`Output::Checked`].
    Check(Arc<Received>),
    /// Connect to a peer; a record of it, not verified, may say where. Gives [`Output::Done`].
    Connect(OtherPeer),
    /// Find the signed records of peers, to tell another of them. Gives [`Output::Records`].
    Records {
        /// Who is to be told.
        to: PeerId,
        /// The topic of whose mesh it was taken out.
        topic: Topic,
        /// The peers.
        peers: Vec<PeerId>,
    },
}

/// What a job came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Of [`Job::Check`]; an error if the message is forged.
    Checked(Result<Validation, SignatureError>),
    /// Of [`Job::Connect`].
    Done,
    /// Of [`Job::Records`].
    Records {
        /// Who is to be told.
        to: PeerId,
        /// The topic.
        topic: Topic,
        /// The peers, with their records where those are known.
        peers: Vec<OtherPeer>,
    },
}

type Effects = EffectsOf<Machine>;

impl PeerMachine for Machine {
    type Command = Command;
    type Reply = Reply;
    type Message = Rpc;
    type Event = Notice;
    type Job = Job;
    type Output = Output;

    fn handle(&mut self, now: Instant, input: InputOf<Self>, out: &mut Effects) {
        // A peer that speaks nothing is no reason to begin with heartbeats.
        if !matches!(input, Input::Peer(_) | Input::Timeout) {
            self.next_heartbeat.get_or_insert(now);
        }
        match input {
            Input::Timeout => self.links.retry(now, out),
            Input::Call { call, command } => self.call(now, call, command, out),
            Input::Peer(state) => self.peer(now, state, out),
            Input::Stream(input) => {
                let event = self.links.stream(now, input, || Peer::new(now), out);
                event.into_iter().for_each(|event| self.link(now, event, out));
            }
            Input::Ran { token, output } => self.ran(now, token, output, out),
        }
        self.beat(now, out);
        self.roles.tell(out);
        out.extend(self.tracer.take().map(Effect::Emit));
        while let Some((token, received)) = self.checks.start() {
            let job = Job::Check(received);
            out.push(Effect::Run { token, job });
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.links.deadline(), self.next_heartbeat];
        deadlines.into_iter().flatten().min()
    }
}

impl Machine {
    /// The machine of `local`, which no peer knows yet. The seed decides its random choices; nobody else should know it.
    ///
    /// # Panics
    /// If the numbers make no sense together ([`Params::check`]).
    #[must_use]
    pub fn new(
        local: PeerId,
        policy: SignaturePolicy,
        message_id: MessageIdFn,
        params: Params,
        seed: u64,
    ) -> Self {
        if let Err(error) = params.check() {
            panic!("{error}");
        }
        let params = Arc::new(params);
        Self {
            local,
            policy,
            tracer: Tracer::new(message_id.clone()),
            message_id,
            rng: Rng::new(seed),
            links: Links::default(),
            followers: Followers::default(),
            mesh: BTreeMap::new(),
            fanout: BTreeMap::new(),
            backoff: BTreeMap::new(),
            seen: Seen::default(),
            checks: Checks::default(),
            cache: Cache::new(params.history_length, params.max_history_bytes),
            promises: Promises::default(),
            scores: Scores::new(params.clone()),
            gater: Gater::new(params.clone()),
            authors: Authors::new(params.max_authors),
            roles: Roles::default(),
            blocked: BTreeMap::new(),
            connecting: BTreeSet::new(),
            // Explicit peers are dialled at once.
            next_heartbeat: (!params.explicit.is_empty()).then_some(Instant::ZERO),
            ticks: 0,
            next_token: 0,
            counts: Counts::default(),
            params,
        }
    }

    /// Has it tell every step from now on ([`Notice::Trace`]).
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.tracer.start();
        self
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    /// What follows from scores; nothing does if nobody is judged, since all scores are zero then.
    fn thresholds(&self) -> Thresholds {
        self.params
            .score
            .map_or_else(Thresholds::default, |score| score.thresholds)
    }

    fn call(&mut self, now: Instant, call: CallId, command: Command, out: &mut Effects) {
        let reply = match command {
            Command::Follow(topics) => {
                self.follow(now, topics, out);
                Reply::Done
            }
            Command::Publish(message) => Reply::Published(self.publish(now, &message, out)),
            Command::Followers(topic) => Reply::Peers(self.followers.of(topic.as_str()).collect()),
            Command::Mesh(topic) => {
                Reply::Peers(self.mesh.get(&topic).into_iter().flatten().copied().collect())
            }
            Command::Meshes => {
                let meshes = self.mesh.iter();
                Reply::Meshes(meshes.map(|(topic, mesh)| (topic.clone(), mesh.len())).collect())
            }
            Command::Scores => {
                let scores = self.speakers().map(|peer| (*peer, self.scores.of(peer)));
                Reply::Scores(scores.collect())
            }
            Command::ScoreReports => {
                let peers = self.speakers();
                let reports = peers.filter_map(|peer| Some((*peer, self.scores.report(peer)?)));
                Reply::ScoreReports(reports.collect())
            }
            Command::Judge(peer, value) => Reply::Judged(self.scores.set_app(&peer, value)),
            Command::Block(peer, wait) => {
                self.block(now, peer, wait, out);
                Reply::Done
            }
            Command::Counts => Reply::Counts(self.counts),
        };
        out.push(Effect::Return { call, reply });
    }

    /// The peers that take frames, in order.
    fn speakers(&self) -> impl Iterator<Item = &PeerId> {
        let peers = self.links.iter().filter(|(_, peer)| peer.version.is_some());
        peers.map(|(peer, _)| peer)
    }

    fn follow(&mut self, now: Instant, topics: BTreeSet<Topic>, out: &mut Effects) {
        let topics: BTreeSet<_> = topics.into_iter().take(MAX_TOPICS).collect();
        let ours: BTreeSet<_> = self.mesh.keys().cloned().collect();
        for (_, peer) in self.links.iter_mut() {
            let changed = ours.symmetric_difference(&topics);
            changed.for_each(|topic| peer.outbox.told.changed(topic));
        }
        for topic in ours.difference(&topics) {
            self.leave(now, topic);
        }
        for topic in topics.difference(&ours) {
            // Those who came before us are news too.
            let followers = self.followers.of(topic.as_str());
            out.extend(followers.map(|peer| Effect::Emit(News::Joined(topic.clone(), peer).into())));
            self.join(now, topic);
        }
        self.write_all(now, out);
    }

    fn peer(&mut self, now: Instant, state: PeerState, out: &mut Effects) {
        let (id, outbound) = (state.peer, state.outbound);
        self.links.peer(&state, || Peer::new(now), out);
        if let Some(peer) = self.links.get_mut(&id) {
            (peer.outbound, peer.ips) = (outbound, state.ips);
            if peer.version.is_some() {
                self.scores.set_addrs(id, &peer.ips);
            }
        }
        self.links.forget(id);
    }

    fn link(&mut self, now: Instant, event: LinkEvent<Rpc>, out: &mut Effects) {
        match event {
            LinkEvent::Opened(id, protocol) => self.opened(now, id, protocol, out),
            LinkEvent::Writable(id) => self.write(now, &id, out),
            LinkEvent::Lost(id) => {
                self.lost(now, id);
                self.links.forget(id);
            }
            LinkEvent::Void(id) => {
                self.void(id, out);
                self.links.forget(id);
            }
            LinkEvent::Message(id, rpc) => self.rpc(now, id, rpc, out),
        }
    }

    fn opened(&mut self, now: Instant, id: PeerId, protocol: usize, out: &mut Effects) {
        let ours = sinew_floodsub::Extensions {
            test_extension: self.params.test_extension,
            ..sinew_floodsub::Extensions::default()
        };
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        let version = Version::of(protocol);
        peer.version = Some(version);
        peer.outbox.told.begin(self.mesh.keys().cloned());
        // spec: gossipsub 1.3: who can nothing beyond the protocol need not say so
        if version >= Version::V13 && ours.test_extension {
            peer.outbox.extensions = Some(ours);
        }
        self.scores.connected(now, id, &peer.ips);
        self.gater.connected(id, &peer.ips);
        self.roles.connected(id, self.params.explicit.contains(&id));
        if let Some(protocol) = PROTOCOLS.get(protocol).cloned() {
            self.tracer.add(|| Trace::AddPeer { peer: id, protocol });
        }
        self.meet_extensions(id);
        self.write(now, &id, out);
    }

    /// A peer takes no more frames: it is in no mesh any more.
    fn lost(&mut self, now: Instant, id: PeerId) {
        if let Some(peer) = self.links.get_mut(&id) {
            if peer.version.take().is_some() {
                self.tracer.add(|| Trace::RemovePeer { peer: id });
            }
            peer.outbox = outbox::Outbox::default();
            peer.unwanted.clear();
        }
        let topics: Vec<_> = self.mesh.keys().cloned().collect();
        for topic in topics {
            self.remove(&topic, &id);
        }
        for fanout in self.fanout.values_mut() {
            fanout.peers.remove(&id);
        }
        self.scores.disconnected(now, id);
        self.gater.disconnected(now, &id);
        self.roles.disconnected(id);
    }

    /// What a peer said is void.
    fn void(&mut self, id: PeerId, out: &mut Effects) {
        if let Some(peer) = self.links.get_mut(&id) {
            peer.extensions = None;
        }
        for topic in self.followers.forget(id) {
            self.left(id, &topic, out);
        }
    }

    /// A peer does not follow a topic any more.
    fn left(&mut self, id: PeerId, topic: &Topic, out: &mut Effects) {
        self.remove(topic, &id);
        if let Some(fanout) = self.fanout.get_mut(topic) {
            fanout.peers.remove(&id);
        }
        if self.mesh.contains_key(topic) {
            out.push(Effect::Emit(News::Left(topic.clone(), id).into()));
        }
    }

    fn subscription(&mut self, id: PeerId, subscription: SubOpts, out: &mut Effects) {
        let topic = subscription.topic;
        if !subscription.subscribe {
            if self.followers.leave(id, &topic) {
                self.left(id, &topic, out);
            }
        } else if self.followers.join(id, &topic) && self.mesh.contains_key(&topic) {
            out.push(Effect::Emit(News::Joined(topic, id).into()));
        }
    }

    /// Writes what waits for a peer, if its stream takes it.
    fn write(&mut self, now: Instant, id: &PeerId, out: &mut Effects) {
        let is_writable = self.links.is_writable(id);
        let Some(peer) = self.links.get_mut(id) else {
            return;
        };
        let is_ours = |topic: &Topic| self.mesh.contains_key(topic);
        let frame = is_writable.then(|| peer.outbox.next(now, is_ours)).flatten();
        let lost = peer.outbox.take_lost();
        if let Some(frame) = frame {
            self.tracer.sent(*id, &frame);
            self.links.send(id, frame, out);
        }
        if !lost.is_empty() {
            self.counts.unsent += lost.len() as u64;
            self.scores.was_slow(id, lost.len());
        }
        lost.iter().for_each(|frame| self.tracer.dropped(*id, frame));
    }

    fn write_all(&mut self, now: Instant, out: &mut Effects) {
        let peers: Vec<_> = self.links.iter().map(|(peer, _)| *peer).collect();
        peers.iter().for_each(|peer| self.write(now, peer, out));
    }

    /// A peer sent something in vain. Who does too often is not listened to any more.
    fn charge(&mut self, now: Instant, id: PeerId, out: &mut Effects) {
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        if peer.budget.charge(now, 1).is_err() && self.links.silence(&id, code::stream::RATE_LIMITED, out) {
            self.counts.floods += 1;
            self.void(id, out);
        }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("local", &self.local)
            .field("topics", &self.mesh)
            .field("peers", &self.links.iter().count())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}
