//! What leaves: frames of the session first, then the streams in turn.

use super::{
    connection::Connection,
    frame::{Flags, HEADER, Header, Kind},
    stream::{Greeting, Sending, Stream},
    window::Tuning,
};
use bytes::Buf;
use sinew_machine::Instant;
use sinew_session::machine::Batch;

/// What one message of Noise carries: frames that fill messages leave no short ones between them.
const MESSAGE: usize = 65_519;

/// Payload of a frame while only one stream has something to send: a whole message, a little under the 64 KiB
/// that other implementations send at most.
const LARGE_FRAME: usize = MESSAGE - HEADER;

/// Payload of a frame while several streams take turns, a quarter of a message: none waits for more than this of
/// each other one.
const FAIR_FRAME: usize = MESSAGE / 4 - HEADER;

impl<W> Connection<W> {
    /// Whether [`Connection::transmit`] has something to give.
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        !self.control.is_empty() || !self.round.is_empty() || self.goodbye.is_some()
    }

    /// Moves frames to `batch` until it holds `max` bytes or there are no more. A frame that was begun is
    /// completed: the batch may exceed `max` by one.
    pub fn transmit(&mut self, now: Instant, max: usize, batch: &mut Batch) {
        let before = batch.remaining();
        while let Some(header) = self.control.pop_front() {
            batch.header(&header);
        }
        while batch.remaining() < max
            && let Some(id) = self.round.pop_front()
        {
            self.turn(now, id, batch);
        }
        if self.round.is_empty()
            && let Some(code) = self.goodbye.take()
        {
            // spec: yamux, Session termination: a go-away frame whose length is the code.
            batch.header(&Header::new(Kind::GoAway, Flags::NONE, 0, code.0).encode());
        }
        self.room.batched(batch.remaining() - before);
    }

    /// The connection took `count` bytes of a batch.
    pub fn written(&mut self, count: usize) {
        if count > 0 {
            self.room.taken(count);
            self.grant_room();
        }
    }

    /// One turn of one stream.
    fn turn(&mut self, now: Instant, id: u32, batch: &mut Batch) {
        let alone = self.round.is_empty();
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.scheduled = false;
        if stream.over.is_some() {
            return;
        }
        if stream.greeting == Greeting::Syn {
            self.greet_earlier(id, batch);
        }
        let delta = self.replenish(now, id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if delta > 0 || (stream.outbox.is_empty() && stream.greeting != Greeting::None) {
            let flags = stream.take_greeting();
            batch.header(&Header::new(Kind::WindowUpdate, flags, id, delta).encode());
        }
        let sent = stream.send_payload(id, if alone { LARGE_FRAME } else { FAIR_FRAME }, batch);
        let more = !stream.outbox.is_empty();
        self.room.unqueue(sent);
        self.budget.useful(sent);
        if more {
            self.schedule(id);
        } else {
            self.send_finish(id, batch);
        }
    }

    /// Opens the streams whose ids come before `id`: ids appear on the wire in rising order.
    fn greet_earlier(&mut self, id: u32, batch: &mut Batch) {
        while let Some(&earlier) = self.unsent.front().filter(|front| **front <= id) {
            self.unsent.pop_front();
            if earlier != id
                && let Some(stream) = self.streams.get_mut(&earlier)
            {
                let flags = stream.take_greeting();
                batch.header(&Header::new(Kind::WindowUpdate, flags, earlier, 0).encode());
            }
        }
    }

    /// The credit to return on `id`, after its window was fitted to its reader.
    fn replenish(&mut self, now: Instant, id: u32) -> u32 {
        let (rtt, overfull, cap) = (self.clock.rtt, self.is_overfull(), self.config.max_window);
        let Some(stream) = self.streams.get_mut(&id) else {
            return 0;
        };
        if !stream.wants_update() || self.end.is_some() {
            return 0;
        }
        let window = &stream.window;
        let size = match window.tuning(now, rtt, stream.inbox.len()) {
            // Granted credit stays; less of it is returned while too much lies unread.
            _ if overfull => window.size() / 2,
            Tuning::Keep => window.size(),
            Tuning::Grow => window.grown(cap),
            Tuning::Shrink => window.size() / 2,
        };
        let size = self.reserve_growth(id, size);
        if rtt.is_none() {
            self.ask_rtt(now);
        }
        self.streams.get_mut(&id).map_or(0, |stream| {
            stream.window.set_size(size);
            stream.window.replenish(now, stream.inbox.len())
        })
    }

    fn send_finish(&mut self, id: u32, batch: &mut Batch) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.sending == Sending::Finishing {
            // A frame of its own: js-libp2p acts on the flag before it looks at the payload beside it.
            stream.sending = Sending::Finished;
            batch.header(&Header::new(Kind::WindowUpdate, Flags::FIN, id, 0).encode());
            self.settle(id);
        }
    }
}

impl<W> Stream<W> {
    /// Moves one frame of payload, if there is any, and says how much.
    fn send_payload(&mut self, id: u32, max: usize, batch: &mut Batch) -> usize {
        let count = self.outbox.len().min(max);
        let Ok(length) = u32::try_from(count) else {
            return 0;
        };
        if count > 0 {
            // spec: yamux, Opening a stream: SYN and ACK may go with the first data frame.
            let flags = self.take_greeting();
            batch.header(&Header::new(Kind::Data, flags, id, length).encode());
            self.outbox.take(count, batch);
            self.answered = true;
        }
        count
    }
}
