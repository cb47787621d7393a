//! Optimistic negotiation of a stream with one protocol: no round trip is spent on it.
//!
//! ```text
//!                 first write, flush or read           header, protocol
//!   Unsent --------------------------------> Sent -----------------------> Open
//!           header + protocol + data leave        \
//!           in one piece                           `--> Failed: `na`, garbage, end, time
//! ```

mod poll;

use crate::{
    eager::{SPACE, poll_input},
    error::{into_io, stream_code},
    machine::{Choice, Dialer, Negotiation, Violation},
    waker::{Side, Wakers},
};
use bytes::{Buf, Bytes, BytesMut};
use sinew_core::{MuxedStream, NegotiationError, StreamReset};
use sinew_machine::{Instant, ProtocolId, code};
use sinew_runtime::{Timer, now};
use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::AsyncWrite;

/// How much of the first write joins the proposal in one piece. It is copied for that; more would not fit into the
/// frame or the packets that leave first anyway.
const FIRST_FLIGHT: usize = 16 * 1024;

/// A stream whose protocol is proposed with the first bytes that are written and agreed on with the first that are
/// read.
///
/// - The first write sends header, proposal and data in one piece. A flush or a read before it sends the proposal
///   alone.
/// - Reading awaits the answer. A refusal is an [`io::Error`] of kind [`Unsupported`](io::ErrorKind::Unsupported) with a
///   [`NegotiationError`] inside; it is repeated by every later call.
/// - Shutting down awaits the answer before the end leaves: js-libp2p loses the end of a stream that comes together
///   with its beginning. [`MuxedStream::finish_early`] waives that, for remotes that are known to be right.
///
/// Once the answer came, every call goes straight to the stream inside.
pub struct LazyStream {
    stream: Box<dyn MuxedStream>,
    phase: Phase,
}

enum Phase {
    Negotiating(Box<Negotiating>),
    Open,
    Failed(Failure),
}

/// A failure, kept to be told again.
#[derive(Clone, Debug)]
enum Failure {
    Refused(ProtocolId),
    Violation(Violation),
    Ended,
    TimedOut(Duration),
}

struct Negotiating {
    dialer: Dialer,
    /// What of the header and the proposal has not left yet.
    unsent: BytesMut,
    flushed: bool,
    timeout: Duration,
    /// Set when the proposal has left.
    deadline: Option<Instant>,
    timer: Timer,
    wakers: Wakers,
    finish_early: bool,
    stopped: bool,
}

impl LazyStream {
    /// Puts the negotiation of `protocol` around a stream. `timeout` runs from when the proposal has left, and matters
    /// while somebody waits for the answer.
    ///
    /// # Errors
    /// [`NegotiationError::BadName`] when multistream-select cannot carry the name.
    pub fn new(
        stream: Box<dyn MuxedStream>,
        protocol: ProtocolId,
        timeout: Duration,
    ) -> Result<Self, NegotiationError> {
        Ok(Self::with(stream, Dialer::new(vec![protocol])?, timeout))
    }

    /// As [`LazyStream::new`], with a dialler of one protocol.
    pub(crate) fn with(stream: Box<dyn MuxedStream>, mut dialer: Dialer, timeout: Duration) -> Self {
        let negotiating = Negotiating {
            unsent: dialer.transmit(),
            flushed: false,
            dialer,
            timeout,
            deadline: None,
            timer: Timer::new(),
            wakers: Wakers::new(),
            finish_early: false,
            stopped: false,
        };
        Self {
            stream,
            phase: Phase::Negotiating(Box::new(negotiating)),
        }
    }

    /// Sends what is left of the proposal, with as much of `data` as joins it. Returns how much of `data` left.
    fn poll_propose(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Phase::Negotiating(negotiating) = &mut self.phase else {
            return Poll::Ready(Ok(0));
        };
        while !negotiating.unsent.is_empty() {
            let waker = negotiating.wakers.register(side, cx);
            let cx = &mut Context::from_waker(&waker);
            // spec: multistream-select, Protocol Selection: header and proposal in one packet; the data joins them
            let mut flight = join(&negotiating.unsent, data);
            let before = flight.len();
            let result = self.stream.poll_write_chunk(cx, &mut flight);
            negotiating.wakers.keep(side, &result);
            let written = before - flight.len();
            let proposal = written.min(negotiating.unsent.len());
            negotiating.unsent.advance(proposal);
            if negotiating.unsent.is_empty() {
                negotiating.deadline = Some(now() + negotiating.timeout);
            }
            if written > proposal {
                return Poll::Ready(Ok(written - proposal));
            }
            if let Err(error) = ready!(result) {
                return Poll::Ready(Err(self.explain(error)));
            }
        }
        if negotiating.stopped {
            self.opened();
        }
        Poll::Ready(Ok(0))
    }

