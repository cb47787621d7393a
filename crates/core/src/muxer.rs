//! Muxers: many streams over one connection.

use crate::{BoxedIo, ByteStream, CloseReason, LimitExceeded, ResourceScope, Role};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use sinew_machine::{Blame, CloseCode, Culpable, ProtocolId, StreamId};
use std::{
    fmt, io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// A stream multiplexer: yamux, mplex.
pub trait MuxerUpgrade: Send + Sync + fmt::Debug + 'static {
    /// The name under which it is negotiated, `/yamux/1.0.0` for instance.
    fn protocol(&self) -> ProtocolId;

    /// Lays streams over `io`. Nothing is read or written until the driver is polled.
    fn mux(&self, io: BoxedIo, role: Role, scope: Arc<dyn ResourceScope>) -> Muxed;
}

/// The three halves of a multiplexed connection.
#[non_exhaustive]
pub struct Muxed {
    /// Opens streams and closes the connection, from any task.
    pub handle: Arc<dyn MuxedConnection>,
    /// Yields the streams that the remote opens.
    pub accept: Box<dyn AcceptStreams>,
    /// Moves the bytes: whoever owns the connection polls it until it ends, and the end says why.
    pub driver: BoxFuture<'static, CloseReason>,
}

impl Muxed {
    /// Joins the three halves.
    #[must_use]
    pub fn new(
        handle: Arc<dyn MuxedConnection>,
        accept: Box<dyn AcceptStreams>,
        driver: BoxFuture<'static, CloseReason>,
    ) -> Self {
        Self {
            handle,
            accept,
            driver,
        }
    }
}

impl fmt::Debug for Muxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Muxed").finish_non_exhaustive()
    }
}

/// The handle of a multiplexed connection.
pub trait MuxedConnection: Send + Sync + 'static {
    /// Opens a stream. Waits while the muxer's backlog of unanswered streams is full.
    ///
    /// # Errors
    /// [`MuxError`] when the connection is closed or refuses more streams.
    ///
    /// # Cancel safety
    /// Dropping the future before it is done opens nothing.
    fn open(&self) -> BoxFuture<'static, Result<Box<dyn MuxedStream>, MuxError>>;

    /// Starts to close: says goodbye with `code`, sends what is queued within a bound, ends. Streams that are
    /// still open fail. Only the first call counts.
    fn close(&self, code: CloseCode);

    /// Waits until the connection has ended.
    fn closed(&self) -> BoxFuture<'static, CloseReason>;

    /// The round-trip time, where the muxer measures it.
    fn rtt(&self) -> Option<Duration> {
        None
    }
}

/// Yields the streams that the remote opens. Not polling it is back-pressure: the muxer refuses streams beyond
/// its backlog.
pub trait AcceptStreams: Send + 'static {
    /// The next stream of the remote.
    ///
    /// # Errors
    /// The reason, once, when the connection has ended.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn MuxedStream>, CloseReason>>;
}

/// A stream of a multiplexed connection.
///
/// `poll_shutdown` half-closes: what was written arrives, then the end, and reading goes on. Dropping a stream
/// whose write side is not finished resets it. Errors of reads and writes carry a [`StreamReset`](crate::StreamReset)
/// or a [`StreamClosed`](crate::StreamClosed) inside.
pub trait MuxedStream: ByteStream {
    /// The muxer's number of the stream.
    fn id(&self) -> StreamId;

    /// Aborts both directions.
    fn reset(&mut self, code: CloseCode);

    /// Refuses further input. Where the wire has no such frame (yamux, mplex) input is discarded and its credit
    /// returned.
    fn stop(&mut self, code: CloseCode);

    /// Reads without copying: at most `max` bytes as they arrived, or `None` at the end.
    ///
    /// # Errors
    /// As for reading: the stream was reset, or its connection ended.
    fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>>;

    /// Writes without copying: takes what fits off the front of `chunk`. Ready once it took something.
    ///
    /// # Errors
    /// As for writing: the stream was reset or finished, or its connection ended.
    fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<()>>;

    /// Waits until the remote resets the stream or the connection ends: a handler that waits elsewhere learns
    /// that the asker left. Pending for ever on a stream that ends well.
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<CloseCode>;

    /// Lets the end of our data leave before the remote has agreed to the protocol. Means something only on a
    /// stream that is being negotiated optimistically; see `sinew-multistream`.
    fn finish_early(&mut self) {}
}

/// Why a stream could not be opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MuxError {
    /// The connection has ended, or is about to.
    #[error("the connection is closed: {0}")]
    Closed(#[source] CloseReason),
    /// A limit of this node.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The muxer has no stream ids left: open a new connection.
    #[error("the muxer has used up its stream ids")]
    Exhausted,
}

impl Culpable for MuxError {
    fn blame(&self) -> Blame {
        match self {
            Self::Closed(reason) => reason.blame(),
            Self::Limit(_) => Blame::Limit,
            Self::Exhausted => Blame::Local,
        }
    }
}
