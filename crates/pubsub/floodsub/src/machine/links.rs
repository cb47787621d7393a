//! Peers and the streams to them and from them, as they come and go.
//!
//! ```text
//!          wanted            opened
//!   Idle ---------> Opening --------> Open
//!    ^                |  ^              |
//!    | unsupported,   |  | retry        | closed
//!    | or too often   v  |              |
//!    +------------- (failed) <----------+
//! ```

use bytes::Bytes;
use sinew_identity::PeerId;
use sinew_machine::{
    CloseCode, Effect, Failure, Instant, PeerState, StreamInput, StreamKey, Timers, Token, code,
};
use std::{collections::BTreeMap, time::Duration};

/// How often a stream is opened again that ended, until the peer comes back or [`FORGOTTEN`] has passed: as in go-libp2p.
const MAX_RETRIES: u32 = 4;

/// How long after the last end a stream is opened again as if it had never ended: as in go-libp2p.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// How long after the first end; twice as long after each further one.
const RETRY: Duration = Duration::from_secs(1);

/// The peers that are connected or have a stream, with what a machine keeps of each. A peer has one stream in each direction.
#[derive(Debug)]
pub struct Links<T> {
    peers: BTreeMap<PeerId, Link<T>>,
    streams: BTreeMap<StreamKey, PeerId>,
    opening: BTreeMap<Token, PeerId>,
    retries: Timers<PeerId>,
    next_token: u64,
}

/// What happened to the streams of a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkEvent<M> {
    /// It takes frames from now on, and was told nothing yet. The protocol is told by its place in the list.
    Opened(PeerId, usize),
    /// It takes one more frame.
    Writable(PeerId),
    /// It takes no more frames; what was to be sent is void.
    Lost(PeerId),
    /// What it said so far is void.
    Void(PeerId),
    /// It says something.
    Message(PeerId, M),
    /// What it sent is nothing that could be read.
    Malformed(PeerId),
}

#[derive(Debug)]
struct Link<T> {
    connected: bool,
    speaks: bool,
    /// The stream that it writes; the newest if there are several.
    inbound: Option<StreamKey>,
    outbound: Outbound,
    retries: u32,
    /// When the stream that we write ended last.
    ended: Instant,
    state: T,
}

/// The stream that we write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outbound {
    Idle,
    Opening(Token),
    Open {
        stream: StreamKey,
        /// Whether it takes a frame.
        writable: bool,
    },
}

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self {
            peers: BTreeMap::new(),
            streams: BTreeMap::new(),
            opening: BTreeMap::new(),
            retries: Timers::default(),
            next_token: 0,
        }
    }
}

impl<T> Links<T> {
    /// What is kept of a peer.
    #[must_use]
    pub fn get(&self, peer: &PeerId) -> Option<&T> {
        self.peers.get(peer).map(|link| &link.state)
    }

    /// What is kept of a peer, to be changed.
    pub fn get_mut(&mut self, peer: &PeerId) -> Option<&mut T> {
        self.peers.get_mut(peer).map(|link| &mut link.state)
    }

