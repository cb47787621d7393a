//! A WebSocket as a stream of bytes.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use sinew_core::Role;
use sinew_runtime::now;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::machine::{FrameError, Inbound, Outbound};

/// The bytes of a connection in binary messages.
///
/// What is read is decoded in the reader's own buffer. Each write becomes a message and is offered to the socket at once;
/// only what the socket does not take waits, for the next write or a flush. The end of one direction is a close frame: the
/// other side may still send, if it can (browsers and go-libp2p answer a close frame and end).
pub(crate) struct WebSocketStream<S> {
    io: S,
    role: Role,
    /// What was read with the head of HTTP.
    ahead: BytesMut,
    inbound: Inbound,
    outbound: Outbound,
    failed: Option<FrameError>,
    /// A pong lies in `outbound`, and no writer may come to send it.
    answering: bool,
    /// A writer waits for the socket, and is the one that is woken.
    writer_waits: bool,
    shut_down: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Over `io`, from which `ahead` was read already. The dialler is the client.
    pub(crate) fn new(io: S, role: Role, ahead: BytesMut) -> Self {
        let from = match role {
            Role::Dialer => Role::Listener,
            Role::Listener => Role::Dialer,
        };
        Self {
            io,
            role,
            ahead,
            inbound: Inbound::new(from, now()),
            outbound: Outbound::new(),
            failed: None,
            answering: false,
            writer_waits: false,
            shut_down: false,
        }
    }

    /// spec: RFC 6455, 5.3: a client masks each frame with a key that nobody can predict.
    fn mask(&self) -> Option<[u8; 4]> {
        (self.role == Role::Dialer).then(|| {
            let mut key = [0; 4];
            sinew_crypto::random(&mut key);
            key
        })
    }

    /// Reads what there is, still in frames.
    fn poll_raw(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, out);
        }
        let len = self.ahead.len().min(out.remaining());
        out.put_slice(&self.ahead.split_to(len));
        Poll::Ready(Ok(()))
    }

    /// Sends all that waits.
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

    /// As [`WebSocketStream::poll_send`], for a writer, which is woken when the socket takes more.
    fn poll_send_for_writer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = self.poll_send(cx);
        self.writer_waits = sent.is_pending();
        sent
    }

    /// Answers the newest ping. A reader sends it itself unless a writer is waiting: that one then sends everything, and a
    /// socket wakes only one.
    fn answer(&mut self, cx: &mut Context<'_>) {
        // spec: RFC 6455, 5.5.2: none once a close frame was sent; of several only the newest needs an answer.
        if !self.shut_down
            && !self.outbound.is_full()
            && let Some(ping) = self.inbound.pong()
        {
            let mask = self.mask();
            self.outbound.pong(&ping, mask);
            self.answering = true;
        }
        if self.answering && !self.writer_waits && self.poll_send(cx).is_ready() {
            // A socket that takes nothing any more may still give; writers are told.
            self.answering = Pin::new(&mut self.io).poll_flush(cx).is_pending();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(error) = this.failed {
            return Poll::Ready(Err(error.into()));
        }
        while out.remaining() > 0 && !this.inbound.is_closed() {
            this.answer(cx);
            let before = out.filled().len();
            ready!(this.poll_raw(cx, out))?;
            if out.filled().len() == before {
                this.inbound.finish()?;
                break;
            }
            let kept = this.inbound.receive(&mut out.filled_mut()[before..], now());
            out.set_filled(before + *kept.as_ref().unwrap_or(&0));
            if kept.inspect_err(|error| this.failed = Some(*error))? > 0 {
                break;
            }
        }
        // A ping may be the last thing that arrives for long.
        this.answer(cx);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // A little that the socket does not take yet holds nobody up.
        if self.outbound.is_full() && self.poll_send_for_writer(cx)?.is_pending() && self.outbound.is_full() {
            return Poll::Pending;
        }
        let mask = self.mask();
        let taken = self.outbound.write(slices, mask);
        let _ = self.poll_send_for_writer(cx)?;
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_for_writer(cx))?;
        self.outbound.rest();
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut_down {
            self.shut_down = true;
            let mask = self.mask();
            self.outbound.close(mask);
        }
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<S> fmt::Debug for WebSocketStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketStream")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
