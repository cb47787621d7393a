//! A stream as its user holds it.

use crate::{
    machine::Machine,
    shared::{Shared, State},
};
use bytes::Bytes;
use sinew_core::{CloseCode, MuxedStream, StreamId};
use sinew_runtime::now;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of a session.
pub(crate) struct SessionStream<M: Machine> {
    shared: Arc<Shared<M>>,
    id: M::Id,
}

impl<M: Machine> SessionStream<M> {
    pub(crate) fn new(shared: Arc<Shared<M>>, id: M::Id) -> Self {
        Self { shared, id }
    }
}

impl<M: Machine> Drop for SessionStream<M> {
    fn drop(&mut self) {
        self.shared.with(|state| state.release(self.id));
    }
}

impl<M: Machine> MuxedStream for SessionStream<M> {
    fn id(&self) -> StreamId {
        StreamId(self.id.into())
    }

    fn reset(&mut self, code: CloseCode) {
        self.shared
            .with(|state| state.machine.reset(now(), self.id, code));
    }

    fn stop(&mut self, _: CloseCode) {
        self.shared.with(|state| state.machine.stop(self.id));
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        if max == 0 {
            return Poll::Ready(Ok(Some(Bytes::new())));
        }
        self.shared.with(|state| {
            let read = state.machine.read(now(), self.id, max, || cx.waker().clone());
            read.map_err(|error| state.stream_error(error))
        })
    }

    fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<()>> {
        self.shared.with(|state| {
            let written = state.machine.write(self.id, chunk, || cx.waker().clone());
            written.map_ok(|_| ()).map_err(|error| state.stream_error(error))
        })
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<CloseCode> {
        self.shared
            .with(|state| state.machine.reset_of(self.id, || cx.waker().clone()))
    }
}

impl<M: Machine> AsyncRead for SessionStream<M> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.shared.with(|state| {
            ready!(self.copy(state, cx, buf))?;
            while buf.remaining() > 0 && state.machine.has_unread(self.id) {
                let _ = self.copy(state, cx, buf)?;
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl<M: Machine> SessionStream<M> {
    fn copy(&self, state: &mut State<M>, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = state
            .machine
            .read(now(), self.id, buf.remaining(), || cx.waker().clone());
        if let Some(chunk) = ready!(read).map_err(|error| state.stream_error(error))? {
            buf.put_slice(&chunk);
        }
        Poll::Ready(Ok(()))
    }
}

impl<M: Machine> AsyncWrite for SessionStream<M> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, slice: &[u8]) -> Poll<io::Result<usize>> {
        self.shared.with(|state| {
            let written = state.machine.write_slice(self.id, slice, || cx.waker().clone());
            written.map_err(|error| state.stream_error(error))
        })
    }

    /// What was written is queued and needs no push; a stream that was only opened is announced.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.with(|state| state.machine.announce(self.id));
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let finished = self.shared.with(|state| {
            let finished = state.machine.finish(self.id);
            finished.map_err(|error| state.stream_error(error))
        });
        Poll::Ready(finished)
    }
}
