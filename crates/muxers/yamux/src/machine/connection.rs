//! A connection: its state, its beginning and its end.
//!
//! ```text
//! Open ── close() ──► closing: queued payload leaves, then go-away ──► Ended(Closed)
//!  │  └── go-away arrives ──► Ended(Remote)        └── close_timeout ──► Ended(Closed)
//!  │  └── socket ends ──► Ended(Lost)
//!  └── fault ──► nothing is read any more, go-away leaves ──► Ended(Fault)
//! ```

use super::{
    End,
    clock::Clock,
    frame::{Flags, HEADER, Header, Kind},
    receive::Body,
    stream::{Greeting, Stream},
    window::{INITIAL_WINDOW, Memory},
};
use crate::{Config, Fault};
use sinew_machine::{CloseCode, Instant};
use sinew_session::machine::{Budget, Fault as _, Late, Room, Unread};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Headers of the session itself (pings, resets) that may wait. Beyond, the socket is not read: whoever causes
/// answers has to take them.
const MAX_CONTROL: usize = 512;

/// How long a connection that was cut may take to say why.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Which side of the connection this is: it decides whose stream ids are odd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The dialler: opens streams with odd ids.
    Client,
    /// The listener: opens streams with even ids.
    Server,
}

/// One side of a yamux connection.
pub struct Connection<W> {
    pub(crate) config: Config,
    pub(crate) side: Side,
    pub(crate) streams: BTreeMap<u32, Box<Stream<W>>>,
    pub(crate) woken: Vec<W>,
    pub(crate) end: Option<End>,

    // Receiving.
    pub(crate) partial: [u8; HEADER],
    pub(crate) partial_len: usize,
    pub(crate) body: Option<Body>,
    pub(crate) unread: Unread,
    /// What others leave it of what may lie unread.
    pub(crate) share: usize,
    pub(crate) budget: Budget,
    pub(crate) late: Late<u32>,
    pub(crate) memory: Box<dyn Memory>,
    pub(crate) growth: u64,

    // Streams of the remote.
    pub(crate) backlog: VecDeque<u32>,
    pub(crate) inbound: usize,
    pub(crate) highest_remote: u32,
    pub(crate) acceptor: Option<W>,

    // Streams of ours.
    pub(crate) next_id: Option<u32>,
    pub(crate) unacked: usize,
    pub(crate) openers: BTreeMap<u64, W>,
    pub(crate) tickets: u64,

    // Sending.
    pub(crate) control: VecDeque<[u8; HEADER]>,
    pub(crate) round: VecDeque<u32>,
    pub(crate) unsent: VecDeque<u32>,
    pub(crate) room: Room<u32>,
    /// Streams whose users wait to write, for credit or for room.
    pub(crate) writers: usize,
    pub(crate) goodbye: Option<CloseCode>,

    pub(crate) clock: Clock,
}

impl<W> Connection<W> {
    /// A connection that has neither sent nor received anything. `memory` is asked before a window grows.
    #[must_use]
    pub fn new(config: Config, side: Side, now: Instant, memory: Box<dyn Memory>) -> Self {
        // spec: yamux, StreamID Field: the client uses odd ids, the server even ones, 0 is the session's.
        let first = if side == Side::Client { 1 } else { 2 };
        Self {
            clock: Clock::new(now, &config),
            room: Room::new(config.send_buffer),
            config,
            side,
            streams: BTreeMap::new(),
            woken: Vec::new(),
            end: None,
            partial: [0; HEADER],
            partial_len: 0,
            body: None,
            unread: Unread::default(),
            share: usize::MAX,
            budget: Budget::new(now),
            late: Late::default(),
            memory,
            growth: 0,
            backlog: VecDeque::new(),
            inbound: 0,
            highest_remote: 0,
            acceptor: None,
            next_id: Some(first),
            unacked: 0,
            openers: BTreeMap::new(),
            tickets: 0,
            control: VecDeque::new(),
            round: VecDeque::new(),
            unsent: VecDeque::new(),
            writers: 0,
            goodbye: None,
        }
    }

