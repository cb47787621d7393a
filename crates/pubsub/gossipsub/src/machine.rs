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
mod gossip;
mod groups;
mod heartbeat;
mod mesh;
mod messages;
mod outbox;
mod partials;
mod peer;
mod promises;
mod publish;
mod roles;
mod score;
mod topics;
mod trace;
mod writing;

pub use counts::Counts;
pub use outbox::MAX_QUEUED;
pub use score::{ScoreReport, TopicReport};
pub use trace::{Notice, RejectReason, RpcTrace, Trace};

use crate::{InvalidPartial, PROTOCOLS, Params, Partial, ReceivedPartial, Thresholds};
use authors::Authors;
use bytes::Bytes;
use cache::Cache;
use gater::Gater;
use groups::Groups;
use peer::{Peer, Version};
use promises::Promises;
use roles::Roles;
use score::Scores;
use sinew_floodsub::{
    Checks, Followers, LinkEvent, Links, Message, MessageIdFn, OtherPeer, Pool, Received, Rpc, Seen,
    SignatureError, SignaturePolicies, SubscriptionFilter, Topic, Validation,
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
    policy: SignaturePolicies,
    message_id: MessageIdFn,
    params: Arc<Params>,
    rng: Rng,
    links: Links<Peer>,
    followers: Followers,
    /// Those with a stream who can be in no mesh: they speak floodsub, or take no frames yet.
    meshless: BTreeSet<PeerId>,
    /// The topics that we follow, each with its mesh.
    mesh: BTreeMap<Topic, BTreeSet<PeerId>>,
    /// The topics that we publish to and do not follow.
    fanout: BTreeMap<Topic, mesh::Fanout>,
    /// Until when a peer does not come into a mesh.
    backoff: BTreeMap<Topic, BTreeMap<PeerId, Instant>>,
    seen: Seen<messages::Fate>,
    checks: Checks,
    /// Of the messages that wait for peers.
    pool: Pool,
    cache: Cache,
    promises: Promises,
    groups: Groups,
    /// What the application judges of partial messages.
    judging: BTreeMap<Token, Arc<ReceivedPartial>>,
    scores: Scores,
    gater: Gater,
    authors: Authors,
    roles: Roles,
    /// Until when nothing is taken of a peer.
    blocked: BTreeMap<PeerId, Instant>,
    connecting: BTreeSet<Token>,
    /// Who is told that it was pruned once the records of others are there.
    pruning: BTreeMap<Token, (Topic, PeerId)>,
    /// `None` while there is nothing to look after.
    next_heartbeat: Option<Instant>,
    ticks: u64,
    next_token: u64,
    /// Who waits until peers were told that we leave.
    leaving: Vec<CallId>,
    counts: Counts,
    tracer: Tracer,
}

/// What a handle asks.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// These are our topics from now on; at most [`MAX_TOPICS`](sinew_floodsub::MAX_TOPICS) are kept.
    Follow(BTreeSet<Topic>),
    /// We have no topics any more, for the node ends. Answered when nothing waits for any peer.
    Leave,
    /// Publish a message.
    Publish(Message),
    /// Publish messages, each as early as the others.
    PublishBatch(Vec<Message>),
    /// This is what we have of a group of partial messages.
    PublishPartial {
        /// The topic.
        topic: Topic,
        /// The group.
        group: Bytes,
        /// What we have.
        partial: Arc<dyn Partial>,
        /// Who is told of it; if there are none, the peers of the mesh or the fanout.
        to: BTreeSet<PeerId>,
    },
    /// Which peers follow a topic?
    Followers(Topic),
    /// Which peers are in the mesh of a topic?
    Mesh(Topic),
    /// How many peers are in the mesh of each topic that is followed?
    Meshes,
    /// What are the scores of the peers that have a stream with us?
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
    /// To [`Command::Judge`]: whether that counts, which takes a number and that peers are judged.
    Judged(bool),
    /// To [`Command::Publish`]: to how many peers the message goes; `None` if it was known already. To
    /// [`Command::PublishPartial`]: how many peers are told; `None` if there are no partial messages in the topic.
    Published(Option<usize>),
    /// To [`Command::PublishBatch`]: the same of each message.
    Batch(Vec<Option<usize>>),
    /// To [`Command::Followers`] and [`Command::Mesh`].
    Peers(Vec<PeerId>),
    /// To [`Command::Meshes`].
    Meshes(Vec<(Topic, usize)>),
    /// To [`Command::Scores`].
    Scores(Vec<(PeerId, f64)>),
    /// To [`Command::ScoreReports`]: of those that are judged.
    ScoreReports(Vec<(PeerId, ScoreReport)>),
    /// To [`Command::Counts`]. Apart, since every effect has the size of the largest, and an RPC may have thousands.
    Counts(Box<Counts>),
}

