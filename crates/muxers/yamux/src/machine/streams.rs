//! What streams are asked to do: open, accept, read, write, finish, reset.

use super::{
    End, Refused, StreamError, Ticket,
    connection::Connection,
    frame::{Flags, Kind},
    stream::{Greeting, Intake, Sending, Stream},
};
use bytes::Bytes;
use sinew_machine::{CloseCode, Instant};
use std::task::Poll;

impl<W> Connection<W> {
    /// Opens a stream. While too many of ours are unacknowledged, `waiter` waits under a ticket; asking again
    /// with the ticket keeps the place.
    pub fn open(
        &mut self,
        now: Instant,
        ticket: &mut Option<Ticket>,
        waiter: impl FnOnce() -> W,
    ) -> Poll<Result<u32, Refused>> {
        if let Some(end) = self.end {
            return Poll::Ready(Err(Refused::Ended(end)));
        }
        // spec: yamux, ACK backlog: at most 256 streams are unacknowledged.
        if self.unacked >= self.config.ack_backlog {
            let place = ticket.take().map_or(self.tickets, |ticket| ticket.0);
            self.tickets = self.tickets.max(place + 1);
            self.openers.insert(place, waiter());
            *ticket = Some(Ticket(place));
            return Poll::Pending;
        }
        if let Some(Ticket(place)) = ticket.take() {
            self.openers.remove(&place);
        }
        let Some(id) = self.next_id else {
            return Poll::Ready(Err(Refused::Exhausted));
        };
        self.next_id = id.checked_add(2);
        self.unacked += 1;
        self.streams.insert(id, Box::new(Stream::new(now, true)));
        self.unsent.push_back(id);
        Poll::Ready(Ok(id))
    }

    /// Gives a place in the queue of [`Connection::open`] back; somebody else may take the turn.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is good for one use")]
    pub fn cancel_open(&mut self, ticket: Ticket) {
        if self.openers.remove(&ticket.0).is_none() && self.unacked < self.config.ack_backlog {
            self.wake_opener();
        }
    }

