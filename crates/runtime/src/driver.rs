//! The driver: runs a machine across peers as a service.

mod call;
mod stream;

pub use call::{Caller, Ended};

use crate::{Timer, now};
use bytes::Bytes;
use call::Call;
use futures_util::{FutureExt, future::BoxFuture};
use sinew_addr::Protocol;
use sinew_core::{
    CloseCode, Direction, HandlerOptions, Host, Multiaddr, OpenError, OpenOptions, PeerId, ProtocolId,
    Registrar, Service, ServiceContext, ServiceError, Stream,
};
use sinew_machine::{
    CallId, Effect, EffectsOf, Failure, Input, InputOf, PeerMachine, PeerState, StreamInput, StreamKey,
    Token, Weight,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use stream::{Ends, Handle, Outbound};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// Frames, ends of streams and ends of jobs that wait for the machine. Whoever brings one more waits; a stream that waits is
/// not read.
const INBOX: usize = 128;

/// Calls that wait for the machine; whoever makes one more waits.
const CALLS: usize = 128;

/// Inputs that are taken from the inbox before calls, peers and the clock have their turn again.
const BATCH: usize = 64;

/// Inbound streams of one peer and protocol at once: the one in use, and the one that takes its place.
const STREAMS_PER_PEER: usize = 2;

/// What a machine cannot do by itself: reading frames, doing work, telling news. Called from many tasks.
pub trait Shell<M: PeerMachine>: Send + Sync + 'static {
    /// Its name in logs.
    fn name(&self) -> &'static str;

    /// The protocols, best first. Asked once.
    fn protocols(&self) -> Vec<ProtocolId>;

    /// The longest frame that is read. Asked once a stream.
    fn max_frame(&self) -> usize;

    /// Reads a frame, on the task of its stream.
    ///
    /// # Errors
    /// [`Malformed`] when it is none: the stream is reset, and its peer is to blame.
    fn decode(&self, frame: Bytes) -> Result<M::Message, Malformed>;

    /// Does a job right away, between two inputs of the machine; gives it back if it takes longer than a task costs.
    fn at_once(&self, job: M::Job) -> Result<M::Output, M::Job>;

    /// Does a job, on a task of its own.
    fn run(&self, job: M::Job) -> BoxFuture<'static, M::Output>;

    /// Takes in news. Must not block.
    fn emit(&self, event: M::Event);
}

/// A frame says nothing that the protocol knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Runs a machine: a service, and one task for each stream and each job.
///
/// A peer is known to speak a protocol when it was identified or opens a stream. The inbox is shared by all streams, which
/// take turns, each with 64 KiB of frames at most; a frame waits in the task of its stream until there is room.
pub struct Driver<M: PeerMachine, S> {
    machine: M,
    shared: Arc<Shared<M, S>>,
    inbox: mpsc::Receiver<Arrival<M>>,
    calls: mpsc::Receiver<Call<M>>,
    owed: BTreeMap<CallId, oneshot::Sender<M::Reply>>,
    next_call: u64,
    /// The streams that have not ended, by which they are told what to do.
    streams: BTreeMap<StreamKey, Handle>,
    effects: EffectsOf<M>,
}

type EffectOf<M> = Effect<<M as PeerMachine>::Event, <M as PeerMachine>::Reply, <M as PeerMachine>::Job>;

/// What the driver and its tasks share.
struct Shared<M: PeerMachine, S> {
    shell: S,
    protocols: Vec<ProtocolId>,
    feed: mpsc::Sender<Arrival<M>>,
    next_stream: AtomicU64,
}

/// What a task brings to the machine, and how the stream that it opened is told what to do.
struct Arrival<M: PeerMachine> {
    input: InputOf<M>,
    opened: Option<(StreamKey, Handle)>,
    /// What a frame takes of its stream's share, until the machine has it.
    place: Option<OwnedSemaphorePermit>,
}