    /// All peers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, &T)> {
        self.peers.iter().map(|(peer, link)| (peer, &link.state))
    }

    /// All peers, in order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&PeerId, &mut T)> {
        self.peers.iter_mut().map(|(peer, link)| (peer, &mut link.state))
    }

    /// Whether frames for a peer leave, now or soon.
    #[must_use]
    pub fn is_reachable(&self, peer: &PeerId) -> bool {
        let link = self.peers.get(peer);
        link.is_some_and(|link| link.outbound != Outbound::Idle)
    }

    /// Whether there is a stream from or to a peer.
    #[must_use]
    pub fn has_stream(&self, peer: &PeerId) -> bool {
        let link = self.peers.get(peer);
        link.is_some_and(Link::has_stream)
    }

    /// Whether a peer takes a frame now.
    #[must_use]
    pub fn is_writable(&self, peer: &PeerId) -> bool {
        let link = self.peers.get(peer);
        link.is_some_and(|link| matches!(link.outbound, Outbound::Open { writable: true, .. }))
    }

    /// Whether a frame is on its way to any peer.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        let mut links = self.peers.values();
        links.any(|link| matches!(link.outbound, Outbound::Open { writable: false, .. }))
    }

    /// Sends a frame to a peer that takes one; nothing if it does not.
    pub fn send<E, R, J>(&mut self, peer: &PeerId, frame: Bytes, out: &mut Vec<Effect<E, R, J>>) {
        if let Some(link) = self.peers.get_mut(peer)
            && let Outbound::Open { stream, writable } = &mut link.outbound
            && std::mem::take(writable)
        {
            let stream = *stream;
            out.push(Effect::Send { stream, frame });
        }
    }

    /// Listens to a peer no more, until it opens another stream; `false` if it has none.
    pub fn silence<E, R, J>(
        &mut self,
        peer: &PeerId,
        code: CloseCode,
        out: &mut Vec<Effect<E, R, J>>,
    ) -> bool {
        let link = self.peers.get_mut(peer);
        let Some(stream) = link.and_then(|link| link.inbound.take()) else {
            return false;
        };
        out.push(Effect::Reset { stream, code });
        true
    }

    /// When [`Links::retry`] is to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.retries.next()
    }

    /// Opens the streams whose time has come again.
    pub fn retry<E, R, J>(&mut self, now: Instant, out: &mut Vec<Effect<E, R, J>>) {
        while let Some(peer) = self.retries.due(now) {
            self.open(peer, out);
        }
    }

    /// Takes in how a peer is now; `new` makes what is kept of it.
    pub fn peer<E, R, J>(
        &mut self,
        state: &PeerState,
        new: impl FnOnce() -> T,
        out: &mut Vec<Effect<E, R, J>>,
    ) {
        let id = state.peer;
        if !state.connected && !self.peers.contains_key(&id) {
            return;
        }
        let link = self.peers.entry(id).or_insert_with(|| Link::new(new()));
        (link.connected, link.speaks) = (state.connected, state.speaks);
        self.open(id, out);
    }

    /// Takes in what happened to a stream; `new` makes what is kept of its peer.
    pub fn stream<M, E, R, J>(
        &mut self,
        now: Instant,
        input: StreamInput<M>,
        new: impl FnOnce() -> T,
        out: &mut Vec<Effect<E, R, J>>,
    ) -> Option<LinkEvent<M>> {
        match input {
            StreamInput::Opened {
                stream,
                peer,
                protocol,
                token,
            } => {
                self.streams.insert(stream, peer);
                match token {
                    Some(token) => self.outbound_opened(token, stream, protocol, out),
                    None => Some(self.inbound_opened(peer, stream, new, out)),
                }
            }
            StreamInput::OpenFailed { token, failure } => {
                let id = self.opened(token)?;
                self.outbound_ended(now, id, failure == Failure::Failed);
                Some(LinkEvent::Lost(id))
            }
            StreamInput::Message { stream, message } => {
                let id = *self.streams.get(&stream)?;
                // What an older stream still held counts no more.
                let is_newest = self.peers.get(&id)?.inbound == Some(stream);
                is_newest.then_some(LinkEvent::Message(id, message))
            }
            StreamInput::Malformed { stream } => self.streams.get(&stream).copied().map(LinkEvent::Malformed),
            StreamInput::Writable { stream } => self.writable(stream),
            StreamInput::Closed { stream } => self.closed(now, stream),
        }
    }

    /// Opens a stream to a peer, if it wants one now.
    fn open<E, R, J>(&mut self, id: PeerId, out: &mut Vec<Effect<E, R, J>>) {
        let Some(link) = self.peers.get_mut(&id) else {
            return;
        };
        if link.wants_stream() && !self.retries.is_set(&id) {
            self.next_token += 1;
            let token = Token(self.next_token);
            link.outbound = Outbound::Opening(token);
            self.opening.insert(token, id);
            out.push(Effect::Open { token, peer: id });
        }
    }

    fn outbound_opened<M, E, R, J>(
        &mut self,
        token: Token,
        stream: StreamKey,
        protocol: usize,
        out: &mut Vec<Effect<E, R, J>>,
    ) -> Option<LinkEvent<M>> {
        let Some(id) = self.opened(token) else {
            // The peer went meanwhile. If it is here again, another stream to it is being opened.
            let code = code::stream::GARBAGE_COLLECTED;
            out.push(Effect::Reset { stream, code });
            return None;
        };
        let writable = true;
        self.peers.get_mut(&id)?.outbound = Outbound::Open { stream, writable };
        Some(LinkEvent::Opened(id, protocol))
    }

    /// The peer to which a stream was being opened, if that is still wanted.
    fn opened(&mut self, token: Token) -> Option<PeerId> {
        let id = self.opening.remove(&token)?;
        let link = self.peers.get(&id)?;
        (link.outbound == Outbound::Opening(token)).then_some(id)
    }

    fn inbound_opened<M, E, R, J>(
        &mut self,
        id: PeerId,
        stream: StreamKey,
        new: impl FnOnce() -> T,
        out: &mut Vec<Effect<E, R, J>>,
    ) -> LinkEvent<M> {
        // A peer has one stream; a second one shows that it lost the first.
        self.silence(&id, code::stream::GARBAGE_COLLECTED, out);
        let link = self.peers.entry(id).or_insert_with(|| Link::new(new()));
        link.inbound = Some(stream);
        self.open(id, out);
        LinkEvent::Void(id)
    }

    fn writable<M>(&mut self, key: StreamKey) -> Option<LinkEvent<M>> {
        let id = *self.streams.get(&key)?;
        match &mut self.peers.get_mut(&id)?.outbound {
            Outbound::Open { stream, writable } if *stream == key => {
                *writable = true;
                Some(LinkEvent::Writable(id))
            }
            _ => None,
        }
    }

    fn closed<M>(&mut self, now: Instant, key: StreamKey) -> Option<LinkEvent<M>> {
        let id = self.streams.remove(&key)?;
        let link = self.peers.get_mut(&id)?;
        if matches!(link.outbound, Outbound::Open { stream, .. } if stream == key) {
            self.outbound_ended(now, id, true);
            return Some(LinkEvent::Lost(id));
        }
        // Also the end of one that was silenced: the peer may be one to forget by now.
        let is_last = link.inbound.is_none_or(|stream| stream == key);
        is_last.then(|| {
            link.inbound = None;
            LinkEvent::Void(id)
        })
    }

    /// The stream is no more, or did not come about.
    fn outbound_ended(&mut self, now: Instant, id: PeerId, again: bool) {
        let Some(link) = self.peers.get_mut(&id) else {
            return;
        };
        link.outbound = Outbound::Idle;
        match link.retry(now).filter(|_| again) {
            Some(wait) => self.retries.set(id, now + wait),
            // Not before its state changes.
            None => link.speaks = false,
        }
    }

    /// Forgets a peer of which nothing is left, and gives what was kept. To be called when an input was dealt with.
    pub fn forget(&mut self, id: PeerId) -> Option<T> {
        self.peers.get(&id).filter(|link| link.is_gone())?;
        self.retries.cancel(&id);
        self.peers.remove(&id).map(|link| link.state)
    }
}

impl<T> Link<T> {
    fn new(state: T) -> Self {
        Self {
            connected: false,
            speaks: false,
            inbound: None,
            outbound: Outbound::Idle,
            retries: 0,
            ended: Instant::ZERO,
            state,
        }
    }

    fn is_gone(&self) -> bool {
        !self.connected && !self.has_stream()
    }

    fn has_stream(&self) -> bool {
        self.inbound.is_some() || matches!(self.outbound, Outbound::Open { .. })
    }

    fn wants_stream(&self) -> bool {
        // Who opens a stream of the protocol speaks it, identified or not.
        let speaks = self.speaks || self.inbound.is_some();
        self.connected && speaks && self.outbound == Outbound::Idle
    }

    /// How long to wait until the stream is opened again; `None` if that was done often enough.
    fn retry(&mut self, now: Instant) -> Option<Duration> {
        if now - self.ended > FORGOTTEN {
            self.retries = 0;
        }
        self.ended = now;
        let wait = RETRY * 2u32.pow(self.retries);
        (self.retries < MAX_RETRIES).then(|| {
            self.retries += 1;
            wait
        })
    }
}