    /// Waits until the answer is there; it is good when this is `Ok`.
    fn poll_answer(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<()>> {
        ready!(self.poll_propose(cx, side, &[]))?;
        loop {
            let Phase::Negotiating(negotiating) = &mut self.phase else {
                return Poll::Ready(self.check());
            };
            let waker = negotiating.wakers.register(side, cx);
            let cx = &mut Context::from_waker(&waker);
            // Best effort: an answer that is there is worth more than data of ours that still waits.
            if !negotiating.flushed && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
                negotiating.flushed = true;
            }
            let mut space = [0; SPACE];
            let polled = poll_input(&mut self.stream, negotiating.dialer.wanted(), &mut space, cx);
            negotiating.wakers.keep(side, &polled);
            match polled {
                Poll::Ready(Ok([])) => self.failed(Failure::Ended),
                Poll::Ready(Ok(input)) => self.answered(input),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.explain(error))),
                Poll::Pending => {
                    let polled = negotiating.timer.poll(cx, negotiating.deadline);
                    negotiating.wakers.keep(side, &polled);
                    ready!(polled);
                    let timeout = negotiating.timeout;
                    self.failed(Failure::TimedOut(timeout));
                }
            }
        }
    }

    fn answered(&mut self, input: &[u8]) {
        let Phase::Negotiating(negotiating) = &mut self.phase else {
            return;
        };
        match negotiating.dialer.receive(input) {
            Ok((_, None)) => {}
            Ok((_, Some(Choice::Accepted(_)))) => self.opened(),
            Ok((_, Some(Choice::Refused))) => {
                let protocol = negotiating.dialer.proposed().clone();
                self.failed(Failure::Refused(protocol));
            }
            Err(violation) => self.failed(Failure::Violation(violation)),
        }
    }

    fn opened(&mut self) {
        self.leave(Phase::Open);
    }

    fn failed(&mut self, failure: Failure) {
        self.stream.reset(stream_code(&failure.error()));
        self.leave(Phase::Failed(failure));
    }

    /// Ends the negotiation and wakes whoever else waited for that.
    fn leave(&mut self, next: Phase) {
        if let Phase::Negotiating(negotiating) = std::mem::replace(&mut self.phase, next) {
            negotiating.wakers.wake();
        }
    }

    /// A reset that says that no protocol was agreed on is a refusal whose `na` it took away.
    fn explain(&mut self, error: io::Error) -> io::Error {
        let reset = error.get_ref().and_then(|inner| inner.downcast_ref());
        if let Phase::Negotiating(negotiating) = &self.phase
            && reset.is_some_and(|reset: &StreamReset| reset.0 == code::stream::NEGOTIATION_FAILED)
        {
            let failure = Failure::Refused(negotiating.dialer.proposed().clone());
            let refused = into_io(failure.error());
            self.failed(failure);
            return refused;
        }
        error
    }

    /// What the negotiation has come to, if it failed.
    fn check(&self) -> io::Result<()> {
        match &self.phase {
            Phase::Failed(failure) => Err(into_io(failure.error())),
            Phase::Open | Phase::Negotiating(_) => Ok(()),
        }
    }

    /// Writes to the stream inside, with a context that wakes both sides while both may have to ask it.
    fn poll_inside<R>(
        &mut self,
        cx: &mut Context<'_>,
        call: impl FnOnce(Pin<&mut dyn MuxedStream>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let stream = Pin::new(&mut *self.stream);
        let result = match &self.phase {
            Phase::Negotiating(negotiating) => {
                let waker = negotiating.wakers.register(Side::Write, cx);
                let polled = call(stream, &mut Context::from_waker(&waker));
                negotiating.wakers.keep(Side::Write, &polled);
                polled
            }
            Phase::Open | Phase::Failed(_) => call(stream, cx),
        };
        result.map_err(|error| self.explain(error))
    }
}

impl Failure {
    fn error(&self) -> NegotiationError {
        match self {
            Self::Refused(protocol) => NegotiationError::Unsupported(vec![protocol.clone()]),
            Self::Violation(violation) => (*violation).into(),
            Self::Ended => NegotiationError::Ended,
            Self::TimedOut(timeout) => NegotiationError::Timeout(*timeout),
        }
    }
}

impl fmt::Debug for LazyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match &self.phase {
            Phase::Negotiating(_) => "negotiating",
            Phase::Open => "open",
            Phase::Failed(_) => "failed",
        };
        f.debug_struct("LazyStream")
            .field("id", &self.stream.id())
            .field("phase", &phase)
            .finish()
    }
}

/// The proposal with the first of the data behind it.
pub(crate) fn join(proposal: &[u8], data: &[IoSlice<'_>]) -> Bytes {
    let joining: usize = data.iter().map(|slice| slice.len()).sum();
    let end = proposal.len() + joining.min(FIRST_FLIGHT);
    let mut flight = BytesMut::with_capacity(end);
    flight.extend_from_slice(proposal);
    for slice in data {
        let room = end - flight.len();
        flight.extend_from_slice(&slice[..slice.len().min(room)]);
    }
    flight.freeze()
}
