//! What arrives: frames are taken apart and judged.

use super::{
    StreamError,
    connection::Connection,
    frame::{CERTAIN, Header, Kind, MAX_NAME},
    stream::{Id, Intake, Stream},
};
use crate::Fault;
use bytes::{Buf, Bytes};
use sinew_machine::{CloseCode, Instant};
use sinew_session::machine::Spent;

/// A late frame with at least so much payload costs its sender enough, and is not counted but by its bytes.
const LARGE: usize = 512;

/// The data of a frame, of which a part is still to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// `None`: nobody wants it.
    stream: Option<Id>,
    remaining: usize,
}

impl<W> Connection<W> {
    /// Takes bytes that arrived, as many frames or parts of frames as there are. Payload is handed to its
    /// streams as slices of `input`.
    ///
    /// # Errors
    /// The [`Fault`] that cut the connection; then, and after any other end, input is ignored.
    pub fn receive(&mut self, now: Instant, mut input: Bytes) -> Result<(), Fault> {
        while self.end.is_none() && !input.is_empty() {
            if let Err(fault) = self.step(now, &mut input) {
                self.fail(fault);
                return Err(fault);
            }
        }
        self.watch_readers(now);
        Ok(())
    }

    fn step(&mut self, now: Instant, input: &mut Bytes) -> Result<(), Fault> {
        if let Some(body) = self.body.take() {
            let piece = input.split_to(body.remaining.min(input.len()));
            let remaining = body.remaining - piece.len();
            self.body = (remaining > 0).then_some(Body { remaining, ..body });
            if let Some(id) = body.stream {
                self.deliver(now, id, piece);
            }
            return Ok(());
        }
        match self.header(input)? {
            Some(header) => self.frame(now, header),
            None => Ok(()),
        }
    }

    /// Collects the bytes of a header, which may come in pieces.
    fn header(&mut self, input: &mut Bytes) -> Result<Option<Header>, Fault> {
        if self.partial_len == 0
            && let Some((header, length)) = Header::decode(&input[..input.len().min(CERTAIN)])?
        {
            input.advance(length);
            return Ok(Some(header));
        }
        while input.has_remaining() {
            self.partial[self.partial_len] = input.get_u8();
            self.partial_len += 1;
            if let Some((header, _)) = Header::decode(&self.partial[..self.partial_len])? {
                self.partial_len = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn frame(&mut self, now: Instant, header: Header) -> Result<(), Fault> {
        let id = Id {
            number: header.number,
            ours: !header.initiator,
        };
        self.expect_body(header, None);
        if header.kind == Kind::NewStream {
            return self.open_remote(now, id, header.length);
        }
        let Some(stream) = self.streams.get(&id) else {
            return self.late_or_charge(now, id, header);
        };
        // A stream that the remote has not been told of does not exist for it.
        if stream.over.is_some() || !stream.known || (stream.remote_finished && header.kind != Kind::Reset) {
            return self.late_or_charge(now, id, header);
        }
        match header.kind {
            Kind::Reset => self.remote_reset(now, id),
            Kind::Close => {
                self.remote_finished(id);
                Ok(())
            }
            _ if header.length == 0 => self.charge(now),
            _ => {
                self.expect_body(header, Some(id));
                Ok(())
            }
        }
    }

    fn expect_body(&mut self, header: Header, stream: Option<Id>) {
        self.body = (header.length > 0).then_some(Body {
            stream,
            remaining: header.length,
        });
    }

    /// A new stream of the remote.
    fn open_remote(&mut self, now: Instant, id: Id, name: usize) -> Result<(), Fault> {
        if name > MAX_NAME {
            return Err(Fault::Name(name));
        }
        if self.streams.contains_key(&id) {
            return Err(Fault::Duplicate(id.number));
        }
        if self.backlog.len() >= self.config.accept_backlog || self.inbound >= self.config.max_inbound {
            self.charge(now)?;
            self.send_reset(id);
            return Ok(());
        }
        self.streams.insert(id, Box::new(Stream::new(now, false)));
        self.inbound += 1;
        self.backlog.push_back(id);
        self.woken.extend(self.acceptor.take());
        Ok(())
    }

    fn deliver(&mut self, now: Instant, id: Id, piece: Bytes) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.over.is_none()) else {
            return;
        };
        match stream.intake {
            Intake::Keep => {
                if stream.inbox.is_empty() {
                    stream.unread_since = now;
                }
                self.woken.extend(stream.reader.take());
                self.budget.useful(piece.len());
                self.change_inbox(id, |inbox| inbox.push(piece));
            }
            Intake::Discard => {}
            Intake::Drain(left) if left < piece.len() => self.reset(id, CloseCode::NONE),
            Intake::Drain(left) => stream.intake = Intake::Drain(left - piece.len()),
        }
    }

    fn remote_finished(&mut self, id: Id) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.remote_finished = true;
            self.woken.extend(stream.reader.take());
            self.settle(id);
        }
    }

    fn remote_reset(&mut self, now: Instant, id: Id) -> Result<(), Fault> {
        let answered = self.streams.get(&id).is_some_and(|stream| stream.answered);
        self.end_stream(id, StreamError::Reset(CloseCode::NONE));
        if id.ours || answered {
            Ok(())
        } else {
            self.charge(now)
        }
    }

    /// A frame on a stream that does not exist, or no more for the remote: it may have been under way when we reset it.
    fn late_or_charge(&mut self, now: Instant, id: Id, header: Header) -> Result<(), Fault> {
        let small = u16::from(header.length < LARGE);
        let bytes = u32::try_from(header.length).unwrap_or(u32::MAX);
        match self.late.allows(id, small, bytes) {
            Some(true) => Ok(()),
            _ => self.charge(now),
        }
    }

    fn charge(&mut self, now: Instant) -> Result<(), Fault> {
        self.budget.charge(now, 1).map_err(|Spent| Fault::Flood)
    }
}
