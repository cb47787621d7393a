//! The way out: batches of frames into vectored writes, one flush a batch.

use crate::machine::Batch;
use bytes::{Buf, BufMut, BytesMut};
use sinew_core::BoxedIo;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::AsyncWrite;

/// Slices offered to one vectored write.
const SLICES: usize = 64;

/// What is copied together for a writer that takes one slice at a time, so that headers do not travel alone.
const JOINED: usize = 64 * 1024;

/// Frames that have left the machine.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) batch: Batch,
    joined: BytesMut,
    /// Bytes were written and not flushed.
    pub(crate) unflushed: bool,
}

impl Output {
    /// Whether every byte was taken.
    pub(crate) fn is_empty(&self) -> bool {
        !self.batch.has_remaining() && self.joined.is_empty()
    }

    /// Writes until there is nothing left or `io` takes no more, then flushes. Says how many bytes of the batch
    /// were taken, also when an error ended it.
    pub(crate) fn poll(&mut self, io: &mut BoxedIo, cx: &mut Context<'_>) -> (usize, io::Result<()>) {
        let mut taken = 0;
        while !self.is_empty() {
            match self.write(io, cx) {
                Poll::Ready(Ok(0)) => return (taken, Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.unflushed = true;
                    taken += count;
                }
                Poll::Ready(Err(error)) => return (taken, Err(error)),
                Poll::Pending => return (taken, Ok(())),
            }
        }
        if self.unflushed {
            match Pin::new(io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return (taken, Err(error)),
                Poll::Pending => {}
            }
        }
        (taken, Ok(()))
    }

    /// Gives back the memory of empty queues.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            self.batch.shrink();
            self.joined = BytesMut::new();
        }
    }

    fn write(&mut self, io: &mut BoxedIo, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !io.is_write_vectored() {
            return self.write_joined(io, cx);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.batch.chunks_vectored(&mut slices);
        let written = Pin::new(io).poll_write_vectored(cx, &slices[..count]);
        if let Poll::Ready(Ok(count)) = written {
            self.batch.advance(count);
        }
        written
    }

    fn write_joined(&mut self, io: &mut BoxedIo, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.joined.is_empty() {
            let count = self.batch.remaining().min(JOINED);
            self.joined.put((&mut self.batch).take(count));
        }
        let written = Pin::new(io).poll_write(cx, &self.joined);
        if let Poll::Ready(Ok(count)) = written {
            self.joined.advance(count);
        }
        written
    }
}
