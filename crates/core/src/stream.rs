//! Streams, as applications and protocols use them.

use crate::{ConnectionInfo, MuxedStream, Traffic};
use bytes::{Bytes, BytesMut};
use sinew_identity::PeerId;
use sinew_machine::{CloseCode, ProtocolId, StreamId, code::stream::PROTOCOL_VIOLATION};
use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a stream holds while it lives, and gives back when it is dropped: its places in limits, its entry in counters.
pub trait StreamLease: Send + Sync {
    /// The stream is reset because the peer broke a rule of the protocol.
    fn violated(&self);
}

/// Bytes asked for in one zero-copy read of the convenience methods.
const CHUNK: usize = 64 * 1024;

/// A stream to a peer for one protocol: bytes in order in both directions, each of which ends by itself.
///
/// [`Stream::finish`] half-closes; a stream that is dropped unfinished is reset. It is also a tokio `AsyncRead` and
/// `AsyncWrite`; [`Stream::read_chunk`] and [`Stream::write_chunk`] move bytes without copying them.
pub struct Stream {
    io: Box<dyn MuxedStream>,
    protocol: ProtocolId,
    connection: Arc<ConnectionInfo>,
    traffic: Option<Arc<Traffic>>,
    /// Reading or writing failed: it is over, and nobody's fault that could be known.
    failed: bool,
    lease: Box<dyn StreamLease>,
}

impl Stream {
    /// Joins a muxer's stream with what the host knows of it.
    #[must_use]
    pub fn new(
        io: Box<dyn MuxedStream>,
        protocol: ProtocolId,
        connection: Arc<ConnectionInfo>,
        lease: Box<dyn StreamLease>,
    ) -> Self {
        Self {
            io,
            protocol,
            connection,
            traffic: None,
            failed: false,
            lease,
        }
    }

    /// Has the bytes of the stream counted.
    #[must_use]
    pub fn metered(mut self, traffic: Option<Arc<Traffic>>) -> Self {
        self.traffic = traffic;
        self
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.connection.peer
    }

    /// The protocol that was agreed on, or is offered.
    #[must_use]
    pub fn protocol(&self) -> &ProtocolId {
        &self.protocol
    }

    /// The connection that carries the stream.
    #[must_use]
    pub fn connection(&self) -> &Arc<ConnectionInfo> {
        &self.connection
    }

    /// The muxer's number of the stream.
    #[must_use]
    pub fn id(&self) -> StreamId {
        self.io.id()
    }