/// Work for the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    /// Verify the signature of a message, if it has one; then have the application validate it. Gives [`Output::Checked`].
    Check(Arc<Received>),
    /// Have the application judge parts of a message. Gives [`Output::Partial`].
    Partial(Arc<ReceivedPartial>),
    /// Connect to a peer; a record of it, not verified, may say where. Gives [`Output::Done`].
    Connect(OtherPeer),
    /// Find the signed records of peers, to tell another of them. Gives [`Output::Records`].
    Records(Vec<PeerId>),
}

/// What a job came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Of [`Job::Check`]; an error if the message is forged.
    Checked(Result<Validation, SignatureError>),
    /// Of [`Job::Partial`]: what we have of the group now; `None` if we want nothing of it.
    Partial(Result<Option<Arc<dyn Partial>>, InvalidPartial>),
    /// Of [`Job::Connect`].
    Done,
    /// Of [`Job::Records`]: the peers, with their records where those are known.
    Records(Vec<OtherPeer>),
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
        if !self.leaving.is_empty() && !self.links.is_writing() {
            let reply = Reply::Done;
            out.extend(self.leaving.drain(..).map(|call| Effect::Return {
                call,
                reply: reply.clone(),
            }));
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
        policy: impl Into<SignaturePolicies>,
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
            policy: policy.into(),
            tracer: Tracer::new(message_id.clone()),
            message_id,
            rng: Rng::new(seed),
            links: Links::default(),
            followers: Followers::default(),
            meshless: BTreeSet::new(),
            mesh: BTreeMap::new(),
            fanout: BTreeMap::new(),
            backoff: BTreeMap::new(),
            seen: Seen::default(),
            checks: Checks::default(),
            pool: Pool::default(),
            cache: Cache::new(params.history_length, params.max_history_bytes),
            promises: Promises::default(),
            groups: Groups::default(),
            judging: BTreeMap::new(),
            scores: Scores::new(params.clone()),
            gater: Gater::new(params.clone()),
            authors: Authors::new(params.max_authors),
            roles: Roles::default(),
            blocked: BTreeMap::new(),
            connecting: BTreeSet::new(),
            pruning: BTreeMap::new(),
            // Explicit peers are dialled at once.
            next_heartbeat: (!params.explicit.is_empty()).then_some(Instant::ZERO),
            ticks: 0,
            next_token: 0,
            leaving: Vec::new(),
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

    /// Knows of those topics alone that a filter allows. To be called before anything else.
    #[must_use]
    pub fn with_filter(mut self, filter: SubscriptionFilter) -> Self {
        self.followers = Followers::new(filter);
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
            Command::Leave => {
                self.follow(now, BTreeSet::new(), out);
                return self.leaving.push(call);
            }
            Command::Publish(message) => Reply::Published(self.publish(now, &message, out)),
            Command::PublishBatch(messages) => Reply::Batch(self.publish_batch(now, &messages, out)),
            Command::PublishPartial {
                topic,
                group,
                partial,
                to,
            } => Reply::Published(self.publish_partial(now, (&(topic, group), partial), to, out)),
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
            Command::Judge(peer, value) => Reply::Judged(self.scores.set_app(peer, value)),
            Command::Block(peer, wait) => {
                self.block(now, peer, wait, out);
                Reply::Done
            }
            Command::Counts => Reply::Counts(Box::new(self.counts)),
        };
        out.push(Effect::Return { call, reply });
    }

    /// The peers that have a stream with us, in whichever direction, in order.
    fn speakers(&self) -> impl Iterator<Item = &PeerId> {
        let peers = self.links.iter().map(|(peer, _)| peer);
        peers.filter(|peer| self.links.has_stream(peer))
    }

    fn peer(&mut self, now: Instant, state: PeerState, out: &mut Effects) {
        let (id, outbound) = (state.peer, state.outbound);
        self.links.peer(&state, || Peer::new(now), out);
        let is_judged = self.links.has_stream(&id);
        // Of one that is gone the addresses that it had count.
        if let Some(peer) = self.links.get_mut(&id).filter(|_| state.connected) {
            (peer.outbound, peer.ips) = (outbound, state.ips);
            if is_judged {
                self.scores.set_addrs(id, &peer.ips);
            }
        }
        self.links.forget(id);
    }

    fn link(&mut self, now: Instant, event: LinkEvent<Rpc>, out: &mut Effects) {
        match event {
            LinkEvent::Opened(id, protocol) => {
                if let Some(peer) = self.links.get_mut(&id) {
                    peer.version = Some(Version::of(protocol));
                }
                self.meet(now, id);
                self.opened(now, id, protocol, out);
            }
            LinkEvent::Writable(id) => {
                self.asked(now, id);
                self.write(now, &id, out);
            }
            LinkEvent::Lost(id) => {
                self.lost(id);
                self.meet(now, id);
            }
            LinkEvent::Void(id) => {
                self.void(id, out);
                self.meet(now, id);
            }
            LinkEvent::Message(id, rpc) => self.rpc(now, id, rpc, out),
            LinkEvent::Malformed(id) => {
                self.counts.malformed += 1;
                self.scores.penalise(&id, 1);
            }
        }
    }

    /// A stream of a peer was opened or has ended. It is judged while there is one: also who takes no frames from us.
    fn meet(&mut self, now: Instant, id: PeerId) {
        self.meshless.remove(&id);
        match self.links.get(&id) {
            Some(peer) if self.links.has_stream(&id) => {
                self.scores.connected(now, id, &peer.ips);
                self.gater.connected(id, &peer.ips);
                if !peer.has_mesh() {
                    self.meshless.insert(id);
                }
            }
            _ => {
                self.scores.disconnected(now, id);
                self.gater.disconnected(now, &id);
            }
        }
        self.links.forget(id);
    }

    fn opened(&mut self, now: Instant, id: PeerId, protocol: usize, out: &mut Effects) {
        let ours = sinew_floodsub::Extensions {
            test_extension: self.params.test_extension,
            partial_messages: self.params.partial.is_some(),
        };
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        peer.outbox.told.begin(self.mesh.keys().cloned());
        // spec: gossipsub 1.3: who can nothing beyond the protocol need not say so
        if peer.version >= Some(Version::V13) && ours != sinew_floodsub::Extensions::default() {
            peer.outbox.extensions = Some(ours);
        }
        self.roles.connected(id, self.params.explicit.contains(&id));
        if let Some(protocol) = PROTOCOLS.get(protocol).cloned() {
            self.tracer.add(|| Trace::AddPeer { peer: id, protocol });
        }
        self.meet_extensions(id);
        self.write(now, &id, out);
    }

    /// A peer takes no more frames: it is in no mesh any more.
    fn lost(&mut self, id: PeerId) {
        if let Some(peer) = self.links.get_mut(&id) {
            if peer.version.take().is_some() {
                self.tracer.add(|| Trace::RemovePeer { peer: id });
            }
            peer.outbox = outbox::Outbox::default();
            peer.unwanted.clear();
        }
        let meshes = self.mesh.iter().filter(|(_, mesh)| mesh.contains(&id));
        let topics: Vec<_> = meshes.map(|(topic, _)| topic.clone()).collect();
        for topic in topics {
            self.remove(&topic, &id);
        }
        for fanout in self.fanout.values_mut() {
            fanout.peers.remove(&id);
        }
        self.groups.lost(&id);
        self.roles.disconnected(id);
    }

    /// A peer sent something in vain. Who does too often is not listened to any more.
    fn charge(&mut self, now: Instant, id: PeerId, out: &mut Effects) {
        let Some(peer) = self.links.get_mut(&id) else {
            return;
        };
        if peer.budget.charge(now, 1).is_err()
            && self.links.silence(&id, code::stream::PROTOCOL_VIOLATION, out)
        {
            self.counts.floods += 1;
            self.scores.penalise(&id, 1);
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
