//! Negotiation that is over before anything else is said: connections that are being upgraded, and inbound streams.
//!
//! Not one byte behind the negotiation is read, so the caller goes on with the same io and nothing is put around it.

use crate::machine::{Choice, Dialer, ListQuery, Listener, Negotiation, Offer};
use bytes::{Buf, BytesMut};
use sinew_core::NegotiationError;
use sinew_machine::ProtocolId;
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Proposes protocols in order over `io` until the remote accepts one.
///
/// The header and the first proposal leave in one write.
///
/// # Errors
/// [`NegotiationError`]. What was read and written until then is lost: drop `io`.
///
/// # Cancel safety
/// Not cancel safe: a dropped future leaves `io` in the middle of a negotiation.
pub async fn select<I>(
    io: &mut I,
    protocols: Vec<ProtocolId>,
    timeout: Duration,
) -> Result<ProtocolId, NegotiationError>
where
    I: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    let mut dialer = Dialer::new(protocols)?;
    match run(io, &mut dialer, timeout).await? {
        Choice::Accepted(protocol) => Ok(protocol),
        Choice::Refused => Err(NegotiationError::Unsupported(dialer.protocols().to_vec())),
    }
}

/// Answers the proposals that come over `io` until one is on offer.
///
/// The header and the answer leave in one write where the dialler sent its header and proposal in one.
///
/// # Errors
/// [`NegotiationError`]. What was read and written until then is lost: drop `io`.
///
/// # Cancel safety
/// Not cancel safe: a dropped future leaves `io` in the middle of a negotiation.
pub async fn accept<I, O>(io: &mut I, offer: O, timeout: Duration) -> Result<ProtocolId, NegotiationError>
where
    I: AsyncRead + AsyncWrite + Unpin + ?Sized,
    O: Offer,
{
    run(io, &mut Listener::new(offer), timeout).await
}

/// Asks the remote which protocols it lists. `None` where it does not tell, as go-libp2p.
///
/// No protocol is agreed on with that: drop `io` afterwards.
///
/// # Errors
/// [`NegotiationError`].
///
/// # Cancel safety
/// Not cancel safe: a dropped future leaves `io` in the middle of a negotiation.
pub async fn list<I>(io: &mut I, timeout: Duration) -> Result<Option<Vec<ProtocolId>>, NegotiationError>
where
    I: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    run(io, &mut ListQuery::new(), timeout).await
}

/// Runs one side to its end.
pub(crate) async fn run<I, N>(
    io: &mut I,
    machine: &mut N,
    timeout: Duration,
) -> Result<N::Outcome, NegotiationError>
where
    I: AsyncRead + AsyncWrite + Unpin + ?Sized,
    N: Negotiation,
{
    let mut drive = Drive {
        io,
        output: machine.transmit(),
        machine,
        outcome: None,
        flushed: true,
    };
    match sinew_runtime::timeout(timeout, poll_fn(|cx| drive.poll(cx))).await {
        Ok(outcome) => outcome,
        Err(_) => Err(NegotiationError::Timeout(timeout)),
    }
}

/// A machine at work. How often it can turn without waiting is bounded by what the machine reads in all.
struct Drive<'a, I: ?Sized, N: Negotiation> {
    io: &'a mut I,
    machine: &'a mut N,
    outcome: Option<N::Outcome>,
    output: BytesMut,
    flushed: bool,
}

impl<I, N> Drive<'_, I, N>
where
    I: AsyncRead + AsyncWrite + Unpin + ?Sized,
    N: Negotiation,
{
    /// Reads what is there and writes only when nothing more is: so answers leave together.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<N::Outcome, NegotiationError>> {
        loop {
            if self.outcome.is_none()
                && let Poll::Ready(received) = poll_receive(self.io, self.machine, cx)
            {
                match received {
                    Ok(outcome) => self.outcome = outcome,
                    Err(error) => {
                        self.say_last(cx);
                        return Poll::Ready(Err(error));
                    }
                }
                continue;
            }
            self.refill();
            if !self.output.is_empty() {
                ready!(self.poll_write(cx))?;
                continue;
            }
            if !self.flushed {
                ready!(Pin::new(&mut *self.io).poll_flush(cx))?;
                self.flushed = true;
            }
            return self
                .outcome
                .take()
                .map_or(Poll::Pending, |outcome| Poll::Ready(Ok(outcome)));
        }
    }

    fn refill(&mut self) {
        if self.output.is_empty() {
            self.output = self.machine.transmit();
        }
    }

    /// Sends what was answered before the end, without waiting: the refusal of a proposal, where an optimistic dialler did
    /// not wait for it and what follows is no negotiation.
    fn say_last(&mut self, cx: &mut Context<'_>) {
        self.refill();
        if !self.output.is_empty() && matches!(self.poll_write(cx), Poll::Ready(Ok(()))) {
            let _ = Pin::new(&mut *self.io).poll_flush(cx);
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NegotiationError>> {
        let written = ready!(Pin::new(&mut *self.io).poll_write(cx, &self.output))?;
        if written == 0 {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
        }
        self.output.advance(written);
        self.flushed = false;
        Poll::Ready(Ok(()))
    }
}

/// Reads what cannot lie behind the end of the negotiation, and hands it in.
pub(crate) fn poll_receive<I, N>(
    io: &mut I,
    machine: &mut N,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<N::Outcome>, NegotiationError>>
where
    I: AsyncRead + Unpin + ?Sized,
    N: Negotiation,
{
    let mut space = [0; SPACE];
    let input = ready!(poll_input(io, machine.wanted(), &mut space, cx))?;
    if input.is_empty() {
        return Poll::Ready(Err(NegotiationError::Ended));
    }
    let (taken, outcome) = machine.receive(input)?;
    debug_assert_eq!(taken, input.len(), "no more was read than wanted");
    Poll::Ready(Ok(outcome))
}

/// What is read at once at most.
pub(crate) const SPACE: usize = 128;

/// Reads at most `wanted` bytes; none are the end.
pub(crate) fn poll_input<'a, I: AsyncRead + Unpin + ?Sized>(
    io: &mut I,
    wanted: usize,
    space: &'a mut [u8; SPACE],
    cx: &mut Context<'_>,
) -> Poll<io::Result<&'a [u8]>> {
    let mut buffer = ReadBuf::new(&mut space[..wanted.min(SPACE)]);
    ready!(Pin::new(io).poll_read(cx, &mut buffer))?;
    let read = buffer.filled().len();
    Poll::Ready(Ok(&space[..read]))
}