    /// Reads what has arrived, without copying it; `None` at the end.
    ///
    /// # Errors
    /// An `io::Error`; one with a [`crate::StreamReset`], [`crate::StreamClosed`] or [`crate::NegotiationError`] inside says more.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn read_chunk(&mut self) -> io::Result<Option<Bytes>> {
        poll_fn(|cx| self.poll_chunk(cx, CHUNK)).await
    }

    /// Fills `buf`.
    ///
    /// # Errors
    /// As [`Stream::read_chunk`], and `UnexpectedEof` when the stream ends first.
    ///
    /// # Cancel safety
    /// Dropping the future loses what was read into `buf`.
    pub async fn read_exact(&mut self, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let chunk = poll_fn(|cx| self.poll_chunk(cx, buf.len())).await?;
            let chunk = chunk.ok_or(io::ErrorKind::UnexpectedEof)?;
            let (head, rest) = buf.split_at_mut(chunk.len());
            head.copy_from_slice(&chunk);
            buf = rest;
        }
        Ok(())
    }

    /// Reads to the end, at most `max` bytes.
    ///
    /// # Errors
    /// As [`Stream::read_chunk`], and `InvalidData` when there is more than `max`.
    ///
    /// # Cancel safety
    /// Dropping the future loses what was read.
    pub async fn read_to_end(&mut self, max: usize) -> io::Result<Bytes> {
        let Some(first) = self.read_chunk().await? else {
            return Ok(Bytes::new());
        };
        let mut all = BytesMut::from(first);
        while all.len() <= max {
            let Some(chunk) = self.read_chunk().await? else {
                return Ok(all.freeze());
            };
            all.extend_from_slice(&chunk);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the peer sent more than the protocol allows",
        ))
    }

    /// Writes all of `chunk` without copying it.
    ///
    /// # Errors
    /// An `io::Error`, as for reading.
    ///
    /// # Cancel safety
    /// Dropping the future may leave a part of it written.
    pub async fn write_chunk(&mut self, mut chunk: Bytes) -> io::Result<()> {
        while !chunk.is_empty() {
            poll_fn(|cx| self.poll_write_chunk(cx, &mut chunk)).await?;
        }
        Ok(())
    }

    /// Writes all of `data`.
    ///
    /// # Errors
    /// An `io::Error`, as for reading.
    ///
    /// # Cancel safety
    /// Dropping the future may leave a part of it written.
    pub async fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        self.write_chunk(Bytes::copy_from_slice(data)).await
    }

    /// Ends our direction: what was written arrives, then the end. Reading goes on.
    ///
    /// # Errors
    /// An `io::Error`, as for reading.
    ///
    /// # Cancel safety
    /// The end is queued at the first poll; dropping the future later loses nothing but the wait. Only where a single
    /// protocol is still being offered optimistically, the end is queued when the peer has agreed, unless
    /// [`OpenOptions::finish_early`](crate::OpenOptions::finish_early) is set.
    pub async fn finish(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self).poll_shutdown(cx)).await
    }

    /// Hands what was written to the network without waiting for more.
    ///
    /// # Errors
    /// An `io::Error`, as for reading.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Aborts both directions and tells the peer why.
    ///
    /// [`PROTOCOL_VIOLATION`](sinew_machine::code::stream::PROTOCOL_VIOLATION) blames the peer: if it opened the stream, its
    /// connection pays, and is cut when it goes on. Not on a stream that has failed before, as one does that the peer cancels.
    pub fn reset(mut self, code: CloseCode) {
        self.io.reset(code);
        if code == PROTOCOL_VIOLATION && !self.failed {
            self.lease.violated();
        }
    }

    /// Refuses further input; writing goes on.
    pub fn stop(&mut self, code: CloseCode) {
        self.io.stop(code);
    }

    /// Waits until the peer resets the stream or the connection ends: for handlers that work elsewhere
    /// meanwhile. Never done on a stream that ends well.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn reset_by_peer(&mut self) -> CloseCode {
        poll_fn(|cx| self.io.poll_reset(cx)).await
    }

    /// Reads without copying: at most `max` bytes as they arrived, `None` at the end.
    ///
    /// # Errors
    /// As [`Stream::read_chunk`].
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        let polled = self.io.poll_chunk(cx, max);
        if let (Some(traffic), Poll::Ready(Ok(Some(chunk)))) = (&self.traffic, &polled) {
            traffic.add_read(chunk.len());
        }
        self.noted(polled)
    }

    /// Writes without copying: takes what fits off the front of `chunk`.
    ///
    /// # Errors
    /// As [`Stream::write_chunk`].
    pub fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<()>> {
        let before = chunk.len();
        let polled = self.io.poll_write_chunk(cx, chunk);
        self.wrote(before - chunk.len());
        self.noted(polled)
    }

    /// Remembers a failure.
    fn noted<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.failed |= matches!(polled, Poll::Ready(Err(_)));
        polled
    }

    fn wrote(&self, bytes: usize) {
        if let Some(traffic) = self.traffic.as_ref().filter(|_| bytes > 0) {
            traffic.add_written(bytes);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if let Some(traffic) = self.traffic.as_ref().filter(|_| polled.is_ready()) {
            traffic.add_read(buf.filled().len() - before);
        }
        self.noted(polled)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = polled {
            self.wrote(bytes);
        }
        self.noted(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(bytes)) = polled {
            self.wrote(bytes);
        }
        self.noted(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.noted(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.noted(polled)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.io.id())
            .field("protocol", &self.protocol)
            .field("peer", &self.connection.peer)
            .finish_non_exhaustive()
    }
}
