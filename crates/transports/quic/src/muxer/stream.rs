//! A stream as its user holds it.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use quinn::{RecvStream, SendStream, StoppedError, VarInt};
use sinew_core::{
    CloseCode, CloseReason, MuxedStream, StreamAbandoned, StreamClosed, StreamId, StreamReset, code,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    readers::Reader,
    reason::{StreamEnd, from_wire, to_wire},
    shared::Shared,
    worth::Worth,
};

/// What is read at least where less is asked for: a datagram carries no more. Every read takes the lock of the connection,
/// and a negotiation reads a few bytes at a time.
const AHEAD: usize = 1500;

/// A stream of a QUIC connection.
pub(crate) struct QuicStream {
    shared: Arc<Shared>,
    send: SendStream,
    reader: Arc<Reader>,
    /// Read and not yet asked for.
    ahead: Bytes,
    /// Our direction has ended well.
    finished: bool,
    /// The remote's direction has ended well, or we refused the rest of it.
    read_to_end: bool,
    /// This side gave the stream up.
    abandoned: Option<CloseCode>,
    /// The remote gave it up.
    reset: Option<CloseCode>,
    worth: Worth,
    watch: Watch,
}

/// What [`MuxedStream::poll_reset`] waits for.
enum Watch {
    /// Nobody has asked.
    Idle,
    /// That the remote refuses our direction.
    Refusal(BoxFuture<'static, Result<Option<VarInt>, StoppedError>>),
    /// Our direction has arrived and can no longer be refused: that the connection ends.
    End(BoxFuture<'static, CloseReason>),
}

impl QuicStream {
    /// A stream that we opened.
    pub(crate) fn opened(shared: Arc<Shared>, send: SendStream, recv: RecvStream) -> Box<dyn MuxedStream> {
        Box::new(Self::new(shared, (send, recv), Worth::Own))
    }

    /// A stream that the remote opened.
    pub(crate) fn accepted(shared: Arc<Shared>, send: SendStream, recv: RecvStream) -> Box<dyn MuxedStream> {
        shared.entered();
        Box::new(Self::new(shared, (send, recv), Worth::Silent))
    }

    fn new(shared: Arc<Shared>, (send, recv): (SendStream, RecvStream), worth: Worth) -> Self {
        Self {
            reader: shared.flow.readers.add(recv),
            shared,
            send,
            ahead: Bytes::new(),
            finished: false,
            read_to_end: false,
            abandoned: None,
            reset: None,
            worth,
            watch: Watch::Idle,
        }
    }

    /// Reads unless the stream is over; `read` returns how many bytes it got.
    fn poll_read_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut RecvStream, &mut Context<'_>) -> Poll<Result<T, quinn::ReadError>>,
        len: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Some(code) = self.abandoned {
            return Poll::Ready(Err(StreamAbandoned(code).into()));
        }
        if let Some(code) = self.reset {
            return Poll::Ready(Err(StreamReset(code).into()));
        }
        let read = match ready!(self.reader.poll(cx, read)) {
            Ok(read) => read,
            Err(end) => return Poll::Ready(Err(self.read_failed(end))),
        };
        match len(&read) {
            0 => {
                self.read_to_end = true;
                self.worth.ended();
            }
            bytes => {
                self.worth.heard();
                self.shared.flow.received(bytes);
            }
        }
        Poll::Ready(Ok(read))
    }

    /// The first `max` bytes of a chunk. The rest is copied, because a slice of it would hold all that was received with it.
    fn keep_ahead(&mut self, mut chunk: Bytes, max: usize) -> Bytes {
        if chunk.len() > max {
            self.ahead = Bytes::copy_from_slice(&chunk[max..]);
            chunk.truncate(max);
        }
        chunk
    }

    fn read_failed(&mut self, end: StreamEnd) -> io::Error {
        if let StreamEnd::Remote(code) = end {
            self.reset = Some(code);
        }
        self.failed(end)
    }

    fn failed(&mut self, end: StreamEnd) -> io::Error {
        match end {
            StreamEnd::Remote(code) => {
                self.worth.left();
                StreamReset(code).into()
            }
            StreamEnd::GivenUp => StreamAbandoned(code::stream::RESOURCE_LIMIT).into(),
            StreamEnd::Connection(error) => StreamClosed(self.shared.reason(error)).into(),
            StreamEnd::Over => io::ErrorKind::BrokenPipe.into(),
        }
    }

    /// Writes unless this side gave the stream up; `write` returns how many bytes it took. Where there is no room, the window
    /// may grow once.
    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut SendStream, &mut Context<'_>) -> Poll<Result<usize, quinn::WriteError>>,
    ) -> Poll<io::Result<usize>> {
        if let Some(code) = self.abandoned {
            return Poll::Ready(Err(StreamAbandoned(code).into()));
        }
        let mut written = write(&mut self.send, cx);
        if written.is_pending() && self.shared.flow.makes_room() {
            written = write(&mut self.send, cx);
        }
        if written.is_pending() {
            self.shared.flow.has_to_wait();
        }
        let written = ready!(written).map_err(|error| self.failed(error.into()))?;
        if written > 0 {
            self.worth.answered();
            self.shared.flow.payload.add_written(written);
        }
        Poll::Ready(Ok(written))
    }

