//! The driver in virtual time: machines, the connections between them, and what goes over those.
//!
//! It keeps the promises of `sinew_runtime::Driver`: a stream has room for one frame; every stream that was opened is closed
//! once; the streams of a lost connection are closed before their peer is said to be gone; every call is answered and every
//! job ends. Beyond that a link has a latency in each direction, a node has one way out of some rate for all its frames,
//! and one processor for all its jobs.

mod connections;
mod streams;
#[cfg(test)]
mod tests;

use crate::{queue::Queue, trace::Trace};
use bytes::Bytes;
use connections::Edge;
use sinew_identity::PeerId;
use sinew_machine::{
    CallId, CloseCode, Effect, EffectsOf, Failure, Input, InputOf, Instant, PeerMachine, Rng, StreamInput,
    StreamKey, Token,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use streams::{Side, Stream};

/// What the nodes of a network are to each other and do beside their machines.
pub(crate) trait World<M: PeerMachine> {
    /// The protocol of a stream from one node to another: its places in the list of the first and in that of the second.
    fn agree(&self, opener: usize, other: usize) -> Option<(usize, usize)>;

    /// Reads a frame that came from one node to another; `None` if it is malformed.
    fn decode(&mut self, now: Instant, between: (usize, usize), frame: &Bytes) -> Option<M::Message>;

    /// What a job comes to, and how long it keeps the node's processor busy.
    fn work(&mut self, node: usize, job: M::Job) -> (M::Output, Duration);

    /// Takes in news of a node.
    fn emit(&mut self, now: Instant, node: usize, event: M::Event);

    /// A node resets a stream to another.
    fn reset(&mut self, node: usize, other: usize, code: CloseCode);
}

/// How connections come and go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialling {
    /// How long after a failure or a loss a contact is dialled again.
    pub(crate) redial: Duration,
    /// How long it takes until the loss of a peer that went silent is noticed.
    pub(crate) notice: Duration,
    /// How long a connection lasts on average; `None` if it lasts.
    pub(crate) lasts: Option<Duration>,
}

/// Machines in virtual time.
pub(crate) struct Network<M: PeerMachine, W> {
    /// What is outside the machines.
    pub(crate) world: W,
    dialling: Dialling,
    now: Instant,
    rng: Rng,
    trace: Trace,
    events: u64,
    queue: Queue<Event<M::Output>>,
    nodes: Vec<Node<M>>,
    by_peer: BTreeMap<PeerId, usize>,
    edges: Vec<Edge>,
    streams: Vec<Stream>,
    effects: EffectsOf<M>,
    answer: Option<M::Reply>,
}

struct Node<M> {
    peer: PeerId,
    ips: Arc<[IpAddr]>,
    machine: Option<M>,
    /// How often it came up.
    life: u32,
    /// When it will be asked for its deadline.
    timer: Option<Instant>,
    /// Nodes of different sides do not reach each other.
    side: usize,
    nanos_per_byte: u64,
    /// When its last frame will have left.
    sent: Instant,
    /// When its last job will be done.
    worked: Instant,
    /// By the other end.
    edges: BTreeMap<usize, usize>,
}

enum Event<O> {
    Timeout(usize),
    Dial(usize),
    Identified {
        edge: usize,
        epoch: u32,
    },
    Lost {
        edge: usize,
        epoch: u32,
    },
    Opened {
        stream: usize,
        side: Side,
    },
    OpenFailed {
        node: usize,
        life: u32,
        token: Token,
        failure: Failure,
    },
    Frame {
        stream: usize,
        frame: Bytes,
    },
    Writable(usize),
    Closed {
        stream: usize,
        side: Side,
    },
    /// Boxed, so that frames do not become as large as outcomes.
    Ran {
        node: usize,
        life: u32,
        token: Token,
        output: Box<O>,
    },
}

impl<M: PeerMachine, W: World<M>> Network<M, W> {
    /// A network without nodes.
    pub(crate) fn new(world: W, dialling: Dialling, seed: u64) -> Self {
        Self {
            world,
            dialling,
            now: Instant::ZERO,
            rng: Rng::new(seed),
            trace: Trace::default(),
            events: 0,
            queue: Queue::default(),
            nodes: Vec::new(),
            by_peer: BTreeMap::new(),
            edges: Vec::new(),
            streams: Vec::new(),
            effects: Vec::new(),
            answer: None,
        }
    }

    /// Adds a node, which is down; the rate of its way out is in bits a second.
    pub(crate) fn add(&mut self, peer: PeerId, ip: Ipv4Addr, rate: u64) -> usize {
        self.by_peer.insert(peer, self.nodes.len());
        self.nodes.push(Node {
            peer,
            ips: Arc::new([ip.into()]),
            machine: None,
            life: 0,
            timer: None,
            side: 0,
            nanos_per_byte: 8_000_000_000 / rate.max(1),
            sent: Instant::ZERO,
            worked: Instant::ZERO,
            edges: BTreeMap::new(),
        });
        self.nodes.len() - 1
    }

    /// The virtual time.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// A hash of all inputs of all machines so far.
    pub(crate) fn trace(&self) -> Trace {
        self.trace
    }

    /// How many inputs the machines were given.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// The machine of a node that is up.
    pub(crate) fn machine(&self, node: usize) -> Option<&M> {
        self.nodes[node].machine.as_ref()
    }

    /// Starts a node.
    pub(crate) fn start(&mut self, node: usize, machine: M) {
        self.lose_all(node);
        let state = &mut self.nodes[node];
        state.machine = Some(machine);
        state.life += 1;
        (state.timer, state.sent, state.worked) = (None, self.now, self.now);
        self.dial_all(node);
        self.rearm(node);
    }

