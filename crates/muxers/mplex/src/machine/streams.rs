//! What streams are asked to do: open, accept, read, write, finish, reset.

use super::{
    End, Refused, StreamError, Ticket,
    connection::Connection,
    frame::MAX_ID,
    stream::{Id, Intake, Sending, Stream},
};
use bytes::Bytes;
use sinew_machine::{CloseCode, Instant};
use sinew_session::machine::Inbox;
use std::task::Poll;

impl<W> Connection<W> {
    /// Opens a stream. While the remote has not been told of too many of ours, `waiter` waits under a ticket; asking
    /// again with the ticket keeps the place.
    pub fn open(
        &mut self,
        now: Instant,
        ticket: &mut Option<Ticket>,
        waiter: impl FnOnce() -> W,
    ) -> Poll<Result<Id, Refused>> {
        if let Some(end) = self.end {
            return Poll::Ready(Err(Refused::Ended(end)));
        }
        if self.unsent >= self.config.open_backlog {
            let place = ticket.take().map_or(self.tickets, |ticket| ticket.0);
            self.tickets = self.tickets.max(place + 1);
            self.openers.insert(place, waiter());
            *ticket = Some(Ticket(place));
            return Poll::Pending;
        }
        if let Some(Ticket(place)) = ticket.take() {
            self.openers.remove(&place);
        }
        if self.next_number > MAX_ID {
            return Poll::Ready(Err(Refused::Exhausted));
        }
        let id = Id {
            number: self.next_number,
            ours: true,
        };
        self.next_number += 1;
        self.unsent += 1;
        self.streams.insert(id, Box::new(Stream::new(now, true)));
        // In the round at once: numbers rise on the wire.
        self.schedule(id);
        Poll::Ready(Ok(id))
    }

    /// Gives a place in the queue of [`Connection::open`] back; somebody else may take the turn.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is good for one use")]
    pub fn cancel_open(&mut self, ticket: Ticket) {
        if self.openers.remove(&ticket.0).is_none() && self.unsent < self.config.open_backlog {
            self.wake_opener();
        }
    }

    /// The next stream that the remote opened.
    pub fn accept(&mut self, waiter: impl FnOnce() -> W) -> Poll<Result<Id, End>> {
        if let Some(id) = self.backlog.pop_front() {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.accepted = true;
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
        id: Id,
        max: usize,
        waiter: impl FnOnce() -> W,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        let read = self.change_inbox(id, |inbox| inbox.pop(max)).flatten();
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Ok(None));
        };
        if let Some(bytes) = read {
            stream.unread_since = now;
            self.watch_readers(now);
            return Poll::Ready(Ok(Some(bytes)));
        }
        if let Some(error) = stream.over {
            return Poll::Ready(Err(error));
        }
        if stream.remote_finished || stream.intake != Intake::Keep {
            return Poll::Ready(Ok(None));
        }
        if let Some(end) = self.end {
            return Poll::Ready(Err(StreamError::Ended(end)));
        }
        stream.reader = Some(waiter());
        Poll::Pending
    }

    /// Whether [`Connection::read`] would give bytes.
    #[must_use]
    pub fn has_unread(&self, id: Id) -> bool {
        self.streams
            .get(&id)
            .is_some_and(|stream| !stream.inbox.is_empty())
    }

    /// Queues as much of `chunk` as there is room for, by reference, and takes it off its front.
    pub fn write(
        &mut self,
        id: Id,
        chunk: &mut Bytes,
        waiter: impl FnOnce() -> W,
    ) -> Poll<Result<usize, StreamError>> {
        self.admit(id, chunk.len(), waiter, |stream, count| {
            stream.outbox.push(chunk.split_to(count));
        })
    }

    /// Queues a copy of as much of `slice` as there is room for.
    pub fn write_slice(
        &mut self,
        id: Id,
        slice: &[u8],
        waiter: impl FnOnce() -> W,
    ) -> Poll<Result<usize, StreamError>> {
        self.admit(id, slice.len(), waiter, |stream, count| {
            stream.outbox.extend(&slice[..count]);
        })
    }

    fn admit(
        &mut self,
        id: Id,
        len: usize,
        waiter: impl FnOnce() -> W,
        queue: impl FnOnce(&mut Stream<W>, usize),
    ) -> Poll<Result<usize, StreamError>> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Err(StreamError::Finished));
        };
        if let Err(error) = stream.may_write(self.end) {
            return Poll::Ready(Err(error));
        }
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        let count = self.room.offer(len);
        if count == 0 {
            stream.writer = Some(waiter());
            if !stream.queued_writer {
                stream.queued_writer = true;
                self.room.wait(id);
            }
            return Poll::Pending;
        }
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
                self.woken.extend(stream.writer.take());
            }
        }
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
    pub fn finish(&mut self, id: Id) -> Result<(), StreamError> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        match stream.may_write(self.end) {
            Ok(()) => {
                stream.sending = Sending::Finishing;
                self.schedule(id);
                Ok(())
            }
            Err(StreamError::Finished) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Discards what has arrived and what will: the wire cannot refuse it.
    pub fn stop(&mut self, id: Id) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.intake == Intake::Keep {
            stream.intake = Intake::Discard;
            self.woken.extend(stream.reader.take());
            self.change_inbox(id, Inbox::clear);
        }
    }

    /// Ends both directions at once. The wire carries no code.
    pub fn reset(&mut self, id: Id, code: CloseCode) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        if stream.over.is_some() {
            return;
        }
        // spec: mplex, Resetting a stream. Nothing is said of a stream that the remote never knew or has forgotten.
        let tells = stream.known && !stream.is_done() && self.end.is_none();
        self.end_stream(id, StreamError::Abandoned(code));
        if tells {
            self.send_reset(id);
        }
    }

    /// Waits for a reset, or for the end of the connection.
    pub fn reset_of(&mut self, id: Id, waiter: impl FnOnce() -> W) -> Poll<CloseCode> {
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

    /// Nobody holds `id` any more. Unfinished it is reset; finished, what still arrives is dropped: as much of it as may
    /// lie unread and for a while, then it is reset as well.
    pub fn release(&mut self, now: Instant, id: Id) {
        self.change_inbox(id, Inbox::clear);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.held = false;
        (stream.reader, stream.writer, stream.reset_watcher) = (None, None, None);
        stream.intake = Intake::Drain(self.config.max_stream_unread);
        let leaves = matches!(self.end, None | Some(End::Closed(_)));
        if stream.sending == Sending::Open || !leaves {
            self.reset(id, CloseCode::NONE);
        } else if !stream.is_deaf() {
            self.clock.linger(now, id);
        }
        self.settle(id);
    }
}
