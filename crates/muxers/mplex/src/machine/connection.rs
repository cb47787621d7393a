//! A connection: its state, its beginning and its end.
//!
//! ```text
//! Open ── close() ──► closing: what is queued leaves ──► Ended(Closed)
//!  │                       └── close_timeout ──► Ended(Closed)
//!  │  └── socket ends ──► Ended(Lost)
//!  └── fault ──► nothing is read or written any more ──► Ended(Fault)
//! ```
//!
//! The wire has no goodbye: the end of the bytes is the end of the connection.

use super::{
    End, StreamError,
    clock::Clock,
    frame::{CERTAIN, Header, Kind},
    receive::Body,
    stream::{Id, Stream},
};
use crate::{Config, Fault};
use sinew_machine::{CloseCode, Instant};
use sinew_session::machine::{Budget, Inbox, Late, Room, Unread};
use std::collections::{BTreeMap, VecDeque};

/// Resets that may wait to leave. Beyond, the socket is not read: whoever causes answers has to take them.
const MAX_RESETS: usize = 512;

/// Small frames that may still arrive on a stream after we reset it, before they cost anything.
const LATE_FRAMES: u16 = 64;

/// Payload that may still arrive on a stream after we reset it: what the buffers of two sockets hold at most. Nothing
/// tells the sender to wait, so all of them may be full.
const LATE_BYTES: u32 = 16 << 20;

/// One side of an mplex connection. Both sides are alike.
pub struct Connection<W> {
    pub(crate) config: Config,
    pub(crate) streams: BTreeMap<Id, Box<Stream<W>>>,
    pub(crate) woken: Vec<W>,
    pub(crate) end: Option<End>,

    // Receiving.
    pub(crate) partial: [u8; CERTAIN],
    pub(crate) partial_len: usize,
    pub(crate) body: Option<Body>,
    pub(crate) unread: Unread,
    /// What others leave it of what may lie unread.
    pub(crate) share: usize,
    /// Streams on which as much lies unread as may.
    pub(crate) full: usize,
    pub(crate) budget: Budget,
    pub(crate) late: Late<Id>,

    // Streams of the remote.
    pub(crate) backlog: VecDeque<Id>,
    pub(crate) inbound: usize,
    pub(crate) acceptor: Option<W>,

    // Streams of ours.
    pub(crate) next_number: u64,
    /// Those that the remote has not been told of.
    pub(crate) unsent: usize,
    pub(crate) openers: BTreeMap<u64, W>,
    pub(crate) tickets: u64,

    // Sending.
    pub(crate) resets: VecDeque<Id>,
    pub(crate) round: VecDeque<Id>,
    pub(crate) room: Room<Id>,

    pub(crate) clock: Clock,
}

