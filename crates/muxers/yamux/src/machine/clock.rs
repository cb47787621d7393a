//! What time does to a connection: pings, patience, delayed answers.

use super::{
    End,
    connection::Connection,
    frame::{Flags, Kind},
    stream::Greeting,
};
use crate::{Config, Fault};
use sinew_machine::{CloseCode, Instant, code};
use sinew_session::machine::Patience;
use std::{collections::VecDeque, time::Duration};

/// How long an acknowledgement waits for payload to ride on: an answer that is worth waiting for comes sooner.
const ACK_DELAY: Duration = Duration::from_millis(10);

/// Acknowledgements that may wait: a quarter of the backlog that the opener has.
const MAX_ACKS: usize = 64;

/// How long a stream that nobody reads any more waits for the remote to finish it.
const LINGER: Duration = Duration::from_secs(30);

/// Streams that may linger at once.
const MAX_LINGERING: usize = 256;

/// The times of a connection.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) rtt: Option<Duration>,
    ping: Option<(u32, Instant)>,
    ping_id: u32,
    next_ping: Option<Instant>,
    heard_at: Instant,
    /// With those who leave too much unread.
    readers: Patience,
    acks: VecDeque<(Instant, u32)>,
    lingering: VecDeque<(Instant, u32)>,
    pub(crate) close_by: Option<Instant>,
    /// There is no more time for a goodbye.
    pub(crate) expired: bool,
}

impl Clock {
    pub(crate) fn new(now: Instant, config: &Config) -> Self {
        Self {
            rtt: None,
            ping: None,
            ping_id: 0,
            next_ping: config.keep_alive.map(|interval| now + interval),
            heard_at: now,
            readers: Patience::default(),
            acks: VecDeque::new(),
            lingering: VecDeque::new(),
            close_by: None,
            expired: false,
        }
    }

    /// Bytes arrived.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// An answer to a ping arrived. Whether it was asked for.
    pub(crate) fn pong(&mut self, now: Instant, id: u32) -> bool {
        let Some((_, sent)) = self.ping.take_if(|(asked, _)| *asked == id) else {
            return false;
        };
        let measured = now - sent;
        // Half the old and half the new, as go-yamux smooths it.
        self.rtt = Some(self.rtt.map_or(measured, |rtt| (rtt + measured) / 2));
        true
    }

    /// The remote opened `id`; its acknowledgement may wait for payload.
    pub(crate) fn ack_later(&mut self, now: Instant, id: u32) {
        self.acks.push_back((now + ACK_DELAY, id));
    }

    /// Nobody reads `id` any more.
    pub(crate) fn linger(&mut self, now: Instant, id: u32) {
        self.lingering.push_back((now + LINGER, id));
    }

    pub(crate) fn shrink(&mut self) {
        self.acks.shrink_to_fit();
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
        let acks = clock.acks.front().map(|(due, _)| *due);
        let lingering = clock.lingering.front().map(|(due, _)| *due);
        [
            clock.next_ping,
            self.silent_at(),
            clock.readers.look_at(),
            acks,
            lingering,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.end.is_some() {
            self.clock.expired |= self.clock.close_by.is_some_and(|by| by <= now);
            return;
        }
        if !self.wants_read() {
            // What has arrived is not read yet, an answer perhaps among it.
            self.clock.heard(now);
        }
        if self.silent_at().is_some_and(|at| at <= now) {
            return self.fail(now, Fault::Silent);
        }
        if self.clock.next_ping.is_some_and(|at| at <= now) {
            self.clock.next_ping = self.config.keep_alive.map(|interval| now + interval);
            self.ask_rtt(now);
        }
        self.end_patience(now);
        self.send_acks(now);
        self.end_lingering(now);
    }

    /// Whether there is nothing left to do: the connection has ended, and its goodbye left or cannot.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let sent = !self.wants_transmit() && self.room.in_batch() == 0;
        self.end
            .is_some_and(|end| self.clock.expired || sent || matches!(end, End::Lost | End::Remote(_)))
    }

    /// Whether there is no more time for a goodbye.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.clock.expired
    }

    /// Sends a ping unless one is on its way.
    pub(crate) fn ask_rtt(&mut self, now: Instant) {
        if self.clock.ping.is_none() {
            self.clock.ping = Some((self.clock.ping_id, now));
            self.control(Kind::Ping, Flags::SYN, 0, self.clock.ping_id);
            self.clock.ping_id = self.clock.ping_id.wrapping_add(1);
        }
    }

    /// When a ping has been unanswered for too long. What else arrives is a sign of life, and while the socket
    /// is not read no answer can.
    fn silent_at(&self) -> Option<Instant> {
        let (_, sent) = self.clock.ping?;
        self.wants_read()
            .then(|| sent.max(self.clock.heard_at) + self.config.keep_alive_timeout)
    }

    /// Starts or ends the patience with those who leave too much unread.
    pub(crate) fn watch_readers(&mut self, now: Instant) {
        let overfull = self.is_overfull() && self.end.is_none();
        self.clock.readers.watch(now, overfull, self.config.patience);
    }

    /// Resets the streams that were not read for too long until what lies unread is within its bound.
    fn end_patience(&mut self, now: Instant) {
        self.watch_readers(now);
        if self.clock.readers.look_at().is_none_or(|at| at > now) {
            return;
        }
        for (unread_since, id) in self.left_unread() {
            if !self.clock.readers.ends(now, unread_since, self.config.patience) {
                return;
            }
            let before = self.unread.uncovered;
            self.reset(now, id, code::stream::GARBAGE_COLLECTED);
            // What it held is free for others and for this connection.
            self.share = self.share.saturating_add(before - self.unread.uncovered);
            self.watch_readers(now);
        }
    }

    /// The streams that hold what was not reserved, those first that were not read for longest.
    fn left_unread(&self) -> Vec<(Instant, u32)> {
        let holding = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.unread().uncovered > 0);
        let mut left: Vec<_> = holding.map(|(id, stream)| (stream.unread_since, *id)).collect();
        left.sort_unstable();
        left
    }

    fn send_acks(&mut self, now: Instant) {
        while let Some(&(_, id)) = self.clock.acks.front().filter(|(due, _)| *due <= now) {
            self.clock.acks.pop_front();
            self.ack_now(id);
        }
    }

    fn ack_now(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.ack_overdue = true;
        if stream.greeting == Greeting::Ack {
            self.schedule(id);
        }
    }

    fn end_lingering(&mut self, now: Instant) {
        while let Some(&(_, id)) = self.clock.lingering.front().filter(|(due, _)| *due <= now) {
            self.clock.lingering.pop_front();
            self.reset(now, id, CloseCode::NONE);
        }
    }

    /// Drops what waited for a time that no longer matters, and what waits in too long a queue.
    fn forget_settled(&mut self) {
        while let Some(&(_, id)) = self.clock.acks.front() {
            let waits = self
                .streams
                .get(&id)
                .is_some_and(|stream| !stream.acked && stream.over.is_none());
            if waits && self.clock.acks.len() <= MAX_ACKS {
                break;
            }
            self.clock.acks.pop_front();
            if waits {
                self.ack_now(id);
            }
        }
        while let Some(&(due, id)) = self.clock.lingering.front() {
            let waits = self.streams.contains_key(&id);
            if waits && self.clock.lingering.len() <= MAX_LINGERING {
                break;
            }
            self.clock.lingering.pop_front();
            if waits {
                self.reset(due, id, CloseCode::NONE);
            }
        }
    }
}
