//! What arrives: frames are taken apart and judged.

use super::{
    StreamError,
    connection::{Connection, Side},
    frame::{Flags, HEADER, Header, Kind},
    stream::{Greeting, Intake, Sending, Stream},
};
use crate::Fault;
use bytes::{Buf, Bytes};
use sinew_machine::{CloseCode, Instant, code};
use sinew_session::machine::Spent;

/// The payload of a data frame, of which a part is still to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// `None`: nobody wants it.
    stream: Option<u32>,
    remaining: usize,
    finishes: bool,
}

impl<W> Connection<W> {
    /// Takes bytes that arrived, as many frames or parts of frames as there are. Payload is handed to its
    /// streams as slices of `input`.
    ///
    /// # Errors
    /// The [`Fault`] that cut the connection; then, and after any other end, input is ignored.
    pub fn receive(&mut self, now: Instant, mut input: Bytes) -> Result<(), Fault> {
        self.clock.heard(now);
        while self.end.is_none() && (!input.is_empty() || self.body.is_some_and(|body| body.remaining == 0)) {
            if let Err(fault) = self.step(now, &mut input) {
                self.fail(now, fault);
                return Err(fault);
            }
        }
        self.watch_readers(now);
        Ok(())
    }

    fn step(&mut self, now: Instant, input: &mut Bytes) -> Result<(), Fault> {
        match self.body {
            Some(body) => {
                let piece = input.split_to(body.remaining.min(input.len()));
                self.payload(now, body, piece);
                Ok(())
            }
            None => match self.header(input)? {
                Some(header) => self.frame(now, header),
                None => Ok(()),
            },
        }
    }

    /// Collects the twelve bytes of a header, which may come in pieces.
    fn header(&mut self, input: &mut Bytes) -> Result<Option<Header>, Fault> {
        if self.partial_len == 0
            && let Some(whole) = input.first_chunk::<HEADER>()
        {
            let header = Header::decode(whole)?;
            input.advance(HEADER);
            return Ok(Some(header));
        }
        let count = input.len().min(HEADER - self.partial_len);
        input.copy_to_slice(&mut self.partial[self.partial_len..self.partial_len + count]);
        self.partial_len += count;
        if self.partial_len < HEADER {
            return Ok(None);
        }
        self.partial_len = 0;
        Header::decode(&self.partial).map(Some)
    }

    fn payload(&mut self, now: Instant, body: Body, piece: Bytes) {
        let len = piece.len();
        let remaining = body.remaining - len;
        self.body = (remaining > 0).then_some(Body { remaining, ..body });
        let Some(id) = body.stream else { return };
        if len > 0 {
            self.deliver(now, id, piece);
        }
        if remaining == 0 && body.finishes {
            self.remote_finished(id);
        }
    }

    fn deliver(&mut self, now: Instant, id: u32, piece: Bytes) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream
            .window
            .spend(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        if stream.over.is_some() {
            return;
        }
        match stream.intake {
            Intake::Keep => {
                if stream.inbox.is_empty() {
                    stream.unread_since = now;
                }
                self.woken.extend(stream.reader.take());
                self.budget.useful(piece.len());
                self.change(id, |stream| stream.inbox.push(piece));
            }
            Intake::Discard if stream.wants_update() => self.schedule(id),
            Intake::Drain if stream.window.credit() == 0 => self.reset(now, id, CloseCode::NONE),
            Intake::Discard | Intake::Drain => {}
        }
    }