impl<M: PeerMachine, S: Shell<M>> Driver<M, S> {
    /// A driver that serves the protocols of its shell from the first moment on, and what calls its machine.
    pub fn new(machine: M, shell: S, register: &mut Registrar) -> (Caller<M>, Self) {
        let (feed, inbox) = mpsc::channel(INBOX);
        let (caller, calls) = mpsc::channel(CALLS);
        let shared = Arc::new(Shared {
            protocols: shell.protocols(),
            shell,
            feed,
            next_stream: AtomicU64::new(0),
        });
        for (index, protocol) in shared.protocols.iter().enumerate() {
            let shared = shared.clone();
            let options = HandlerOptions::default().max_streams_per_peer(STREAMS_PER_PEER);
            let serve = move |stream: Stream| stream::read(shared.clone(), stream, index);
            register.handler(protocol.clone(), options, serve);
        }
        let driver = Self {
            machine,
            shared,
            inbox,
            calls,
            owed: BTreeMap::new(),
            next_call: 0,
            streams: BTreeMap::new(),
            effects: EffectsOf::<M>::new(),
        };
        (Caller::new(caller), driver)
    }

    async fn work(mut self, mut context: ServiceContext) {
        let mut peers = context.host.membership();
        // One for all turns: most of them leave the deadline where it is.
        let mut timer = Timer::new();
        loop {
            let due = self.machine.deadline();
            tokio::select! {
                () = context.shutdown.requested() => return,
                state = peers.next() => match state {
                    Some(state) => self.input(Input::Peer(self.shared.peer_state(&state))),
                    None => return,
                },
                Some(call) = self.calls.recv() => self.call(call),
                Some(arrival) = self.inbox.recv() => self.arrivals(&context, arrival),
                () = poll_fn(|cx| timer.poll(cx, due)) => self.input(Input::Timeout),
            }
            self.carry_out(&context);
        }
    }

    fn input(&mut self, input: InputOf<M>) {
        self.machine.handle(now(), input, &mut self.effects);
    }

    fn call(&mut self, call: Call<M>) {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.owed.insert(id, call.reply);
        self.input(Input::Call {
            call: id,
            command: call.command,
        });
    }

    /// What follows from each is done before the next: an RPC may be worth a thousand effects.
    fn arrivals(&mut self, context: &ServiceContext, first: Arrival<M>) {
        self.arrival(first);
        for _ in 1..BATCH {
            self.carry_out(context);
            let Ok(next) = self.inbox.try_recv() else { return };
            self.arrival(next);
        }
    }

    fn arrival(&mut self, arrival: Arrival<M>) {
        self.streams.extend(arrival.opened);
        if let Input::Stream(StreamInput::Closed { stream }) = &arrival.input {
            self.streams.remove(stream);
        }
        self.input(arrival.input);
        drop(arrival.place);
    }

    fn carry_out(&mut self, context: &ServiceContext) {
        while !self.effects.is_empty() {
            let effects = std::mem::take(&mut self.effects);
            effects
                .into_iter()
                .for_each(|effect| self.effect(context, effect));
        }
    }

    fn effect(&mut self, context: &ServiceContext, effect: EffectOf<M>) {
        match effect {
            Effect::Open { token, peer } => {
                let opening = stream::open(self.shared.clone(), context.host.clone(), peer, token);
                context.tasks.spawn("stream", opening.boxed());
            }
            Effect::Send { stream, frame } => {
                if self.streams.get(&stream).is_some_and(|handle| handle.send(frame)) {
                    self.input(Input::Stream(StreamInput::Writable { stream }));
                }
            }
            Effect::Reset { stream, code } => {
                if let Some(handle) = self.streams.get(&stream) {
                    handle.reset(code);
                }
            }
            Effect::Run { token, job } => match self.shared.shell.at_once(job) {
                Ok(output) => self.input(Input::Ran {
                    token,
                    output: Some(output),
                }),
                Err(job) => {
                    let running = run(self.shared.clone(), token, job);
                    context.tasks.spawn("job", running.boxed());
                }
            },
            Effect::Keep { peer, tag, weight } => keep(&context.host, &peer, tag, weight),
            Effect::Return { call, reply } => {
                if let Some(owed) = self.owed.remove(&call) {
                    // Whoever asked may have left.
                    drop(owed.send(reply));
                }
            }
            Effect::Emit(event) => self.shared.shell.emit(event),
        }
    }
}