    /// The next stream that the remote opened.
    pub fn accept(&mut self, waiter: impl FnOnce() -> W) -> Poll<Result<u32, End>> {
        if let Some(id) = self.backlog.pop_front() {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.accepted = true;
                stream.greeting = Greeting::Ack;
                if stream.ack_overdue {
                    self.schedule(id);
                }
            }
            return Poll::Ready(Ok(id));
        }
        if let Some(end) = self.end {
            return Poll::Ready(Err(end));
        }
        self.acceptor = Some(waiter());
        Poll::Pending
    }

    /// At most `max` bytes that arrived, `None` after the last.
    pub fn read(
        &mut self,
        now: Instant,
        id: u32,
        max: usize,
        waiter: impl FnOnce() -> W,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Ok(None));
        };
        if let Some(error) = stream.over {
            return Poll::Ready(Err(error));
        }
        if !stream.inbox.is_empty() {
            return Poll::Ready(Ok(self.take_unread(now, id, max)));
        }
        if stream.remote_finished || stream.intake != Intake::Keep {
            return Poll::Ready(Ok(None));
        }
        if let Some(end) = self.end {
            return Poll::Ready(Err(StreamError::Ended(end)));
        }
        stream.reader = Some(waiter());
        self.announce(id);
        Poll::Pending
    }

    fn take_unread(&mut self, now: Instant, id: u32, max: usize) -> Option<Bytes> {
        let (bytes, wants_update) = self.change(id, |stream| {
            stream.unread_since = now;
            (stream.inbox.pop(max), stream.wants_update())
        })?;
        self.watch_readers(now);
        if wants_update {
            self.schedule(id);
        }
        bytes
    }

    /// Whether [`Connection::read`] would give bytes.
    #[must_use]
    pub fn has_unread(&self, id: u32) -> bool {
        self.streams
            .get(&id)
            .is_some_and(|stream| stream.over.is_none() && !stream.inbox.is_empty())
    }

    /// Tells the remote of a stream of ours without waiting for payload.
    pub fn announce(&mut self, id: u32) {
        if self
            .streams
            .get(&id)
            .is_some_and(|stream| stream.greeting == Greeting::Syn)
        {
            self.schedule(id);
        }
    }

    /// Queues as much of `chunk` as there is room and credit for, by reference, and takes it off its front.
    pub fn write(
        &mut self,
        id: u32,
        chunk: &mut Bytes,
        waiter: impl FnOnce() -> W,
    ) -> Poll<Result<usize, StreamError>> {
        self.admit(id, chunk.len(), waiter, |stream, count| {
            stream.outbox.push(chunk.split_to(count));
        })
    }

    /// Queues a copy of as much of `slice` as there is room and credit for.
    pub fn write_slice(
        &mut self,
        id: u32,
        slice: &[u8],
        waiter: impl FnOnce() -> W,
    ) -> Poll<Result<usize, StreamError>> {
        self.admit(id, slice.len(), waiter, |stream, count| {
            stream.outbox.extend(&slice[..count]);
        })
    }

    fn admit(
        &mut self,
        id: u32,
        len: usize,
        waiter: impl FnOnce() -> W,
        queue: impl FnOnce(&mut Stream<W>, usize),
    ) -> Poll<Result<usize, StreamError>> {
        let room = self.room.offer(len);
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Err(StreamError::Finished));
        };
        if let Err(error) = stream.may_write(self.end) {
            return Poll::Ready(Err(error));
        }
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        let credit = usize::try_from(stream.send_credit).unwrap_or(usize::MAX);
        let count = room.min(credit);
        if count == 0 {
            self.writers += usize::from(stream.writer.replace(waiter()).is_none());
            if credit > 0 && !stream.queued_writer {
                stream.queued_writer = true;
                self.room.wait(id);
            }
            return Poll::Pending;
        }
        self.writers -= usize::from(stream.writer.take().is_some());
        stream.send_credit -= u32::try_from(count).unwrap_or(u32::MAX);
        queue(stream, count);
        self.room.queue(count);
        self.schedule(id);
        Poll::Ready(Ok(count))
    }

    /// Wakes as many of those who wait for room as there are shares of it.
    pub fn grant_room(&mut self) {
        for _ in 0..self.room.shares() {
            let Some(id) = self.room.next_writer() else {
                return;
            };
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.queued_writer = false;
                self.wake_writer(id);
            }
        }
    }

    /// Has the writer of `id` look again, if it waits.
    pub(crate) fn wake_writer(&mut self, id: u32) {
        let waiting = self.streams.get_mut(&id).and_then(|stream| stream.writer.take());
        self.writers -= usize::from(waiting.is_some());
        self.woken.extend(waiting);
    }

    /// Whether somebody waits for room although there is some: those who were woken have not used it.
    #[must_use]
    pub fn has_starving_writers(&self) -> bool {
        self.room.is_starving()
    }

    /// Ends our direction behind what is queued. Again is the same as once.
    ///
    /// # Errors
    /// The stream was reset or its connection has ended before.
    pub fn finish(&mut self, id: u32) -> Result<(), StreamError> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        match stream.may_write(self.end) {
            Ok(()) => {
                stream.sending = Sending::Finishing;
                self.writers -= usize::from(stream.writer.take().is_some());
                self.schedule(id);
                Ok(())
            }
            Err(StreamError::Finished) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Discards what has arrived and what will, and returns its credit.
    pub fn stop(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.intake == Intake::Keep {
            stream.intake = Intake::Discard;
            self.woken.extend(stream.reader.take());
            self.change(id, |stream| stream.inbox.clear());
            if self.streams.get(&id).is_some_and(|stream| stream.wants_update()) {
                self.schedule(id);
            }
        }
    }

    /// Ends both directions at once.
    pub fn reset(&mut self, _now: Instant, id: u32, code: CloseCode) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        if stream.over.is_some() {
            return;
        }
        let known = stream.greeting != Greeting::Syn;
        if !known {
            self.unsent.retain(|&unsent| unsent != id);
        }
        // Both directions have ended already: the remote has forgotten the stream.
        let silent = stream.is_done() || self.end.is_some();
        self.end_stream(id, StreamError::Abandoned(code));
        if known && !silent {
            // spec: yamux, Closing a stream: RST closes it at once. The code in the length is go-libp2p's.
            self.control(Kind::WindowUpdate, Flags::RST, id, code.0);
        }
    }

    /// Marks `id` as reset, drops what it holds and wakes who waits for it.
    pub(crate) fn end_stream(&mut self, id: u32, why: StreamError) {
        self.change(id, |stream| stream.inbox.clear());
        self.wake_writer(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.over = Some(why);
        self.room.unqueue(stream.outbox.clear());
        stream.wake_all(&mut self.woken);
        let (accepted, waits) = (stream.accepted, stream.local && !stream.acked);
        stream.acked |= waits;
        if !accepted {
            stream.held = false;
            self.backlog.retain(|&waiting| waiting != id);
        }
        self.acknowledged(waits);
        self.give_back_growth(id);
        self.settle(id);
    }

    /// Waits for a reset, or for the end of the connection.
    pub fn reset_of(&mut self, id: u32, waiter: impl FnOnce() -> W) -> Poll<CloseCode> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Pending;
        };
        if let Some(StreamError::Reset(code) | StreamError::Abandoned(code)) = stream.over {
            return Poll::Ready(code);
        }
        if stream.is_done() {
            return Poll::Pending;
        }
        if let Some(end) = self.end {
            return Poll::Ready(end.code());
        }
        stream.reset_watcher = Some(waiter());
        Poll::Pending
    }

    /// Nobody holds `id` any more. Unfinished it is reset; finished, what still arrives is dropped: up to a
    /// window of it and for a while, then it is reset as well.
    pub fn release(&mut self, now: Instant, id: u32) {
        self.change(id, |stream| stream.inbox.clear());
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.held = false;
        self.writers -= usize::from(stream.writer.take().is_some());
        (stream.reader, stream.reset_watcher) = (None, None);
        stream.intake = Intake::Drain;
        let leaves = matches!(self.end, None | Some(End::Closed(_)));
        if stream.sending == Sending::Open || !leaves {
            self.reset(now, id, CloseCode::NONE);
        } else if !stream.is_deaf() {
            self.clock.linger(now, id);
        }
        self.settle(id);
    }
}

impl<W> Stream<W> {
    fn may_write(&self, end: Option<End>) -> Result<(), StreamError> {
        if let Some(error) = self.over {
            return Err(error);
        }
        if let Some(end) = end {
            return Err(StreamError::Ended(end));
        }
        if self.sending == Sending::Open {
            Ok(())
        } else {
            Err(StreamError::Finished)
        }
    }
}
