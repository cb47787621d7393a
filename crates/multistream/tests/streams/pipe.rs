//! A stream of a multiplexed connection with a latency and a window, on the clock of the test.

use bytes::Bytes;
use sinew_core::{CloseCode, MuxedStream, StreamId, StreamReset};
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// One direction.
#[derive(Default)]
struct Lane {
    /// What is under way: when it arrives, and what; an empty piece is the end.
    pieces: VecDeque<(Instant, Bytes)>,
    /// Every piece that was ever written, and when.
    log: Vec<(Instant, Bytes)>,
    /// How often somebody tried to read.
    asked: usize,
    reset: Option<CloseCode>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    unread: usize,
}

impl Lane {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

/// One end of a stream.
pub(crate) struct Pipe {
    incoming: Arc<Mutex<Lane>>,
    outgoing: Arc<Mutex<Lane>>,
    latency: Duration,
    window: usize,
    arrival: Option<Pin<Box<Sleep>>>,
}

/// What one end has written.
#[derive(Clone)]
pub(crate) struct Tap(Arc<Mutex<Lane>>);

impl Tap {
    /// The pieces as they were written; an empty one is the end.
    pub(crate) fn pieces(&self) -> Vec<(Instant, Bytes)> {
        lock(&self.0).log.clone()
    }

    pub(crate) fn reset(&self) -> Option<CloseCode> {
        lock(&self.0).reset
    }

    /// How often the other end tried to read them.
    pub(crate) fn asked(&self) -> usize {
        lock(&self.0).asked
    }
}

fn lock(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap()
}

/// Two ends. Each piece takes `latency`; `window` bytes can be unread.
pub(crate) fn pipe(latency: Duration, window: usize) -> (Box<Pipe>, Box<Pipe>) {
    let lanes: [Arc<Mutex<Lane>>; 2] = Default::default();
    let end = |incoming: usize, outgoing: usize| {
        let (incoming, outgoing) = (lanes[incoming].clone(), lanes[outgoing].clone());
        Box::new(Pipe {
            incoming,
            outgoing,
            latency,
            window,
            arrival: None,
        })
    };
    (end(0, 1), end(1, 0))
}

impl Pipe {
    pub(crate) fn tap(&self) -> Tap {
        Tap(self.outgoing.clone())
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut lane = lock(&self.outgoing);
        if let Some(code) = lane.reset {
            return Poll::Ready(Err(StreamReset(code).into()));
        }
        let room = self.window - lane.unread;
        if room == 0 {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let piece = Bytes::copy_from_slice(&bytes[..bytes.len().min(room)]);
        lane.unread += piece.len();
        lane.log.push((Instant::now(), piece.clone()));
        lane.pieces
            .push_back((Instant::now() + self.latency, piece.clone()));
        if let Some(reader) = lane.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(piece.len()))
    }
}

impl MuxedStream for Pipe {
    fn id(&self) -> StreamId {
        StreamId(1)
    }

    fn reset(&mut self, code: CloseCode) {
        for lane in [&self.incoming, &self.outgoing] {
            let mut lane = lock(lane);
            lane.reset.get_or_insert(code);
            lane.wake();
        }
    }

    fn stop(&mut self, _: CloseCode) {
        lock(&self.incoming).pieces.clear();
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        let now = Instant::now();
        let mut lane = lock(&self.incoming);
        lane.asked += 1;
        if let Some(code) = lane.reset {
            return Poll::Ready(Err(StreamReset(code).into()));
        }
        lane.reader = Some(cx.waker().clone());
        let Some((at, piece)) = lane.pieces.front_mut() else {
            return Poll::Pending;
        };
        if *at > now {
            let arrival = self.arrival.insert(Box::pin(tokio::time::sleep_until(*at)));
            ready!(arrival.as_mut().poll(cx));
        }
        if piece.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let chunk = piece.split_to(piece.len().min(max));
        if piece.is_empty() {
            lane.pieces.pop_front();
        }
        lane.unread -= chunk.len();
        if let Some(writer) = lane.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(Some(chunk)))
    }

    fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<()>> {
        let written = ready!(self.write(cx, chunk))?;
        let _ = chunk.split_to(written);
        Poll::Ready(Ok(()))
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<CloseCode> {
        let mut lane = lock(&self.incoming);
        lane.writer = Some(cx.waker().clone());
        lane.reset.map_or(Poll::Pending, Poll::Ready)
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(chunk) = ready!(self.poll_chunk(cx, buf.remaining()))? {
            buf.put_slice(&chunk);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lane = lock(&self.outgoing);
        let arrives = Instant::now() + self.latency;
        lane.log.push((Instant::now(), Bytes::new()));
        lane.pieces.push_back((arrives, Bytes::new()));
        if let Some(reader) = lane.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}
