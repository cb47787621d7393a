//! The decisions of floodsub: who is told what, without clock or input and output.
//!
//! Each peer that speaks the protocol has a stream from us and one to us. We tell it our topics and it tells us its own. A
//! message of a topic of ours that is new goes through verification and validation ([`Job`]), and then to the application and to
//! every peer of the topic but those who sent it. A message that we publish goes to every peer of its topic.

mod checks;
mod followers;
mod links;
mod outbox;
mod pool;
mod seen;
mod told;

pub use checks::{Candidate, Checks, MAX_RUNNING, MAX_RUNNING_BYTES, MAX_WAITING};
pub use followers::{Followers, MAX_TOPICS};
pub use links::{LinkEvent, Links};
pub use outbox::MAX_QUEUED;
pub use pool::{Frame, Pool, Waiting};
pub use seen::{MAX_SEEN, SEEN_FOR, Seen};
pub use told::Told;

use crate::{
    Message, MessageId, MessageIdFn, Rpc, SignatureError, SignaturePolicies, SubOpts, SubscriptionFilter,
    Topic,
};
use outbox::{MAX_QUEUED_IN_ALL, Outbox};
use sinew_identity::PeerId;
use sinew_machine::{Budget, CallId, Effect, EffectsOf, Input, InputOf, Instant, PeerMachine, Token, code};
use std::{cmp::Reverse, collections::BTreeSet, fmt, sync::Arc};

/// The machine of floodsub.
pub struct Machine {
    local: PeerId,
    policy: SignaturePolicies,
    message_id: MessageIdFn,
    topics: BTreeSet<Topic>,
    links: Links<Peer>,
    followers: Followers,
    seen: Seen<()>,
    checks: Checks,
    pool: Pool,
    next_token: u64,
    /// Who waits until peers were told that we leave.
    leaving: Vec<CallId>,
    counts: Counts,
}

/// What is kept of a peer.
#[derive(Debug)]
struct Peer {
    outbox: Outbox,
    /// For what it sends in vain.
    budget: Budget,
}

impl Peer {
    fn new(now: Instant) -> Self {
        Self {
            outbox: Outbox::default(),
            budget: Budget::new(now),
        }
    }
}

/// What a handle asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// These are our topics from now on; at most [`MAX_TOPICS`] are kept.
    Follow(BTreeSet<Topic>),
    /// We have no topics any more, for the node ends. Answered when nothing waits for any peer.
    Leave,
    /// Publish a message.
    Publish(Message),
    /// Which peers follow a topic?
    Followers(Topic),
    /// What was counted?
    Counts,
}

/// What a handle is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// To [`Command::Follow`] and [`Command::Leave`].
    Followed,
    /// To [`Command::Publish`]: to how many peers the message goes; `None` if it was known already.
    Published(Option<usize>),
    /// To [`Command::Followers`].
    Followers(Vec<PeerId>),
    /// To [`Command::Counts`].
    Counts(Counts),
}

/// News of topics, and messages of those that are followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// A message that was accepted.
    Message(Arc<Received>),
    /// A peer follows a topic, ours or not. Those of a topic of ours are told again when we begin to follow it.
    Joined(Topic, PeerId),
    /// It does not any more.
    Left(Topic, PeerId),
}

/// A message, and how it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// Who sent it, first of all; not necessarily its author.
    pub peer: PeerId,
    /// By what it is known again.
    pub id: MessageId,
    /// The message.
    pub message: Message,
}

/// Verify the signature of a message, if it has one; then have the application validate it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job(pub Arc<Received>);

/// What an application thinks of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Validation {
    /// Deliver it, and hand it on.
    Accept,
    /// Do neither; nobody is to blame.
    Ignore,
    /// Do neither; who sent it should have known better.
    Reject,
}

/// What was counted since the beginning.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that were accepted.
    pub accepted: u64,
    /// Copies of messages that were known already.
    pub duplicates: u64,
    /// Messages of topics that are not ours, malformed, or against the signature policy.
    pub unwanted: u64,
    /// Messages whose signature was none.
    pub forged: u64,
    /// Messages that the application ignored, or did not validate in time.
    pub ignored: u64,
    /// Messages that the application rejected.
    pub rejected: u64,
    /// Messages that were dropped because too many wait to be validated.
    pub dropped: u64,
    /// Frames that were not sent because too much waits for a peer.
    pub unsent: u64,
    /// Streams that were reset because what came was no RPC.
    pub malformed: u64,
    /// Streams that were reset because their peer sent too much in vain.
    pub floods: u64,
}

type Effects = EffectsOf<Machine>;

impl PeerMachine for Machine {
    type Command = Command;
    type Reply = Reply;
    type Message = Rpc;
    type Event = News;
    type Job = Job;
    type Output = Result<Validation, SignatureError>;

