//! What time does to a connection: patience with readers and at the end.

use super::{End, connection::Connection, stream::Id};
use sinew_machine::{CloseCode, Instant, code};
use sinew_session::machine::Patience;
use std::{collections::VecDeque, time::Duration};

/// How long a stream that nobody reads any more waits for the remote to finish it.
const LINGER: Duration = Duration::from_secs(30);

/// Streams that may linger at once.
const MAX_LINGERING: usize = 256;

/// The times of a connection.
#[derive(Debug)]
pub(crate) struct Clock {
    /// With those for whose sake the socket is not read.
    readers: Patience,
    lingering: VecDeque<(Instant, Id)>,
    pub(crate) close_by: Option<Instant>,
    /// There is no more time for anything to leave.
    pub(crate) expired: bool,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            readers: Patience::default(),
            lingering: VecDeque::new(),
            close_by: None,
            expired: false,
        }
    }

    /// Nobody reads `id` any more.
    pub(crate) fn linger(&mut self, now: Instant, id: Id) {
        self.lingering.push_back((now + LINGER, id));
    }

    pub(crate) fn shrink(&mut self) {
        self.lingering.shrink_to_fit();
    }
}

impl<W> Connection<W> {
    /// When [`Connection::handle_timeout`] has to be called next.
    pub fn deadline(&mut self) -> Option<Instant> {
        if self.end.is_some() {
            return self.clock.close_by;
        }
        self.forget_settled();
        let clock = &self.clock;
        let lingering = clock.lingering.front().map(|(due, _)| *due);
        [clock.readers.look_at(), lingering].into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.end.is_some() {
            self.clock.expired |= self.clock.close_by.is_some_and(|by| by <= now);
            return;
        }
        self.end_patience(now);
        while let Some(&(_, id)) = self.clock.lingering.front().filter(|(due, _)| *due <= now) {
            self.clock.lingering.pop_front();
            self.reset(id, CloseCode::NONE);
        }
    }

    /// Whether there is nothing left to do: the connection has ended, and what was queued left or cannot.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let sent = !self.wants_transmit() && self.room.in_batch() == 0;
        self.end
            .is_some_and(|end| self.clock.expired || sent || matches!(end, End::Lost))
    }

    /// Whether there is no more time for anything to leave.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.clock.expired
    }

    /// Starts or ends the patience with those who do not read, for whose sake the socket is not read.
    pub(crate) fn watch_readers(&mut self, now: Instant) {
        let held_up = self.is_held_up() && self.end.is_none();
        self.clock.readers.watch(now, held_up, self.config.patience);
    }

    /// Resets the streams that hold up the connection and were not read for too long, until it can go on.
    fn end_patience(&mut self, now: Instant) {
        self.watch_readers(now);
        if self.clock.readers.look_at().is_none_or(|at| at > now) {
            return;
        }
        for (unread_since, id) in self.left_unread() {
            if !self.clock.readers.ends(now, unread_since, self.config.patience) {
                return;
            }
            let before = self.unread.total;
            self.reset(id, code::stream::GARBAGE_COLLECTED);
            // What it held is free for others and for this connection.
            self.share = self.share.saturating_add(before - self.unread.total);
            self.watch_readers(now);
        }
    }

    /// The streams that hold something: those first on which as much lies unread as may, then by how long they were not
    /// read.
    fn left_unread(&self) -> Vec<(Instant, Id)> {
        let most = self.config.max_stream_unread;
        let holding = self.streams.iter().filter(|(_, stream)| !stream.inbox.is_empty());
        let mut left: Vec<_> = holding
            .map(|(id, stream)| (stream.inbox.len() < most, stream.unread_since, *id))
            .collect();
        left.sort_unstable();
        left.into_iter().map(|(_, since, id)| (since, id)).collect()
    }

    /// Drops what waited for a time that no longer matters, and what waits in too long a queue.
    fn forget_settled(&mut self) {
        while let Some(&(_, id)) = self.clock.lingering.front() {
            let waits = self.streams.contains_key(&id);
            if waits && self.clock.lingering.len() <= MAX_LINGERING {
                break;
            }
            self.clock.lingering.pop_front();
            if waits {
                self.reset(id, CloseCode::NONE);
            }
        }
    }
}