impl<M: PeerMachine, S: Shell<M>> Service for Driver<M, S> {
    fn name(&self) -> &'static str {
        self.shared.shell.name()
    }

    fn run(self: Box<Self>, context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        self.work(context).map(Ok).boxed()
    }
}

impl<M: PeerMachine, S: Shell<M>> Shared<M, S> {
    fn peer_state(&self, state: &sinew_core::PeerState) -> PeerState {
        let mut spoken = state.protocols.iter().flat_map(|list| list.iter());
        let mut direct = state.connections.iter().filter(|connection| !connection.limited);
        let ips = direct.clone().filter_map(|connection| ip(&connection.remote));
        let ips: BTreeSet<_> = ips.collect();
        PeerState {
            peer: state.peer,
            connected: state.is_connected(),
            speaks: spoken.any(|protocol| self.protocols.contains(protocol)),
            outbound: direct.any(|connection| connection.direction == Direction::Outbound),
            ips: ips.into_iter().collect(),
        }
    }

    /// Waits for room in the inbox; an error if the driver has ended.
    async fn bring(&self, input: InputOf<M>, place: Option<OwnedSemaphorePermit>) -> Result<(), Ended> {
        let arrival = Arrival {
            input,
            opened: None,
            place,
        };
        self.feed.send(arrival).await.map_err(|_| Ended)
    }

    async fn bring_stream(&self, input: StreamInput<M::Message>) -> Result<(), Ended> {
        self.bring(Input::Stream(input), None).await
    }

    /// Announces a stream, and gives what its task needs.
    async fn opened(
        &self,
        peer: PeerId,
        protocol: usize,
        token: Option<Token>,
        outbound: Option<Outbound>,
    ) -> Result<Ends, Ended> {
        let stream = StreamKey(self.next_stream.fetch_add(1, Ordering::Relaxed));
        let (handle, ends) = stream::ends(stream, outbound);
        let input = Input::Stream(StreamInput::Opened {
            stream,
            peer,
            protocol,
            token,
        });
        let opened = Some((stream, handle));
        self.feed
            .send(Arrival {
                input,
                opened,
                place: None,
            })
            .await
            .map_err(|_| Ended)?;
        Ok(ends)
    }
}

fn keep(host: &Host, peer: &PeerId, tag: &'static str, weight: Weight) {
    if weight == Weight::Protect {
        host.protect(peer, tag);
    } else {
        host.unprotect(peer, tag);
    }
    match weight {
        Weight::Some(value) => host.tag_peer(peer, tag, i32::try_from(value).unwrap_or(i32::MAX)),
        Weight::None | Weight::Protect => host.untag_peer(peer, tag),
    }
}

/// The IP address that an address begins with, if it does.
fn ip(addr: &Multiaddr) -> Option<IpAddr> {
    let mut components = addr
        .iter()
        .skip_while(|component| matches!(component, Protocol::Ip6zone(_)));
    match components.next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Runs a job and brings what it came to.
async fn run<M: PeerMachine, S: Shell<M>>(shared: Arc<Shared<M, S>>, token: Token, job: M::Job) {
    let output = AssertUnwindSafe(async { shared.shell.run(job).await })
        .catch_unwind()
        .await;
    if output.is_err() {
        tracing::error!(service = shared.shell.name(), "a job panicked");
    }
    let output = output.ok();
    // Nobody is there to hear of it once the driver has ended.
    let _ = shared.bring(Input::Ran { token, output }, None).await;
}
