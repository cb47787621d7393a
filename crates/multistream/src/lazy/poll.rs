//! What a lazily negotiated stream does when it is read, written and ended.

use super::{LazyStream, Phase};
use crate::waker::Side;
use bytes::{Buf, Bytes};
use sinew_core::MuxedStream;
use sinew_machine::{CloseCode, StreamId};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

impl LazyStream {
    /// Before a write: sends the proposal with the data. Returns how much of it left that way; zero says that the stream
    /// inside takes the data itself.
    fn poll_before_write(&mut self, cx: &mut Context<'_>, data: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let sent = ready!(self.poll_propose(cx, Side::Write, data))?;
        // There is no answer yet to what leaves only now.
        if sent > 0 {
            return Poll::Ready(Ok(sent));
        }
        // Who only writes should hear of a refusal too: look for the answer without waiting for it.
        match self.poll_answer(cx, Side::Write) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(0)),
        }
    }
}

impl AsyncRead for LazyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !matches!(self.phase, Phase::Open) {
            ready!(self.poll_answer(cx, Side::Read))?;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for LazyStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if matches!(self.phase, Phase::Open) {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        match ready!(self.poll_before_write(cx, bufs))? {
            0 => self.poll_inside(cx, |stream, cx| stream.poll_write_vectored(cx, bufs)),
            sent => Poll::Ready(Ok(sent)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_propose(cx, Side::Write, &[]))?;
        self.check()?;
        self.poll_inside(cx, AsyncWrite::poll_flush)
    }

    /// Awaits the answer before the end leaves, unless told otherwise: js-libp2p never sees an end that comes in one
    /// piece with the opening.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_propose(cx, Side::Write, &[]))?;
        match &self.phase {
            Phase::Negotiating(negotiating) if negotiating.finish_early => {}
            _ => ready!(self.poll_answer(cx, Side::Write))?,
        }
        self.poll_inside(cx, AsyncWrite::poll_shutdown)
    }
}

impl MuxedStream for LazyStream {
    fn id(&self) -> StreamId {
        self.stream.id()
    }

    fn reset(&mut self, code: CloseCode) {
        self.stream.reset(code);
    }

    fn stop(&mut self, code: CloseCode) {
        self.stream.stop(code);
        // The answer is refused with everything else: nothing may wait for it any more.
        if let Phase::Negotiating(negotiating) = &mut self.phase {
            negotiating.stopped = true;
            if negotiating.unsent.is_empty() {
                self.opened();
            }
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        if !matches!(self.phase, Phase::Open) {
            ready!(self.poll_answer(cx, Side::Read))?;
        }
        self.stream.poll_chunk(cx, max)
    }

    fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<()>> {
        if matches!(self.phase, Phase::Open) {
            return self.stream.poll_write_chunk(cx, chunk);
        }
        match ready!(self.poll_before_write(cx, &[IoSlice::new(chunk)]))? {
            0 => self.poll_inside(cx, |mut stream, cx| stream.poll_write_chunk(cx, chunk)),
            sent => {
                chunk.advance(sent);
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<CloseCode> {
        self.stream.poll_reset(cx)
    }

    fn finish_early(&mut self) {
        if let Phase::Negotiating(negotiating) = &mut self.phase {
            negotiating.finish_early = true;
        }
    }
}
