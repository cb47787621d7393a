//! Optimistic negotiation of a connection with one protocol: no round trip is spent on it.
//!
//! ```text
//!                 first write, flush or read           header, protocol
//!   Unsent --------------------------------> Sent -----------------------> Agreed
//!           header + protocol + data leave        \
//!           in one piece                           `--> Failed: `na`, garbage, end, time
//! ```

use crate::{
    eager::poll_receive,
    error::into_io,
    lazy::join,
    machine::{Choice, Dialer, Negotiation},
};
use bytes::{Buf, BytesMut};
use sinew_core::{BoxedIo, NegotiationError};
use sinew_machine::{Instant, ProtocolId};
use sinew_runtime::{Timer, now};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Proposes the only protocol that will do over `io`: with what is written first, in one piece.
///
/// Reading awaits the answer, for no longer than `timeout` after the proposal has left. Until then one task has to read
/// and write, as handshakes do, and `io` holds the answer (some thirty bytes) while they write. Once the answer came, every
/// call goes straight to `io`.
///
/// A negotiation that fails is an [`io::Error`] with a [`NegotiationError`] inside, at the read or write that found out;
/// nothing is read or written after it.
///
/// # Errors
/// [`NegotiationError::BadName`] for a protocol that cannot be proposed.
pub fn propose(io: BoxedIo, protocol: ProtocolId, timeout: Duration) -> Result<BoxedIo, NegotiationError> {
    let mut dialer = Dialer::new(vec![protocol])?;
    let negotiating = Negotiating {
        unsent: dialer.transmit(),
        dialer,
        flushed: false,
        timeout,
        deadline: None,
        timer: Timer::new(),
    };
    let phase = Phase::Negotiating(Box::new(negotiating));
    Ok(Box::new(Optimistic { io, phase }))
}

/// A connection whose protocol is proposed with the first bytes that are written.
struct Optimistic {
    io: BoxedIo,
    phase: Phase,
}

enum Phase {
    Negotiating(Box<Negotiating>),
    Agreed,
    Failed,
}

struct Negotiating {
    dialer: Dialer,
    /// What is left of the proposal.
    unsent: BytesMut,
    flushed: bool,
    timeout: Duration,
    /// Set once the proposal has left.
    deadline: Option<Instant>,
    timer: Timer,
}

impl Negotiating {
    /// Awaits the answer of the remote.
    fn poll_answer(&mut self, io: &mut BoxedIo, cx: &mut Context<'_>) -> Poll<Result<(), NegotiationError>> {
        if !self.flushed {
            self.flushed = Pin::new(&mut *io).poll_flush(cx)?.is_ready();
        }
        loop {
            match poll_receive(io, &mut self.dialer, cx)? {
                Poll::Ready(None) => {}
                Poll::Ready(Some(Choice::Accepted(_))) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(Choice::Refused)) => {
                    let refused = self.dialer.protocols().to_vec();
                    return Poll::Ready(Err(NegotiationError::Unsupported(refused)));
                }
                Poll::Pending => {
                    ready!(self.timer.poll(cx, self.deadline));
                    return Poll::Ready(Err(NegotiationError::Timeout(self.timeout)));
                }
            }
        }
    }

    /// Writes the rest of the proposal, with as much of `data` as joins it. Returns how much of `data` left.
    fn poll_propose(
        &mut self,
        io: &mut BoxedIo,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<Result<usize, NegotiationError>> {
        while !self.unsent.is_empty() {
            // spec: multistream-select, Protocol Selection: header and proposal in one packet; the data joins them
            let flight = join(&self.unsent, data);
            let written = ready!(Pin::new(&mut *io).poll_write(cx, &flight))?;
            if written == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
            }
            let proposal = written.min(self.unsent.len());
            self.unsent.advance(proposal);
            if self.unsent.is_empty() {
                self.deadline = Some(now() + self.timeout);
            }
            if written > proposal {
                return Poll::Ready(Ok(written - proposal));
            }
        }
        Poll::Ready(Ok(0))
    }
}

impl Optimistic {
    /// Before a write: sends the proposal. Returns how much of `data` left with it; zero says that the connection takes
    /// the data itself.
    fn poll_propose(&mut self, cx: &mut Context<'_>, data: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let proposed = match &mut self.phase {
            Phase::Negotiating(negotiating) => ready!(negotiating.poll_propose(&mut self.io, cx, data)),
            Phase::Agreed => Ok(0),
            Phase::Failed => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        Poll::Ready(proposed.map_err(|error| self.fail(error)))
    }

    /// Before a read: awaits the answer.
    fn poll_agree(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_propose(cx, &[]))?;
        if let Phase::Negotiating(negotiating) = &mut self.phase {
            match ready!(negotiating.poll_answer(&mut self.io, cx)) {
                Ok(()) => self.phase = Phase::Agreed,
                Err(error) => return Poll::Ready(Err(self.fail(error))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn fail(&mut self, error: NegotiationError) -> io::Error {
        self.phase = Phase::Failed;
        into_io(error)
    }
}

impl AsyncRead for Optimistic {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_agree(cx))?;
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Optimistic {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.poll_propose(cx, &[IoSlice::new(data)]))? {
            0 => Pin::new(&mut self.io).poll_write(cx, data),
            sent => Poll::Ready(Ok(sent)),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.poll_propose(cx, data))? {
            0 => Pin::new(&mut self.io).poll_write_vectored(cx, data),
            sent => Poll::Ready(Ok(sent)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_propose(cx, &[]))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_propose(cx, &[]))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