    /// Takes a node down, without a word to others.
    pub(crate) fn stop(&mut self, node: usize) -> Option<M> {
        let machine = self.nodes[node].machine.take();
        self.forsake(node, |_, _| true);
        machine
    }

    /// Puts a node on a side: others reach it, and it them, only if they are on the same one.
    pub(crate) fn set_side(&mut self, node: usize, side: usize) {
        self.nodes[node].side = side;
        self.forsake(node, |network, other| network.nodes[other].side != side);
    }

    /// Asks the machine of a node; `None` if it is down.
    pub(crate) fn call(&mut self, node: usize, command: M::Command) -> Option<M::Reply> {
        let call = CallId(self.events);
        self.input(node, Input::Call { call, command });
        self.answer.take()
    }

    /// Lets time pass.
    pub(crate) fn run_until(&mut self, until: Instant) {
        while let Some((at, event)) = self.queue.pop(until) {
            self.now = at;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event<M::Output>) {
        match event {
            Event::Timeout(node) => self.timeout(node),
            Event::Dial(edge) => self.dial(edge),
            Event::Identified { edge, epoch } => self.identified(edge, epoch),
            Event::Lost { edge, epoch } => self.lost(edge, epoch),
            Event::Opened { stream, side } => self.opened(stream, side),
            Event::OpenFailed {
                node,
                life,
                token,
                failure,
            } => {
                if self.nodes[node].life == life {
                    self.stream_input(node, StreamInput::OpenFailed { token, failure });
                }
            }
            Event::Frame { stream, frame } => self.frame(stream, &frame),
            Event::Writable(stream) => self.writable(stream),
            Event::Closed { stream, side } => self.close(stream, side),
            Event::Ran {
                node,
                life,
                token,
                output,
            } => {
                if self.nodes[node].life == life {
                    let output = Some(*output);
                    self.trace.word(token.0);
                    self.input(node, Input::Ran { token, output });
                }
            }
        }
    }

    fn plan(&mut self, after: Duration, event: Event<M::Output>) {
        self.queue.push(self.now + after, event);
    }

    fn stream_input(&mut self, node: usize, input: StreamInput<M::Message>) {
        self.input(node, Input::Stream(input));
    }

    /// Gives a machine an input, if its node is up.
    fn input(&mut self, node: usize, input: InputOf<M>) {
        let Some(machine) = &mut self.nodes[node].machine else {
            return;
        };
        self.events += 1;
        self.trace.word(self.now.0);
        self.trace.word((node as u64) << 8 | kind(&input));
        machine.handle(self.now, input, &mut self.effects);
        self.carry_out(node);
        self.rearm(node);
    }

    fn carry_out(&mut self, node: usize) {
        // Given back, so that its memory is used again.
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Open { token, peer } => self.open(node, token, peer),
                Effect::Send { stream, frame } => self.send(stream, frame),
                Effect::Reset { stream, code } => self.reset(node, stream, code),
                Effect::Run { token, job } => self.job(node, token, job),
                // No connection is closed to make room for another.
                Effect::Keep { .. } => {}
                Effect::Return { reply, .. } => self.answer = Some(reply),
                Effect::Emit(event) => self.world.emit(self.now, node, event),
            }
        }
        self.effects = effects;
    }

    fn job(&mut self, node: usize, token: Token, job: M::Job) {
        let (output, cost) = self.world.work(node, job);
        let state = &mut self.nodes[node];
        state.worked = state.worked.max(self.now) + cost;
        let ran = Event::Ran {
            node,
            life: state.life,
            token,
            output: Box::new(output),
        };
        self.queue.push(state.worked, ran);
    }

    fn timeout(&mut self, node: usize) {
        // An earlier one may have taken its place.
        if self.nodes[node].timer != Some(self.now) {
            return;
        }
        self.nodes[node].timer = None;
        let deadline = self.machine(node).and_then(PeerMachine::deadline);
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            self.input(node, Input::Timeout);
        } else {
            self.rearm(node);
        }
    }

    /// Sees to it that a node is asked in time.
    fn rearm(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        let Some(deadline) = state.machine.as_ref().and_then(PeerMachine::deadline) else {
            return;
        };
        let deadline = deadline.max(self.now);
        if state.timer.is_none_or(|timer| deadline < timer) {
            state.timer = Some(deadline);
            self.queue.push(deadline, Event::Timeout(node));
        }
    }

    fn key(stream: usize) -> StreamKey {
        StreamKey(stream as u64)
    }
}

/// What tells inputs of different kinds apart in a trace.
fn kind<C, M, O>(input: &Input<C, M, O>) -> u64 {
    match input {
        Input::Timeout => 0,
        Input::Call { .. } => 1,
        Input::Peer(state) => 2 + u64::from(state.connected) + u64::from(state.speaks),
        Input::Ran { .. } => 5,
        Input::Stream(StreamInput::Opened { .. }) => 6,
        Input::Stream(StreamInput::OpenFailed { .. }) => 7,
        Input::Stream(StreamInput::Message { .. }) => 8,
        Input::Stream(StreamInput::Writable { .. }) => 9,
        Input::Stream(StreamInput::Closed { .. }) => 10,
        Input::Stream(StreamInput::Malformed { .. }) => 11,
    }
}

/// A duration below a bound.
pub(crate) fn within(rng: &mut Rng, bound: Duration) -> Duration {
    let micros = usize::try_from(bound.as_micros()).unwrap_or(usize::MAX);
    Duration::from_micros(rng.below(micros.max(1)) as u64)
}