    /// Why the connection has ended, if it has. There may still be a goodbye to transmit.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Whether bytes from the socket are welcome. `false`: too much lies unread, or answers wait to be taken.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.end.is_none() && !self.is_held_up() && self.control.len() < MAX_CONTROL
    }

    /// Streams that exist, in either direction.
    #[must_use]
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// Payload that was received and not read; what of it came by the growth of a window was reserved before.
    #[must_use]
    pub fn unread(&self) -> Unread {
        self.unread
    }

    /// At most `bytes` of payload that was not reserved may lie unread from now on, beside what [`Config::max_unread`]
    /// allows: the connection's share of what all may leave unread.
    pub fn allow_unread(&mut self, now: Instant, bytes: usize) {
        self.share = bytes;
        self.watch_readers(now);
    }

    fn most_unread(&self) -> usize {
        self.share.min(self.config.max_unread)
    }

    /// Whether as much lies unread as may.
    pub(crate) fn is_overfull(&self) -> bool {
        self.unread.uncovered >= self.most_unread()
    }

    /// Whether what lies unread keeps the socket from being read.
    ///
    /// A stream whose user has to write before it reads on (an echo) waits for credit that lies in the socket behind no more
    /// than a window of payload, or for a remote that does not read before we do. While one waits, so much more is read.
    fn is_held_up(&self) -> bool {
        let far_over = || self.unread.uncovered >= self.most_unread().saturating_add(INITIAL_WINDOW as usize);
        self.is_overfull() && (self.writers == 0 || far_over())
    }

    /// Tokens left of the budget for useless frames.
    #[must_use]
    pub fn budget(&self) -> u64 {
        self.budget.left()
    }

    /// The last measured round-trip time.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.clock.rtt
    }

    /// Moves those whose wait is over to `out`.
    pub fn take_woken(&mut self, out: &mut Vec<W>) {
        out.append(&mut self.woken);
    }

    /// Starts to close: nothing more is taken from or given to streams, what is queued leaves, then a goodbye
    /// with `code`. Only the first end counts.
    pub fn close(&mut self, now: Instant, code: CloseCode) {
        if self.end.is_none() {
            self.goodbye = Some(code);
            self.clock.close_by = Some(now + self.config.close_timeout);
            self.finish_all(End::Closed(code));
        }
    }

    /// The bytes underneath have ended.
    pub fn lost(&mut self) {
        if self.end.is_none() {
            self.drop_output();
            self.finish_all(End::Lost);
        }
    }

    /// No goodbye can leave any more.
    pub fn give_up(&mut self) {
        self.clock.expired = self.end.is_some();
    }

    /// The connection is cut: of all that waits only a goodbye leaves.
    pub(crate) fn fail(&mut self, now: Instant, fault: Fault) {
        if self.end.is_none() {
            self.drop_output();
            self.goodbye = Some(fault.code());
            self.clock.close_by = Some(now + LAST_WORDS);
            self.finish_all(End::Fault(fault));
        }
    }

    /// The remote has said goodbye.
    pub(crate) fn remote_close(&mut self, now: Instant, code: CloseCode) {
        if self.end.is_none() {
            self.clock.close_by = Some(now + LAST_WORDS);
            self.drop_output();
            self.finish_all(End::Remote(code));
        }
    }

    /// Gives back memory that an idle connection does not need.
    pub fn shrink(&mut self) {
        self.late.forget();
        self.woken.shrink_to_fit();
        for queue in [&mut self.backlog, &mut self.round, &mut self.unsent] {
            queue.shrink_to_fit();
        }
        self.room.shrink();
        self.control.shrink_to_fit();
        self.clock.shrink();
    }

    /// Copies unread payload out of the buffers that it arrived in, so that those can be used again.
    pub fn compact(&mut self) {
        if self.unread.shared == 0 {
            return;
        }
        for stream in self.streams.values_mut() {
            stream.inbox.compact();
        }
        self.unread.shared = 0;
    }

    fn drop_output(&mut self) {
        self.control.clear();
        self.round.clear();
        for stream in self.streams.values_mut() {
            self.room.unqueue(stream.outbox.clear());
        }
    }

    fn finish_all(&mut self, end: End) {
        self.end = Some(end);
        self.body = None;
        for stream in self.streams.values_mut() {
            stream.wake_all(&mut self.woken);
        }
        self.writers = 0;
        self.woken.extend(self.acceptor.take());
        self.woken.extend(std::mem::take(&mut self.openers).into_values());
    }

    /// Queues a frame that belongs to no round.
    pub(crate) fn control(&mut self, kind: Kind, flags: Flags, stream: u32, length: u32) {
        self.control
            .push_back(Header::new(kind, flags, stream, length).encode());
    }

    /// Puts `id` into the round of those that have something to send.
    pub(crate) fn schedule(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.scheduled
        {
            stream.scheduled = true;
            self.round.push_back(id);
        }
    }

    /// Whether `id` is one of the remote's numbers.
    pub(crate) fn is_remote_id(&self, id: u32) -> bool {
        id.is_multiple_of(2) == (self.side == Side::Client)
    }

    /// Takes `id` out of the table if nobody needs it any more.
    pub(crate) fn settle(&mut self, id: u32) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        if stream.held || !stream.is_done() {
            return;
        }
        self.give_back_growth(id);
        let Some(stream) = self.streams.remove(&id) else {
            return;
        };
        self.acknowledged(stream.local && !stream.acked);
        if !stream.local {
            self.inbound -= 1;
        }
        if stream.greeting != Greeting::Syn {
            self.late.remember(id, stream.late_frames, stream.window.credit());
        }
    }

    /// One of our streams left the backlog of unacknowledged ones.
    pub(crate) fn acknowledged(&mut self, was_waiting: bool) {
        if was_waiting {
            self.unacked -= 1;
            self.wake_opener();
        }
    }

    pub(crate) fn wake_opener(&mut self) {
        if let Some((_, opener)) = self.openers.pop_first() {
            self.woken.push(opener);
        }
    }

    /// Changes a stream, and the sums of what lies unread.
    pub(crate) fn change<R>(&mut self, id: u32, change: impl FnOnce(&mut Stream<W>) -> R) -> Option<R> {
        let stream = self.streams.get_mut(&id)?;
        let before = stream.unread();
        let result = change(stream);
        self.unread.exchange(before, stream.unread());
        Some(result)
    }
}

impl<W> std::fmt::Debug for Connection<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("side", &self.side)
            .field("streams", &self.streams.len())
            .field("unread", &self.unread.total)
            .field("queued", &self.room.queued())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