    /// The code that the end of the connection brings to its streams.
    fn code_of(reason: &CloseReason) -> CloseCode {
        match reason {
            CloseReason::Local(code) | CloseReason::Remote(code) => *code,
            _ => CloseCode::NONE,
        }
    }

    fn end_of_connection(&self) -> Watch {
        let shared = self.shared.clone();
        Watch::End(Box::pin(async move {
            let error = shared.connection.closed().await;
            shared.reason(error)
        }))
    }
}

impl MuxedStream for QuicStream {
    fn id(&self) -> StreamId {
        StreamId(VarInt::from(self.send.id()).into_inner())
    }

    fn reset(&mut self, code: CloseCode) {
        if self.abandoned.is_some() {
            return;
        }
        self.abandoned = Some(code);
        // Either may be over already. The refusal first: who sees the other then sees both.
        let _ = self.reader.stop(to_wire(code));
        let _ = self.send.reset(to_wire(code));
    }

    fn stop(&mut self, code: CloseCode) {
        self.ahead.clear();
        // Nothing to refuse if the remote's direction is over.
        if self.reader.stop(to_wire(code)) {
            self.read_to_end = true;
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        if max == 0 {
            return Poll::Ready(Ok(Some(Bytes::new())));
        }
        if !self.ahead.is_empty() && self.abandoned.is_none() {
            let most = max.min(self.ahead.len());
            return Poll::Ready(Ok(Some(self.ahead.split_to(most))));
        }
        let read = |recv: &mut RecvStream, cx: &mut Context<'_>| {
            pin!(recv.read_chunk(max.max(AHEAD), true)).poll(cx)
        };
        let chunk = ready!(self.poll_read_with(cx, read, |chunk| {
            chunk.as_ref().map_or(0, |chunk| chunk.bytes.len())
        }))?;
        Poll::Ready(Ok(chunk.map(|chunk| self.keep_ahead(chunk.bytes, max))))
    }

    fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<()>> {
        let chunks = std::slice::from_mut(chunk);
        let write = |send: &mut SendStream, cx: &mut Context<'_>| {
            let written = pin!(send.write_chunks(chunks)).poll(cx);
            written.map_ok(|written| written.bytes)
        };
        self.poll_write_with(cx, write).map_ok(drop)
    }

    /// The remote's refusal of our direction counts, because a reset in libp2p ends both. That it gave up its own
    /// direction alone is seen by reading.
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<CloseCode> {
        if let Some(code) = self.abandoned.or(self.reset) {
            return Poll::Ready(code);
        }
        loop {
            match &mut self.watch {
                Watch::Idle => self.watch = Watch::Refusal(Box::pin(self.send.stopped())),
                Watch::Refusal(refusal) => match ready!(refusal.as_mut().poll(cx)) {
                    Ok(Some(code)) => {
                        self.watch = Watch::Idle;
                        return Poll::Ready(from_wire(code));
                    }
                    Ok(None) | Err(_) => self.watch = self.end_of_connection(),
                },
                // Both directions have ended well.
                Watch::End(_) if self.finished && self.read_to_end => return Poll::Pending,
                Watch::End(end) => {
                    let reason = ready!(end.as_mut().poll(cx));
                    self.watch = Watch::Idle;
                    return Poll::Ready(Self::code_of(&reason));
                }
            }
        }
    }
}

impl AsyncRead for QuicStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if buf.remaining() < self.ahead.len() && self.abandoned.is_none() {
            // A slice of it would be counted.
            let most = buf.remaining();
            buf.put_slice(&self.ahead[..most]);
            self.ahead.advance(most);
            return Poll::Ready(Ok(()));
        }
        if buf.remaining() < AHEAD || !self.ahead.is_empty() {
            let chunk = ready!(self.poll_chunk(cx, buf.remaining()))?;
            buf.put_slice(&chunk.unwrap_or_default());
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = |recv: &mut RecvStream, cx: &mut Context<'_>| {
            recv.poll_read_buf(cx, buf)
                .map_ok(|()| buf.filled().len() - before)
        };
        self.poll_read_with(cx, read, |read| *read).map_ok(drop)
    }
}

impl AsyncWrite for QuicStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slice: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |send, cx| Pin::new(send).poll_write(cx, slice))
    }

    /// What was written leaves by itself.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(code) = self.abandoned {
            return Poll::Ready(Err(StreamAbandoned(code).into()));
        }
        if self.finished {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = self.shared.connection.close_reason() {
            return Poll::Ready(Err(self.failed(StreamEnd::Connection(error))));
        }
        if self.send.finish().is_err() {
            return Poll::Ready(Err(self.failed(StreamEnd::Over)));
        }
        self.finished = true;
        self.shared.finished_with(Box::pin(self.send.stopped()));
        Poll::Ready(Ok(()))
    }
}

/// quinn finishes what is dropped; libp2p resets what is not finished.
impl Drop for QuicStream {
    fn drop(&mut self) {
        self.shared.flow.readers.remove(self.send.id());
        if !self.finished {
            self.reset(CloseCode::NONE);
        }
        if self.worth != Worth::Own {
            self.shared.left();
        }
        if self.worth == Worth::Nothing {
            self.shared.charge();
        }
    }
}