impl<W> Connection<W> {
    /// A connection that has neither sent nor received anything.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            room: Room::new(config.send_buffer),
            config,
            streams: BTreeMap::new(),
            woken: Vec::new(),
            end: None,
            partial: [0; CERTAIN],
            partial_len: 0,
            body: None,
            unread: Unread::default(),
            share: usize::MAX,
            full: 0,
            budget: Budget::new(now),
            late: Late::default(),
            backlog: VecDeque::new(),
            inbound: 0,
            acceptor: None,
            next_number: 0,
            unsent: 0,
            openers: BTreeMap::new(),
            tickets: 0,
            resets: VecDeque::new(),
            round: VecDeque::new(),
            clock: Clock::new(),
        }
    }

    /// Why the connection has ended, if it has. There may still be payload to transmit.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Whether bytes from the socket are welcome. `false`: too much lies unread, or resets wait to be taken.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.end.is_none() && !self.is_held_up() && self.resets.len() < MAX_RESETS
    }

    /// Whether what lies unread keeps the socket from being read.
    pub(crate) fn is_held_up(&self) -> bool {
        let most = self.share.min(self.config.max_unread);
        self.full > 0 || (self.unread.total > 0 && self.unread.total >= most)
    }

    /// At most `bytes` of payload may lie unread from now on, beside what [`Config::max_unread`] allows: the
    /// connection's share of what all may leave unread.
    pub fn allow_unread(&mut self, now: Instant, bytes: usize) {
        self.share = bytes;
        self.watch_readers(now);
    }

    /// Streams that exist, in either direction.
    #[must_use]
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// Payload that was received and not read. None of it was reserved: the wire knows no windows.
    #[must_use]
    pub fn unread(&self) -> Unread {
        self.unread
    }

    /// Tokens left of the budget for useless frames.
    #[must_use]
    pub fn budget(&self) -> u64 {
        self.budget.left()
    }

    /// Moves those whose wait is over to `out`.
    pub fn take_woken(&mut self, out: &mut Vec<W>) {
        out.append(&mut self.woken);
    }

    /// Starts to close: nothing more is taken from or given to streams, what is queued leaves. Only the first end
    /// counts, and the remote does not learn the code.
    pub fn close(&mut self, now: Instant, code: CloseCode) {
        if self.end.is_none() {
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

    /// Nothing can leave any more.
    pub fn give_up(&mut self) {
        self.clock.expired = self.end.is_some();
    }

    /// The connection is cut.
    pub(crate) fn fail(&mut self, fault: Fault) {
        if self.end.is_none() {
            self.drop_output();
            self.clock.expired = true;
            self.finish_all(End::Fault(fault));
        }
    }

    /// Gives back memory that an idle connection does not need.
    pub fn shrink(&mut self) {
        self.late.forget();
        self.woken.shrink_to_fit();
        for queue in [&mut self.backlog, &mut self.round, &mut self.resets] {
            queue.shrink_to_fit();
        }
        self.room.shrink();
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
        self.resets.clear();
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
        self.woken.extend(self.acceptor.take());
        self.woken.extend(std::mem::take(&mut self.openers).into_values());
    }

    /// Puts `id` into the round of those that have something to send.
    pub(crate) fn schedule(&mut self, id: Id) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.scheduled
        {
            stream.scheduled = true;
            self.round.push_back(id);
        }
    }

    /// Changes what lies unread on a stream, and the sums of it.
    pub(crate) fn change_inbox<R>(&mut self, id: Id, change: impl FnOnce(&mut Inbox) -> R) -> Option<R> {
        let most = self.config.max_stream_unread;
        let inbox = &mut self.streams.get_mut(&id)?.inbox;
        let before = inbox.unread(0);
        let result = change(inbox);
        let after = inbox.unread(0);
        self.unread.exchange(before, after);
        self.full = self.full - usize::from(before.total >= most) + usize::from(after.total >= most);
        Some(result)
    }

    /// Marks `id` as reset, drops what it holds and wakes who waits for it.
    pub(crate) fn end_stream(&mut self, id: Id, why: StreamError) {
        self.change_inbox(id, Inbox::clear);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.over = Some(why);
        self.room.unqueue(stream.outbox.clear());
        stream.wake_all(&mut self.woken);
        if !stream.accepted {
            stream.held = false;
            self.backlog.retain(|&waiting| waiting != id);
        }
        self.announced(id);
        self.settle(id);
    }

    /// The remote knows of `id`, or will never need to: somebody else may open a stream.
    pub(crate) fn announced(&mut self, id: Id) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.known
        {
            stream.known = true;
            self.unsent -= 1;
            self.wake_opener();
        }
    }

    pub(crate) fn wake_opener(&mut self) {
        if let Some((_, opener)) = self.openers.pop_first() {
            self.woken.push(opener);
        }
    }

    /// Tells the remote that `id` is reset, and expects what was under way.
    pub(crate) fn send_reset(&mut self, id: Id) {
        self.resets.push_back(id);
        self.late.remember(id, LATE_FRAMES, LATE_BYTES);
    }

    /// Takes `id` out of the table if nobody needs it any more.
    pub(crate) fn settle(&mut self, id: Id) {
        let settled = self
            .streams
            .get(&id)
            .is_some_and(|stream| !stream.held && stream.is_done());
        if settled {
            self.streams.remove(&id);
            self.inbound -= usize::from(!id.ours);
        }
    }
}

impl Id {
    /// The header of a frame that we send on this stream.
    pub(crate) fn header(self, kind: Kind, length: usize) -> Header {
        Header {
            kind,
            number: self.number,
            initiator: self.ours,
            length,
        }
    }
}

impl<W> std::fmt::Debug for Connection<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("streams", &self.streams.len())
            .field("unread", &self.unread.total)
            .field("queued", &self.room.queued())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