    fn handle(&mut self, now: Instant, input: InputOf<Self>, out: &mut Effects) {
        match input {
            Input::Timeout => self.links.retry(now, out),
            Input::Call { call, command } => self.call(now, call, command, out),
            Input::Peer(state) => {
                self.links.peer(&state, || Peer::new(now), out);
                self.links.forget(state.peer);
            }
            Input::Stream(input) => {
                let event = self.links.stream(now, input, || Peer::new(now), out);
                event.into_iter().for_each(|event| self.link(now, event, out));
            }
            Input::Ran { token, output } => self.ran(now, token, output.as_ref(), out),
        }
        while let Some((token, received)) = self.checks.start() {
            let job = Job(received);
            out.push(Effect::Run { token, job });
        }
        if !self.leaving.is_empty() && !self.links.is_writing() {
            let reply = Reply::Followed;
            out.extend(self.leaving.drain(..).map(|call| Effect::Return {
                call,
                reply: reply.clone(),
            }));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.links.deadline()
    }
}

impl Machine {
    /// The machine of `local`, which no peer knows yet.
    #[must_use]
    pub fn new(local: PeerId, policy: impl Into<SignaturePolicies>, message_id: MessageIdFn) -> Self {
        Self {
            local,
            policy: policy.into(),
            message_id,
            topics: BTreeSet::new(),
            links: Links::default(),
            followers: Followers::default(),
            seen: Seen::default(),
            checks: Checks::default(),
            pool: Pool::default(),
            next_token: 0,
            leaving: Vec::new(),
            counts: Counts::default(),
        }
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

    fn call(&mut self, now: Instant, call: CallId, command: Command, out: &mut Effects) {
        let reply = match command {
            Command::Follow(topics) => {
                self.follow(topics, out);
                Reply::Followed
            }
            Command::Leave => {
                self.follow(BTreeSet::new(), out);
                return self.leaving.push(call);
            }
            Command::Publish(message) => Reply::Published(self.publish(now, &message, out)),
            Command::Followers(topic) => Reply::Followers(self.followers.of(topic.as_str()).collect()),
            Command::Counts => Reply::Counts(self.counts),
        };
        out.push(Effect::Return { call, reply });
    }

    fn follow(&mut self, topics: BTreeSet<Topic>, out: &mut Effects) {
        let topics: BTreeSet<_> = topics.into_iter().take(MAX_TOPICS).collect();
        let changed: Vec<_> = self.topics.symmetric_difference(&topics).cloned().collect();
        self.topics = topics;
        for topic in changed.iter().filter(|topic| self.topics.contains(*topic)) {
            // Those who came before us are news too.
            let followers = self.followers.of(topic.as_str());
            out.extend(followers.map(|peer| Effect::Emit(News::Joined(topic.clone(), peer))));
        }
        for (_, peer) in self.links.iter_mut() {
            changed.iter().for_each(|topic| peer.outbox.told.changed(topic));
        }
        let peers: Vec<_> = self.links.iter().map(|(peer, _)| *peer).collect();
        peers.iter().for_each(|peer| self.write(peer, out));
    }

    fn publish(&mut self, now: Instant, message: &Message, out: &mut Effects) -> Option<usize> {
        let id = (self.message_id)(message);
        if self.seen.contains(now, &id) {
            return None;
        }
        self.seen.insert(now, id, ());
        Some(self.send(message, &[], out))
    }

    /// Sends a message to the peers of its topic, except some. To how many it goes.
    fn send(&mut self, message: &Message, except: &[PeerId], out: &mut Effects) -> usize {
        let author = message.from().unwrap_or_default();
        let followers = self.followers.of(message.topic());
        let others = followers.filter(|peer| peer.as_bytes() != author && !except.contains(peer));
        let peers: Vec<PeerId> = others.collect();
        if peers.is_empty() {
            return 0;
        }
        let frame = self.pool.frame(message.rpc());
        let mut sent = 0;
        for id in peers {
            let is_reachable = self.links.is_reachable(&id);
            let peer = self.links.get_mut(&id).filter(|_| is_reachable);
            if peer.is_some_and(|peer| peer.outbox.push(&frame)) {
                sent += 1;
                self.write(&id, out);
            } else {
                self.counts.unsent += 1;
            }
        }
        drop(frame);
        self.make_room();
        sent
    }

    /// Drops what waits for the slowest peers where too much waits for all together: a quarter is free then.
    fn make_room(&mut self) {
        if self.pool.used() <= MAX_QUEUED_IN_ALL {
            return;
        }
        let mut outboxes: Vec<_> = self.links.iter_mut().map(|(_, peer)| &mut peer.outbox).collect();
        outboxes.sort_by_key(|outbox| Reverse(outbox.bytes()));
        for outbox in outboxes {
            if self.pool.used() <= MAX_QUEUED_IN_ALL / 4 * 3 {
                return;
            }
            self.counts.unsent += outbox.clear() as u64;
        }
    }

    /// Writes what waits for a peer, if its stream takes it.
    fn write(&mut self, id: &PeerId, out: &mut Effects) {
        if self.links.is_writable(id)
            && let Some(peer) = self.links.get_mut(id)
            && let Some(frame) = peer.outbox.next(&self.topics)
        {
            self.links.send(id, frame, out);
        }
    }

    fn link(&mut self, now: Instant, event: LinkEvent<Rpc>, out: &mut Effects) {
        match event {
            LinkEvent::Opened(id, _) => {
                if let Some(peer) = self.links.get_mut(&id) {
                    peer.outbox.told.begin(self.topics.iter().cloned());
                }
                self.write(&id, out);
            }
            LinkEvent::Writable(id) => self.write(&id, out),
            LinkEvent::Lost(id) => {
                if let Some(peer) = self.links.get_mut(&id) {
                    peer.outbox = Outbox::default();
                }
                self.links.forget(id);
            }
            LinkEvent::Void(id) => {
                self.void(id, out);
                self.links.forget(id);
            }
            LinkEvent::Message(id, rpc) => self.rpc(now, id, rpc, out),
            LinkEvent::Malformed(_) => self.counts.malformed += 1,
        }
    }

    /// Forgets the topics of a peer.
    fn void(&mut self, id: PeerId, out: &mut Effects) {
        let topics = self.followers.forget(id).into_iter();
        out.extend(topics.map(|topic| Effect::Emit(News::Left(topic, id))));
    }

    /// Takes in what a peer says over its newest stream.
    fn rpc(&mut self, now: Instant, peer: PeerId, rpc: Rpc, out: &mut Effects) {
        if rpc == Rpc::default() {
            return self.charge(now, peer, out);
        }
        for subscription in rpc.subscriptions {
            self.subscription(peer, subscription, out);
        }
        for _ in 0..rpc.malformed {
            self.counts.unwanted += 1;
            self.charge(now, peer, out);
        }
        for message in rpc.publish {
            self.message(now, peer, message, out);
        }
    }

    fn subscription(&mut self, id: PeerId, subscription: SubOpts, out: &mut Effects) {
        let topic = subscription.topic;
        if !subscription.subscribe {
            if self.followers.leave(id, &topic) {
                out.push(Effect::Emit(News::Left(topic, id)));
            }
        } else if self.followers.join(id, &topic) {
            out.push(Effect::Emit(News::Joined(topic, id)));
        }
    }

    fn message(&mut self, now: Instant, peer: PeerId, message: Message, out: &mut Effects) {
        if !self.topics.contains(message.topic()) || self.policy.of(message.topic()).admit(&message).is_err()
        {
            self.counts.unwanted += 1;
            return self.charge(now, peer, out);
        }
        let id = (self.message_id)(&message);
        // What is known is known before its signature is looked at, and before it is copied. An echo of ours is no news
        // either, however late it comes.
        let is_ours = message.from() == Some(self.local.as_bytes());
        let is_known = is_ours || self.seen.contains(now, &id);
        if is_known || self.checks.is_duplicate(peer, &id, message.as_bytes()) {
            self.counts.duplicates += 1;
            return;
        }
        let token = self.token();
        let message = message.detached();
        if !self.checks.add(token, Received { peer, id, message }) {
            self.counts.dropped += 1;
        }
    }

    fn ran(
        &mut self,
        now: Instant,
        token: Token,
        output: Option<&Result<Validation, SignatureError>>,
        out: &mut Effects,
    ) {
        if let Some(Err(_)) = output {
            if let Some(candidate) = self.checks.forged(token) {
                self.counts.forged += 1;
                self.charge_all(now, &candidate.senders, out);
            }
            return;
        }
        let Some(candidate) = self.checks.settled(token) else {
            return;
        };
        self.seen.insert(now, candidate.received.id.clone(), ());
        match output {
            Some(Ok(Validation::Accept)) => self.accept(candidate, out),
            Some(Ok(Validation::Reject)) => {
                self.counts.rejected += 1;
                self.charge_all(now, &candidate.senders, out);
            }
            // A validator that panicked has said nothing.
            _ => self.counts.ignored += 1,
        }
    }

    fn accept(&mut self, candidate: Candidate, out: &mut Effects) {
        self.counts.accepted += 1;
        let Candidate { received, senders } = candidate;
        if let Some(peer) = self.links.get_mut(&received.peer) {
            peer.budget.useful(received.message.as_bytes().len());
        }
        self.send(&received.message, &senders, out);
        out.push(Effect::Emit(News::Message(received)));
    }

    fn charge_all(&mut self, now: Instant, peers: &[PeerId], out: &mut Effects) {
        for peer in peers {
            self.charge(now, *peer, out);
        }
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
            self.void(id, out);
        }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("local", &self.local)
            .field("topics", &self.topics)
            .field("peers", &self.links.iter().count())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}
