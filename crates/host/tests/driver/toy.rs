//! A machine without decisions of its own: it does what a test tells it and writes down what happens; or, where it is to talk,
//! keeps a stream to every peer and sends numbered frames.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::{Host, Multiaddr, PeerId, ProtocolId, Registrar, Service, ServiceConfig, Stream};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_machine::{
    Effect, EffectsOf, Failure, Input, InputOf, Instant, PeerMachine, StreamInput, StreamKey, Token,
};
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_runtime::{Caller, Driver, Malformed, Shell, now, sleep};
use sinew_yamux::Yamux;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

pub(crate) const PROTOCOL: ProtocolId = ProtocolId::from_static("/toy/1");

/// The longest frame.
pub(crate) const MAX_FRAME: usize = 1 << 20;

/// Frames that one who talks sends over a stream.
pub(crate) const FRAMES: u32 = 20;

/// When one who talks opens a stream again.
const AGAIN: Duration = Duration::from_millis(500);

pub(crate) type Order = Effect<&'static str, usize, Job>;
pub(crate) type Happened = Input<Command, Bytes, &'static str>;

/// What the machine is told to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    Do(Vec<Order>),
    /// To have this deadline from now on.
    Due(Option<Instant>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Job {
    /// Done right away.
    Short,
    Answer,
    Panic,
    Never,
}

/// What happened to a machine, in order, and when.
pub(crate) type Log = Arc<Mutex<Vec<(Instant, Happened)>>>;

/// The news that were told, in order, each with the number of inputs before it.
pub(crate) type News = Arc<Mutex<Vec<(&'static str, usize)>>>;

#[derive(Default)]
pub(crate) struct Toy {
    log: Log,
    talks: bool,
    connected: BTreeSet<PeerId>,
    /// The stream to each peer; `None` while it is being opened.
    streams: BTreeMap<PeerId, Option<StreamKey>>,
    opening: BTreeMap<Token, PeerId>,
    sent: BTreeMap<StreamKey, u32>,
    next_token: u64,
    due: Option<Instant>,
}

impl PeerMachine for Toy {
    type Command = Command;
    type Reply = usize;
    type Message = Bytes;
    type Event = &'static str;
    type Job = Job;
    type Output = &'static str;

    fn handle(&mut self, now: Instant, input: InputOf<Self>, out: &mut EffectsOf<Self>) {
        let mut log = self.log.lock().expect("nobody panics");
        log.push((now, input.clone()));
        let count = log.len();
        drop(log);
        match input {
            Input::Call { call, command } => {
                match command {
                    Command::Do(orders) => out.extend(orders),
                    Command::Due(at) => self.due = at,
                }
                out.push(Effect::Return { call, reply: count });
            }
            Input::Peer(state) if state.connected => drop(self.connected.insert(state.peer)),
            Input::Peer(state) => drop(self.connected.remove(&state.peer)),
            Input::Stream(input) => self.stream(now, &input, out),
            Input::Timeout => self.due = None,
            Input::Ran { .. } => {}
        }
        if self.talks && self.due.is_none() {
            self.open(out);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

impl Toy {
    fn open(&mut self, out: &mut EffectsOf<Self>) {
        for &peer in self
            .connected
            .iter()
            .filter(|peer| !self.streams.contains_key(peer))
        {
            self.next_token += 1;
            let token = Token(self.next_token);
            self.opening.insert(token, peer);
            out.push(Effect::Open { token, peer });
        }
        let opening = self.opening.values().map(|peer| (*peer, None));
        let missing: Vec<_> = opening
            .filter(|(peer, _)| !self.streams.contains_key(peer))
            .collect();
        self.streams.extend(missing);
    }

    fn stream(&mut self, now: Instant, input: &StreamInput<Bytes>, out: &mut EffectsOf<Self>) {
        match *input {
            StreamInput::Opened {
                stream,
                token: Some(token),
                ..
            } if self.talks => {
                let peer = self.opening.remove(&token).expect("was asked for");
                self.streams.insert(peer, Some(stream));
                self.send(stream, out);
            }
            StreamInput::OpenFailed { token, .. } if self.talks => {
                let peer = self.opening.remove(&token).expect("was asked for");
                self.streams.remove(&peer);
                self.due = Some(now + AGAIN);
            }
            StreamInput::Writable { stream } if self.talks => self.send(stream, out),
            StreamInput::Closed { stream } => {
                let before = self.streams.len();
                self.streams.retain(|_, known| *known != Some(stream));
                if self.streams.len() < before {
                    self.due = Some(now + AGAIN);
                }
            }
            _ => {}
        }
    }

    fn send(&mut self, stream: StreamKey, out: &mut EffectsOf<Self>) {
        let sent = self.sent.entry(stream).or_default();
        if *sent < FRAMES {
            let frame = frame(&sent.to_be_bytes());
            *sent += 1;
            out.push(Effect::Send { stream, frame });
        }
    }
}

struct Works {
    log: Log,
    news: News,
}

impl Shell<Toy> for Works {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn protocols(&self) -> Vec<ProtocolId> {
        vec![PROTOCOL]
    }

    fn max_frame(&self) -> usize {
        MAX_FRAME
    }

    fn decode(&self, frame: Bytes) -> Result<Bytes, Malformed> {
        if frame == "malformed" {
            Err(Malformed)
        } else {
            Ok(frame)
        }
    }

    fn at_once(&self, job: Job) -> Result<&'static str, Job> {
        if job == Job::Short { Ok("short") } else { Err(job) }
    }

    fn run(&self, job: Job) -> BoxFuture<'static, &'static str> {
        match job {
            Job::Short => panic!("done at once"),
            Job::Answer => async { "answer" }.boxed(),
            Job::Panic => panic!("wanted by a test"),
            Job::Never => pending().boxed(),
        }
    }

    fn emit(&self, news: &'static str) {
        let count = self.log.lock().expect("nobody panics").len();
        self.news.lock().expect("nobody panics").push((news, count));
    }
}

struct Config(Toy, News);

impl ServiceConfig for Config {
    type Handle = Caller<Toy>;

    fn build(self, _: Host, register: &mut Registrar) -> (Caller<Toy>, Box<dyn Service>) {
        let works = Works {
            log: self.0.log.clone(),
            news: self.1,
        };
        let (caller, driver) = Driver::new(self.0, works, register);
        (caller, Box::new(driver))
    }
}

/// A started host that listens, with a machine.
pub(crate) struct Node {
    pub(crate) host: Host,
    pub(crate) addr: Multiaddr,
    pub(crate) caller: Caller<Toy>,
    pub(crate) log: Log,
    pub(crate) news: News,
}

impl Node {
    /// One whose machine does what it is told.
    pub(crate) async fn new() -> Self {
        Self::with(Toy::default()).await
    }

    /// One whose machine talks to all peers.
    pub(crate) async fn that_talks() -> Self {
        let talks = Toy {
            talks: true,
            ..Toy::default()
        };
        Self::with(talks).await
    }

    async fn with(toy: Toy) -> Self {
        let (log, news) = (toy.log.clone(), News::default());
        let mut builder = builder();
        let caller = builder.add(Config(toy, news.clone()));
        let (host, addr) = start(builder).await;
        Self {
            host,
            addr,
            caller,
            log,
            news,
        }
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.host.peer_id()
    }

    pub(crate) async fn connect(&self, other: &Self) {
        self.host.connect(other.addr.clone()).await.expect("connects");
        settled().await;
    }

    /// Has the machine do something, and waits until all that follows from it has happened, which is at once: what comes later
    /// was not woken, and found its way only when something else moved.
    pub(crate) async fn order(&self, orders: Vec<Order>) {
        let (at, before) = (now(), self.happened().len());
        self.caller.call(Command::Do(orders)).await.expect("runs");
        settled().await;
        self.is_prompt(before, at);
    }

    /// Checks that nothing after the first inputs came later than that.
    pub(crate) fn is_prompt(&self, before: usize, at: Instant) {
        let log = self.log.lock().expect("nobody panics");
        let late = log[before..].iter().find(|(when, _)| *when > at);
        assert_eq!(late, None, "later than {at:?}");
    }

    /// Opens a stream to a peer.
    pub(crate) async fn open(&self, peer: PeerId) -> Result<StreamKey, Failure> {
        let token = Token(self.happened().len() as u64 + 1000);
        self.order(vec![Effect::Open { token, peer }]).await;
        let outcome = self.streams().into_iter().find_map(|input| match input {
            StreamInput::Opened {
                stream,
                token: Some(of),
                ..
            } if of == token => Some(Ok(stream)),
            StreamInput::OpenFailed { token: of, failure } if of == token => Some(Err(failure)),
            _ => None,
        });
        outcome.expect("the attempt ends")
    }

    pub(crate) fn happened(&self) -> Vec<Happened> {
        let log = self.log.lock().expect("nobody panics");
        log.iter().map(|(_, input)| input.clone()).collect()
    }

    pub(crate) fn streams(&self) -> Vec<StreamInput<Bytes>> {
        let happened = self.happened().into_iter();
        let streams = happened.filter_map(|input| match input {
            Input::Stream(input) => Some(input),
            _ => None,
        });
        streams.collect()
    }

    /// What was said over all streams.
    pub(crate) fn messages(&self) -> Vec<Bytes> {
        let streams = self.streams().into_iter();
        let messages = streams.filter_map(|input| match input {
            StreamInput::Message { message, .. } => Some(message),
            _ => None,
        });
        messages.collect()
    }

    pub(crate) fn count(&self, of: &StreamInput<Bytes>) -> usize {
        self.streams().iter().filter(|input| *input == of).count()
    }
}

/// A host without a machine, and a stream from it to one.
pub(crate) async fn stranger(node: &Node) -> (Host, Stream) {
    let (host, _) = start(builder()).await;
    let peer = host.connect(node.addr.clone()).await.expect("connects");
    let stream = host.new_stream(&peer, [PROTOCOL]).await.expect("opens");
    (host, stream)
}

fn builder() -> HostBuilder {
    let key = Keypair::generate();
    let plaintext = InsecurePlaintext::new(key.public());
    HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
        .listen("/memory/0".parse().expect("an address"))
}

async fn start(builder: HostBuilder) -> (Host, Multiaddr) {
    let host = builder.start().await.expect("starts");
    let addr = host.listen_addrs().remove(0);
    (host, addr)
}

/// Waits until nothing happens any more: virtual time passes only then.
pub(crate) async fn settled() {
    sleep(Duration::from_millis(100)).await;
}

/// Bytes behind their length.
pub(crate) fn frame(bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    let mut len = bytes.len();
    while len >= 0x80 {
        out.put_u8(u8::try_from(len & 0x7f).expect("seven bits") | 0x80);
        len >>= 7;
    }
    out.put_u8(u8::try_from(len).expect("seven bits"));
    out.extend_from_slice(bytes);
    out.freeze()
}
