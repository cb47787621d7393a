//! A machine with its clock, fed and drained frame by frame.

use bytes::{Buf, Bytes};
use sinew_machine::Instant;
use sinew_mplex::{
    Config, Fault,
    machine::{Batch, Connection, Header, Id, Kind, StreamError},
};
use std::{task::Poll, time::Duration};

/// A frame as tests write it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) body: Bytes,
}

/// Frames of who opened the stream.
pub(crate) fn frame(kind: Kind, number: u64, body: impl Into<Bytes>) -> Frame {
    let body = body.into();
    let header = Header {
        kind,
        number,
        initiator: true,
        length: body.len(),
    };
    Frame { header, body }
}

pub(crate) fn new_stream(number: u64) -> Frame {
    frame(Kind::NewStream, number, "")
}

pub(crate) fn message(number: u64, body: impl Into<Bytes>) -> Frame {
    frame(Kind::Message, number, body)
}

pub(crate) fn close(number: u64) -> Frame {
    frame(Kind::Close, number, "")
}

pub(crate) fn reset(number: u64) -> Frame {
    frame(Kind::Reset, number, "")
}

impl Frame {
    /// The same frame from the other side, which did not open the stream.
    pub(crate) fn receiver(mut self) -> Self {
        self.header.initiator = false;
        self
    }

    pub(crate) fn bytes(&self) -> Bytes {
        let mut bytes = Vec::new();
        self.header.encode(&mut bytes);
        bytes.extend_from_slice(&self.body);
        bytes.into()
    }
}

/// Takes whole frames off the front of `bytes`.
pub(crate) fn parse(mut bytes: Bytes) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((header, length)) = Header::decode(&bytes).expect("our own frames are right") {
        bytes.advance(length);
        let body = bytes.split_to(header.length);
        frames.push(Frame { header, body });
    }
    assert!(bytes.is_empty(), "a batch ends with a frame");
    frames
}

pub(crate) fn theirs(number: u64) -> Id {
    Id { number, ours: false }
}

/// One machine under test. Waiters are the numbers of streams.
pub(crate) struct Rig {
    pub(crate) machine: Connection<u64>,
    pub(crate) now: Instant,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            machine: Connection::new(config, Instant::ZERO),
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
                .unwrap_or_else(|fault| panic!("{:?}: {fault}", frame.header));
        }
    }

    /// What leaves; all of it is written at once.
    pub(crate) fn drain(&mut self) -> Vec<Frame> {
        let mut batch = Batch::default();
        while self.machine.wants_transmit() {
            self.machine.transmit(usize::MAX, &mut batch);
        }
        self.machine.written(batch.remaining());
        parse(batch.copy_to_bytes(batch.remaining()))
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.machine.handle_timeout(self.now);
    }

    pub(crate) fn open(&mut self) -> Id {
        match self.machine.open(self.now, &mut None, || 0) {
            Poll::Ready(Ok(id)) => id,
            other => panic!("not opened: {other:?}"),
        }
    }

    pub(crate) fn accept(&mut self) -> Option<Id> {
        match self.machine.accept(|| 0) {
            Poll::Ready(Ok(id)) => Some(id),
            _ => None,
        }
    }

    /// Writes what the machine takes at once and says how much that was.
    pub(crate) fn write(&mut self, id: Id, bytes: &[u8]) -> usize {
        let mut chunk = Bytes::copy_from_slice(bytes);
        while !chunk.is_empty()
            && matches!(
                self.machine.write(id, &mut chunk, || id.number),
                Poll::Ready(Ok(_))
            )
        {}
        bytes.len() - chunk.len()
    }

    /// Everything that can be read now, and whether the end was reached.
    pub(crate) fn read(&mut self, id: Id) -> Result<(Vec<u8>, bool), StreamError> {
        let mut all = Vec::new();
        loop {
            match self.machine.read(self.now, id, usize::MAX, || id.number) {
                Poll::Ready(Ok(Some(bytes))) => all.extend_from_slice(&bytes),
                Poll::Ready(Ok(None)) => return Ok((all, true)),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok((all, false)),
            }
        }
    }

    pub(crate) fn woken(&mut self) -> Vec<u64> {
        let mut woken = Vec::new();
        self.machine.take_woken(&mut woken);
        woken
    }
}
