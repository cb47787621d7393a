//! A machine with its clock, fed and drained frame by frame.

use bytes::{Buf, Bytes};
use sinew_machine::Instant;
use sinew_yamux::{
    Config, Fault,
    machine::{Batch, Connection, Flags, HEADER, Header, Kind, Memory, Side, StreamError, Unbounded},
};
use std::{task::Poll, time::Duration};

pub(crate) const WINDOW: u32 = 256 * 1024;

/// A frame as tests write it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) body: Bytes,
}

pub(crate) fn frame(kind: Kind, flags: u16, stream: u32, length: u32) -> Frame {
    Frame {
        header: Header::new(kind, Flags(flags), stream, length),
        body: Bytes::new(),
    }
}

pub(crate) fn update(flags: u16, stream: u32, length: u32) -> Frame {
    frame(Kind::WindowUpdate, flags, stream, length)
}

pub(crate) fn ping(flags: u16, value: u32) -> Frame {
    frame(Kind::Ping, flags, 0, value)
}

pub(crate) fn go_away(code: u32) -> Frame {
    frame(Kind::GoAway, 0, 0, code)
}

pub(crate) fn data(flags: u16, stream: u32, body: impl Into<Bytes>) -> Frame {
    let body = body.into();
    Frame {
        body: body.clone(),
        ..frame(Kind::Data, flags, stream, u32::try_from(body.len()).unwrap())
    }
}

pub(crate) const SYN: u16 = 1;
pub(crate) const ACK: u16 = 2;
pub(crate) const FIN: u16 = 4;
pub(crate) const RST: u16 = 8;

impl Frame {
    pub(crate) fn bytes(&self) -> Bytes {
        [&self.header.encode()[..], &self.body].concat().into()
    }
}

/// Takes whole frames off the front of `bytes`.
pub(crate) fn parse(mut bytes: Bytes) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(head) = bytes.first_chunk::<HEADER>() {
        let header = Header::decode(head).expect("our own frames are right");
        bytes.advance(HEADER);
        let length = if header.kind == Kind::Data {
            header.length as usize
        } else {
            0
        };
        frames.push(Frame {
            header,
            body: bytes.split_to(length),
        });
    }
    assert!(bytes.is_empty(), "a batch ends with a frame");
    frames
}

/// One machine under test. Waiters are stream numbers, or 0.
pub(crate) struct Rig {
    pub(crate) machine: Connection<u32>,
    pub(crate) now: Instant,
}

impl Rig {
    pub(crate) fn new(side: Side) -> Self {
        Self::with(side, Config::default(), Box::new(Unbounded))
    }

    pub(crate) fn with(side: Side, config: Config, memory: Box<dyn Memory>) -> Self {
        Self {
            machine: Connection::new(config, side, Instant::ZERO, memory),
            now: Instant::ZERO,
        }
    }

    pub(crate) fn feed(&mut self, frame: &Frame) -> Result<(), Fault> {
        self.machine.receive(self.now, frame.bytes())
    }

    /// Feeds frames that must all be taken.
    pub(crate) fn take(&mut self, frames: impl IntoIterator<Item = Frame>) {
        for frame in frames {
            self.feed(&frame)
                .unwrap_or_else(|fault| panic!("{frame:?}: {fault}"));
        }
    }

    /// What leaves, as bytes; all of it is written at once.
    pub(crate) fn drain_bytes(&mut self) -> Bytes {
        let mut batch = Batch::default();
        while self.machine.wants_transmit() {
            self.machine.transmit(self.now, usize::MAX, &mut batch);
        }
        self.machine.written(batch.remaining());
        batch.copy_to_bytes(batch.remaining())
    }

    pub(crate) fn drain(&mut self) -> Vec<Frame> {
        parse(self.drain_bytes())
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.machine.handle_timeout(self.now);
    }

    pub(crate) fn open(&mut self) -> u32 {
        match self.machine.open(self.now, &mut None, || 0) {
            Poll::Ready(Ok(id)) => id,
            other => panic!("not opened: {other:?}"),
        }
    }

    pub(crate) fn accept(&mut self) -> Option<u32> {
        match self.machine.accept(|| 0) {
            Poll::Ready(Ok(id)) => Some(id),
            _ => None,
        }
    }

    /// Writes what the machine takes at once and says how much that was.
    pub(crate) fn write(&mut self, id: u32, bytes: &[u8]) -> usize {
        let mut chunk = Bytes::copy_from_slice(bytes);
        let before = chunk.len();
        while !chunk.is_empty() && matches!(self.machine.write(id, &mut chunk, || id), Poll::Ready(Ok(_))) {}
        before - chunk.len()
    }

    /// Everything that can be read now, and whether the end was reached.
    pub(crate) fn read(&mut self, id: u32) -> Result<(Vec<u8>, bool), StreamError> {
        let mut all = Vec::new();
        loop {
            match self.machine.read(self.now, id, usize::MAX, || id) {
                Poll::Ready(Ok(Some(bytes))) => all.extend_from_slice(&bytes),
                Poll::Ready(Ok(None)) => return Ok((all, true)),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok((all, false)),
            }
        }
    }

    pub(crate) fn woken(&mut self) -> Vec<u32> {
        let mut woken = Vec::new();
        self.machine.take_woken(&mut woken);
        woken
    }
}
