//! The byte machine of a muxer as the shell sees it, and the parts that such machines are made of. No clock, no entropy,
//! no input or output.

mod batch;
mod end;
mod inbox;
mod late;
mod outbox;
mod patience;
mod room;

pub use batch::Batch;
pub use end::{End, Fault, Refused, StreamError, Ticket};
pub use inbox::Inbox;
pub use late::Late;
pub use outbox::Outbox;
pub use patience::Patience;
pub use room::Room;
pub use sinew_machine::{BUDGET, Budget, Spent};

use bytes::Bytes;
use sinew_machine::{CloseCode, Instant};
use std::{
    task::{Poll, Waker},
    time::Duration,
};

/// Payload that a session has received and nobody has read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Unread {
    /// All of it.
    pub total: usize,
    /// What of it was not reserved before the remote was allowed to send it.
    pub uncovered: usize,
    /// What of it still lies in the buffers that it arrived in.
    pub shared: usize,
}

impl Unread {
    /// Counts `after` of a stream instead of `before`.
    pub fn exchange(&mut self, before: Self, after: Self) {
        self.total = self.total - before.total + after.total;
        self.uncovered = self.uncovered - before.uncovered + after.uncovered;
        self.shared = self.shared - before.shared + after.shared;
    }
}

/// A session and its streams, told what arrives and what time it is.
///
/// Whoever waits leaves a waker with the call that is pending; the machine keeps it and hands it back through
/// [`Machine::take_woken`] when it is worth asking again.
pub trait Machine: Send + 'static {
    /// The number of a stream.
    type Id: Copy + Into<u64> + Send + Unpin + 'static;
    /// What a remote can do to have its session cut.
    type Fault: Fault;

    // Bytes and time, for the driver.

    /// Whether bytes from the socket are welcome.
    fn wants_read(&self) -> bool;
    /// Takes bytes that arrived. A fault becomes the session's end.
    fn receive(&mut self, now: Instant, input: Bytes);
    /// Whether [`Machine::transmit`] has something to give.
    fn wants_transmit(&self) -> bool;
    /// Whether several streams exist, whose frames may leave together.
    fn has_several(&self) -> bool;
    /// Moves frames to `batch` until it holds `max` bytes or there are no more; it may exceed `max` by one frame.
    fn transmit(&mut self, now: Instant, max: usize, batch: &mut Batch);
    /// The connection took `count` bytes of a batch.
    fn written(&mut self, count: usize);
    /// When [`Machine::handle_timeout`] has to be called next.
    fn deadline(&mut self) -> Option<Instant>;
    /// Does what is due at `now`.
    fn handle_timeout(&mut self, now: Instant);
    /// Moves those whose wait is over to `out`.
    fn take_woken(&mut self, out: &mut Vec<Waker>);
    /// Wakes as many of those who wait for room as there are shares of it.
    fn grant_room(&mut self);
    /// Whether somebody waits for room although there is some: those who were woken have not used it.
    fn has_starving_writers(&self) -> bool;
    /// Payload that was received and not read.
    fn unread(&self) -> Unread;
    /// At most so much payload may lie unread and [uncovered](Unread::uncovered) from now on, beside what the machine itself
    /// allows. While more does, the socket is not welcome ([`Machine::wants_read`]), unless reading it is what a stream
    /// waits for, and after a while the streams that were left unread longest are reset.
    fn allow_unread(&mut self, now: Instant, bytes: usize);
    /// Copies unread payload out of the buffers that it arrived in, so that those can be used again.
    fn compact(&mut self);
    /// Gives back memory that an idle session does not need.
    fn shrink(&mut self);

    // The end.

    /// Starts to close: what is queued leaves, then a goodbye with `code` if there is such a thing. Only the first end
    /// counts.
    fn close(&mut self, now: Instant, code: CloseCode);
    /// The bytes underneath have ended.
    fn lost(&mut self);
    /// Nothing can leave any more.
    fn give_up(&mut self);
    /// Why the session has ended, if it has. There may still be something to transmit.
    fn end(&self) -> Option<End<Self::Fault>>;
    /// Whether nothing is left to do: the session has ended, and what had to leave has left or cannot.
    fn is_finished(&self) -> bool;
    /// Whether there is no more time for a goodbye.
    fn is_expired(&self) -> bool;

    // Streams, for their users.

    /// Opens a stream. While that has to wait, `waiter` waits under a ticket; asking again with it keeps the place.
    fn open(
        &mut self,
        now: Instant,
        ticket: &mut Option<Ticket>,
        waiter: impl FnOnce() -> Waker,
    ) -> Poll<Result<Self::Id, Refused<Self::Fault>>>;
    /// Gives a place in the queue of [`Machine::open`] back.
    fn cancel_open(&mut self, ticket: Ticket);
    /// The next stream that the remote opened.
    fn accept(&mut self, waiter: impl FnOnce() -> Waker) -> Poll<Result<Self::Id, End<Self::Fault>>>;
    /// At most `max` bytes that arrived, `None` after the last.
    fn read(
        &mut self,
        now: Instant,
        id: Self::Id,
        max: usize,
        waiter: impl FnOnce() -> Waker,
    ) -> Poll<Result<Option<Bytes>, StreamError<Self::Fault>>>;
    /// Whether [`Machine::read`] would give bytes.
    fn has_unread(&self, id: Self::Id) -> bool;
    /// Queues as much of `chunk` as there is room for, by reference, and takes it off its front.
    fn write(
        &mut self,
        id: Self::Id,
        chunk: &mut Bytes,
        waiter: impl FnOnce() -> Waker,
    ) -> Poll<Result<usize, StreamError<Self::Fault>>>;
    /// Queues a copy of as much of `slice` as there is room for.
    fn write_slice(
        &mut self,
        id: Self::Id,
        slice: &[u8],
        waiter: impl FnOnce() -> Waker,
    ) -> Poll<Result<usize, StreamError<Self::Fault>>>;
    /// Tells the remote of a stream of ours without waiting for payload.
    fn announce(&mut self, id: Self::Id);
    /// Ends our direction behind what is queued. Again is the same as once.
    ///
    /// # Errors
    /// The stream was reset or its session has ended before.
    fn finish(&mut self, id: Self::Id) -> Result<(), StreamError<Self::Fault>>;
    /// Discards what has arrived and what will.
    fn stop(&mut self, id: Self::Id);
    /// Ends both directions at once.
    fn reset(&mut self, now: Instant, id: Self::Id, code: CloseCode);
    /// Waits for a reset, or for the end of the session.
    fn reset_of(&mut self, id: Self::Id, waiter: impl FnOnce() -> Waker) -> Poll<CloseCode>;
    /// Nobody holds `id` any more. Unfinished it is reset.
    fn release(&mut self, now: Instant, id: Self::Id);

    /// The last measured round-trip time.
    fn rtt(&self) -> Option<Duration> {
        None
    }
}
