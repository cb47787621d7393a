//! The secured connection: records over a byte stream.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustls::{AlertDescription, Error};
use sinew_core::BoxedIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use crate::record::{Inbound, MAX_TEXT, Outbound, Received, RecordError, Schedule};

/// A connection whose bytes only the proven peer can read and write.
///
/// What is written waits until it is worth a call of the operating system (64 KiB) or until a flush. Who waits holds no
/// more memory than there are bytes.
pub(crate) struct Channel {
    io: BoxedIo,
    inbound: Inbound,
    outbound: Outbound,
    schedule: Box<dyn Schedule>,
    /// New keys are due before more text is sealed.
    update_due: bool,
    shut_down: bool,
}

impl Channel {
    pub(crate) fn new(
        io: BoxedIo,
        inbound: Inbound,
        outbound: Outbound,
        schedule: Box<dyn Schedule>,
    ) -> Self {
        Self {
            io,
            inbound,
            outbound,
            schedule,
            update_due: false,
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

    /// Reads from below; `false` at the end of the bytes.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Poll::Ready(received) = poll_read_buf(Pin::new(&mut self.io), cx, self.inbound.room()) else {
            self.inbound.rest();
            return Poll::Pending;
        };
        Poll::Ready(Ok(received? > 0))
    }

    /// Follows the peer to its next keys. Ours change before the next text, however often the peer asks for it.
    fn follow(&mut self, requested: bool) -> Result<(), RecordError> {
        let next = self.schedule.next_opening().map_err(RecordError::Refused)?;
        self.inbound.replace_keys(next);
        self.update_due |= requested;
        Ok(())
    }

    /// Seals text, under new keys if they are due.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, Error> {
        if self.update_due || self.outbound.is_worn() {
            self.outbound.update_keys(&mut *self.schedule)?;
            self.update_due = false;
        }
        Ok(self.outbound.write(slices))
    }

    /// Ends our direction with a goodbye that the peer can trust.
    fn say_goodbye(&mut self) {
        if !self.shut_down {
            self.shut_down = true;
            self.outbound.alert(AlertDescription::CloseNotify);
        }
    }

    /// Tells the other side as much as it will hear, and ends our direction.
    fn fail(&mut self, cx: &mut Context<'_>, error: RecordError) -> io::Error {
        if let Some(alert) = error.alert().filter(|_| !self.shut_down) {
            self.shut_down = true;
            self.outbound.alert(alert);
            let _ = self.poll_send(cx);
        }
        error.into()
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = out.filled().len();
        while out.remaining() > 0 {
            let most = this.inbound.available().min(out.remaining());
            match this.inbound.next(out.initialize_unfilled_to(most)) {
                Ok(Received::Text(len)) => {
                    out.advance(len);
                    // What does not fit is opened once there is room for all of it.
                    if out.remaining() < MAX_TEXT {
                        break;
                    }
                }
                Ok(Received::KeyUpdate { requested }) => {
                    if let Err(error) = this.follow(requested) {
                        return Poll::Ready(Err(this.fail(cx, error)));
                    }
                }
                // What was received is handed out; an end or an error shows again at the next call.
                _ if out.filled().len() > before => break,
                Ok(Received::End) => break,
                Ok(Received::Nothing) => {
                    if !ready!(this.poll_receive(cx))? {
                        return Poll::Ready(Err(this.inbound.cut().into()));
                    }
                }
                Err(error) => return Poll::Ready(Err(this.fail(cx, error))),
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
        Poll::Ready(self.write(slices).map_err(io::Error::other))
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
        self.say_goodbye();
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}
