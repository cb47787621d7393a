//! The secured connection: the transport phase over a byte stream.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use sinew_core::BoxedIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use crate::machine::{Inbound, Outbound};

/// A connection whose bytes only the proven peer can read and write.
///
/// What is written waits until it is worth a call of the operating system (64 KiB) or until a flush. Who waits holds no
/// more memory than there are bytes.
pub(crate) struct Channel {
    io: BoxedIo,
    inbound: Inbound,
    outbound: Outbound,
    shut_down: bool,
}

impl Channel {
    pub(crate) fn new(io: BoxedIo, inbound: Inbound, outbound: Outbound) -> Self {
        Self {
            io,
            inbound,
            outbound,
            shut_down: false,
        }
    }

    /// Sends all that was sealed.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbound.pending().is_empty() {
            let Poll::Ready(sent) = Pin::new(&mut self.io).poll_write(cx, self.outbound.pending()) else {
                self.outbound.rest();
                return Poll::Pending;
            };
            match sent? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.outbound.sent(sent),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while out.remaining() > 0 {
            let most = this.inbound.available().min(out.remaining());
            let read = this.inbound.read(out.initialize_unfilled_to(most))?;
            if read > 0 {
                out.advance(read);
                break;
            }
            let Poll::Ready(received) = poll_read_buf(Pin::new(&mut this.io), cx, this.inbound.room()) else {
                this.inbound.rest();
                return Poll::Pending;
            };
            if received? == 0 {
                this.inbound.end()?;
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, text: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(text)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // Sealed bytes leave before more are made; a little that the socket does not take yet holds nobody up.
        if self.outbound.is_full() && self.poll_send(cx)?.is_pending() && self.outbound.is_full() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.outbound.write(slices)?))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.outbound.rest();
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down = true;
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}
