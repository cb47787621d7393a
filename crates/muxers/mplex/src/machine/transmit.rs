//! What leaves: resets first, then the streams in turn.

use super::{
    connection::Connection,
    frame::Kind,
    stream::{Id, Sending},
};
use bytes::Buf;
use sinew_session::machine::Batch;

/// What one message of Noise carries: frames that fill messages leave no short ones between them.
const MESSAGE: usize = 65_519;

/// The longest header that we send.
const HEADER: usize = 12;

/// Payload of a frame while only one stream has something to send: a whole message of Noise. The specification allows
/// 1 MiB.
const LARGE_FRAME: usize = MESSAGE - HEADER;

/// Payload of a frame while several streams take turns, a quarter of a message: none waits for more than this of
/// each other one.
const FAIR_FRAME: usize = MESSAGE / 4 - HEADER;

impl<W> Connection<W> {
    /// Whether [`Connection::transmit`] has something to give.
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        !self.resets.is_empty() || !self.round.is_empty()
    }

    /// Moves frames to `batch` until it holds `max` bytes or there are no more. A frame that was begun is
    /// completed: the batch may exceed `max` by one.
    pub fn transmit(&mut self, max: usize, batch: &mut Batch) {
        let before = batch.remaining();
        while let Some(id) = self.resets.pop_front() {
            put_header(batch, id, Kind::Reset, 0);
        }
        while batch.remaining() < max
            && let Some(id) = self.round.pop_front()
        {
            self.turn(id, batch);
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
    fn turn(&mut self, id: Id, batch: &mut Batch) {
        let most = if self.round.is_empty() {
            LARGE_FRAME
        } else {
            FAIR_FRAME
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.scheduled = false;
        if stream.over.is_some() {
            return;
        }
        if !stream.known {
            // spec: mplex, Opening a new stream: the name may be empty.
            put_header(batch, id, Kind::NewStream, 0);
            self.announced(id);
        }
        self.send_payload(id, most, batch);
    }

    /// Moves one frame of payload, or the end of our direction.
    fn send_payload(&mut self, id: Id, most: usize, batch: &mut Batch) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let count = stream.outbox.len().min(most);
        if count > 0 {
            put_header(batch, id, Kind::Message, count);
            stream.outbox.take(count, batch);
            stream.answered = true;
            self.room.unqueue(count);
            self.budget.useful(count);
        }
        if !stream.outbox.is_empty() {
            self.schedule(id);
        } else if stream.sending == Sending::Finishing {
            stream.sending = Sending::Finished;
            put_header(batch, id, Kind::Close, 0);
            self.settle(id);
        }
    }
}

fn put_header(batch: &mut Batch, id: Id, kind: Kind, length: usize) {
    let mut bytes = [0; HEADER];
    let mut rest = &mut bytes[..];
    id.header(kind, length).encode(&mut rest);
    let count = HEADER - rest.len();
    batch.header(&bytes[..count]);
}