    fn remote_finished(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.remote_finished = true;
            self.woken.extend(stream.reader.take());
            self.give_back_growth(id);
            self.settle(id);
        }
    }

    fn frame(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        match header.kind {
            Kind::Ping => self.ping(now, header),
            Kind::GoAway => {
                self.remote_close(now, CloseCode(header.length));
                Ok(())
            }
            Kind::Data | Kind::WindowUpdate => self.stream_frame(now, header),
        }
    }

    fn ping(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        if header.flags.has(Flags::SYN) {
            // spec: yamux, Ping: the opaque value is echoed. On a stream of its own id the answer goes to 0 too,
            // as go-yamux does.
            self.charge(now)?;
            self.control(Kind::Ping, Flags::ACK, 0, header.length);
            return Ok(());
        }
        if header.flags.has(Flags::ACK) && self.clock.pong(now, header.length) {
            return Ok(());
        }
        self.charge(now)
    }

    fn stream_frame(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        let id = header.stream;
        if header.kind == Kind::Data && header.length > self.config.max_window {
            return Err(Fault::TooLong {
                stream: id,
                length: header.length,
            });
        }
        if header.flags.has(Flags::SYN) && !self.open_remote(now, header)? {
            self.expect_body(header, None);
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return self.stray(now, header);
        };
        if stream.local && !stream.acked {
            // Any frame of the remote shows that it knows the stream.
            stream.acked = true;
            self.acknowledged(true);
        } else if header.flags == Flags::ACK && header.length == 0 {
            // The second acknowledgement of a stream says nothing.
            return self.late_or_charge(now, header);
        }
        if header.flags.has(Flags::RST) {
            return self.remote_reset(now, header);
        }
        match header.kind {
            Kind::Data => self.data(now, header),
            _ => self.window_update(now, header),
        }
    }

    /// A new stream of the remote. `false`: it was refused, and its payload is of no interest.
    fn open_remote(&mut self, now: Instant, header: Header) -> Result<bool, Fault> {
        let id = header.stream;
        if id == 0 || !self.is_remote_id(id) {
            return Err(Fault::Parity(id));
        }
        if self.streams.contains_key(&id) {
            return Err(Fault::Duplicate(id));
        }
        self.highest_remote = self.highest_remote.max(id);
        if header.flags.has(Flags::RST) {
            self.charge(now)?;
            return Ok(false);
        }
        if self.backlog.len() >= self.config.accept_backlog || self.inbound >= self.config.max_inbound {
            self.charge(now)?;
            self.control(Kind::WindowUpdate, Flags::RST, id, code::stream::RESOURCE_LIMIT.0);
            let fresh = Stream::<W>::new(now, false);
            self.late.remember(id, fresh.late_frames, fresh.window.credit());
            return Ok(false);
        }
        self.streams.insert(id, Box::new(Stream::new(now, false)));
        self.inbound += 1;
        self.backlog.push_back(id);
        self.clock.ack_later(now, id);
        self.woken.extend(self.acceptor.take());
        Ok(true)
    }

    fn data(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        let Header {
            stream: id,
            length,
            flags,
            ..
        } = header;
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if stream.is_deaf() {
            self.expect_body(header, None);
            return self.late_or_charge(now, header);
        }
        let credit = stream.window.credit();
        if length > credit {
            return Err(Fault::Overrun {
                stream: id,
                length,
                credit,
            });
        }
        if length == 0 && flags.is_plain() {
            self.charge(now)?;
        }
        self.expect_body(header, Some(id));
        Ok(())
    }

    fn expect_body(&mut self, header: Header, stream: Option<u32>) {
        if header.kind == Kind::Data {
            let finishes = header.flags.has(Flags::FIN);
            let remaining = usize::try_from(header.length).unwrap_or(usize::MAX);
            self.body = (remaining > 0 || finishes).then_some(Body {
                stream,
                remaining,
                finishes,
            });
        }
    }

    fn window_update(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        let Header {
            stream: id,
            length,
            flags,
            ..
        } = header;
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if stream.over.is_some() {
            return self.late_or_charge(now, header);
        }
        if stream.sending == Sending::Open {
            stream.send_credit = stream
                .send_credit
                .checked_add(length)
                .ok_or(Fault::Overflow(id))?;
        }
        let (has_credit, finished) = (length > 0 && !stream.queued_writer, stream.remote_finished);
        if has_credit {
            self.wake_writer(id);
        }
        if flags.has(Flags::FIN) {
            if finished {
                return self.late_or_charge(now, header);
            }
            self.remote_finished(id);
        } else if length == 0 && flags.is_plain() {
            self.charge(now)?;
        }
        Ok(())
    }

    fn remote_reset(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        let id = header.stream;
        self.expect_body(header, None);
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if stream.over.is_some() {
            return self.late_or_charge(now, header);
        }
        // A code travels in the length of a resetting window update: go-libp2p's use of that field.
        let code = if header.kind == Kind::WindowUpdate {
            CloseCode(header.length)
        } else {
            CloseCode::NONE
        };
        let cheap = !stream.local && !stream.answered;
        self.end_stream(id, StreamError::Reset(code));
        if cheap { self.charge(now) } else { Ok(()) }
    }

    /// A frame on a stream that is not in the table.
    fn stray(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        self.expect_body(header, None);
        let bytes = if header.kind == Kind::Data {
            header.length
        } else {
            0
        };
        match self.late.allows(header.stream, 1, bytes) {
            Some(true) => Ok(()),
            // js-libp2p tells of credit after each read, also after both directions have finished.
            None if self.was_opened(header.stream) && is_credit(header) => Ok(()),
            _ => self.charge(now),
        }
    }

    /// A frame on a stream in the table, after its end.
    fn late_or_charge(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        let bytes = if header.kind == Kind::Data {
            header.length
        } else {
            0
        };
        let stream = self.streams.get_mut(&header.stream);
        if stream.is_some_and(|stream| stream.allows_late(bytes)) {
            Ok(())
        } else {
            self.charge(now)
        }
    }

    fn charge(&mut self, now: Instant) -> Result<(), Fault> {
        self.budget.charge(now, 1).map_err(|Spent| Fault::Flood)
    }

    fn was_opened(&self, id: u32) -> bool {
        if self.is_remote_id(id) {
            return id != 0 && id <= self.highest_remote;
        }
        id != 0 && self.next_id.is_none_or(|next| id < next)
    }
}

fn is_credit(header: Header) -> bool {
    header.kind == Kind::WindowUpdate && header.length > 0 && header.flags.is_plain()
}

impl Side {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl<W> Stream<W> {
    /// The flag that the next frame has to carry, once.
    pub(crate) fn take_greeting(&mut self) -> Flags {
        match std::mem::replace(&mut self.greeting, Greeting::None) {
            Greeting::None => Flags::NONE,
            Greeting::Syn => Flags::SYN,
            Greeting::Ack => {
                self.acked = true;
                Flags::ACK
            }
        }
    }
}
