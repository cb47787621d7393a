//! The one task of a connection: it moves bytes between the socket and the machine.
//!
//! A poll goes a few rounds: what arrived goes into the machine, what the machine has gathered is written, more is
//! read. The lock is held for the machine's part of a round only. When nothing moves the driver leaves its waker
//! and sleeps.

use crate::{
    buffers::Buffers,
    machine::{End, Machine},
    output::Output,
    shared::{Shared, State},
};
use bytes::Bytes;
use sinew_core::{BoxedIo, CloseReason};
use sinew_machine::Instant;
use sinew_runtime::{Timer, now};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes gathered for one flush: eight quarters of the largest messages of Noise, which is what frames are made of, or two
/// whole ones.
const BATCH: usize = 8 * (65_519 / 4);

/// Rounds of reading and writing in one poll, before others get a turn: about half a MiB each way.
const ROUNDS: usize = 4;

/// Buffers are given back when nothing has moved for this long.
const IDLE: Duration = Duration::from_secs(1);

/// Read buffers that may be held beyond twice what lies unread in them before the unread bytes are copied out.
const PINNED: usize = 1 << 20;

/// How often a connection that may not be read asks whether more may lie unread, for others have read meanwhile, and copies
/// what lies unread here out of its buffers.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Moves the bytes of one connection until it ends.
pub(crate) struct Driver<M: Machine> {
    io: BoxedIo,
    shared: Arc<Shared<M>>,
    buffers: Buffers,
    output: Output,
    woken: Vec<Waker>,
    timer: Timer,
    armed: Option<Instant>,
    /// When buffers were last found to be held.
    busy_at: Option<Instant>,
    /// Held buffers that are no reason to compact again.
    pinned: usize,
    /// When it was last compacted because it may not be read.
    compacted_at: Option<Instant>,
    /// The socket had nothing more in this poll, and will wake us.
    drained: bool,
    /// The machine did not want the socket read in the last round, and so the socket will not wake us.
    held_back: bool,
    /// Nothing will ever arrive again.
    deaf: bool,
    shut: bool,
}

/// What one round found.
#[derive(Default)]
struct Round {
    arrived: Option<Bytes>,
    written: usize,
    failed: Option<io::Error>,
    /// It was the way out that failed.
    broken: bool,
}

impl Round {
    fn moved(&self) -> bool {
        self.arrived.is_some() || self.written > 0 || self.failed.is_some()
    }
}

/// What the machine wants from the next round.
#[derive(Clone, Copy)]
struct Wants<F> {
    reads: bool,
    end: Option<End<F>>,
    finished: bool,
}

impl<M: Machine> Driver<M> {
    pub(crate) fn new(io: BoxedIo, shared: Arc<Shared<M>>, buffers: Buffers) -> Self {
        Self {
            io,
            shared,
            buffers,
            output: Output::default(),
            woken: Vec::new(),
            timer: Timer::new(),
            armed: None,
            busy_at: None,
            pinned: PINNED,
            compacted_at: None,
            drained: false,
            held_back: false,
            deaf: false,
            shut: false,
        }
    }

    /// Tells the machine what one round found, and takes what it wants to send.
    fn turn(&mut self, round: Round, due: bool) -> Wants<M::Fault> {
        let Self {
            shared,
            output,
            buffers,
            ..
        } = self;
        let mut state = shared.lock();
        state.driver = None;
        let at = now();
        let machine = &mut state.machine;
        machine.written(round.written);
        if let Some(arrived) = round.arrived {
            machine.receive(at, arrived);
            if buffers.held() > 2 * machine.unread().total + self.pinned {
                machine.compact();
                self.pinned = buffers.held() + PINNED;
            }
        }
        state.note_unread(due);
        if due {
            state.machine.handle_timeout(at);
            state.note_unread(false);
        }
        if let Some(error) = round.failed {
            state.machine.lost();
            if round.broken {
                state.machine.give_up();
            }
            state.lost.get_or_insert(Arc::new(error));
        }
        let machine = &mut state.machine;
        if output.is_empty() {
            machine.transmit(at, BATCH, &mut output.batch);
        }
        machine.take_woken(&mut self.woken);
        let (reads, end, finished) = (machine.wants_read(), machine.end(), machine.is_finished());
        drop(state);
        self.woken.drain(..).for_each(Waker::wake);
        Wants { reads, end, finished }
    }

    /// One round of writing and reading.
    fn exchange(&mut self, cx: &mut Context<'_>, wants: Wants<M::Fault>) -> Round {
        let (written, result) = self.output.poll(&mut self.io, cx);
        let mut round = Round {
            written,
            broken: result.is_err(),
            failed: result.err(),
            ..Round::default()
        };
        // What arrives while we say goodbye is taken and dropped, so that the goodbye is not cut.
        let reads = wants.reads || matches!(wants.end, Some(End::Closed(_)));
        self.held_back = !reads;
        if reads && !self.drained && !self.deaf {
            match self.read(cx) {
                Poll::Ready(Ok(Some(arrived))) => round.arrived = Some(arrived),
                Poll::Ready(Ok(None)) => _ = round.failed.get_or_insert(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(Err(error)) => _ = round.failed.get_or_insert(error),
                Poll::Pending => {}
            }
            self.deaf = round.failed.is_some();
        }
        round
    }

    /// Fills one buffer as far as there is something to fill it with.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let Self {
            io, buffers, drained, ..
        } = self;
        *drained = false;
        let filled = buffers.fill(|room| {
            let mut room = ReadBuf::new(room);
            while room.remaining() > 0 {
                let before = room.filled().len();
                match Pin::new(&mut *io).poll_read(cx, &mut room) {
                    Poll::Ready(Ok(())) if room.filled().len() > before => {}
                    Poll::Ready(Err(error)) if before == 0 => return Err(error),
                    // An end or an error behind bytes comes again with the next read.
                    Poll::Ready(_) => break,
                    Poll::Pending => {
                        *drained = true;
                        break;
                    }
                }
            }
            Ok(room.filled().len())
        });
        match filled {
            Ok(None) if self.drained => Poll::Pending,
            filled => Poll::Ready(filled),
        }
    }

    /// Leaves the waker and sets the timer. `false`: there is something to do at once.
    fn sleep(&mut self, cx: &mut Context<'_>) -> bool {
        let mut state = self.shared.lock();
        let at = now();
        if state.is_full() && self.compacted_at.is_none_or(|last| at >= last + ASK_AGAIN) {
            // What lies here for long takes no more memory than it has bytes. Not at every turn: it goes through all streams.
            self.compacted_at = Some(at);
            state.machine.compact();
            self.buffers.clear();
            self.pinned = self.buffers.held() + PINNED;
            state.paused = true;
            state.note_unread(true);
        }
        let full = state.is_full();
        let State {
            machine,
            driver,
            paused,
            blocked,
            hurries,
            sleeps_until,
            ..
        } = &mut *state;
        // Asking for the next deadline may queue frames whose time has come.
        let again = full.then_some(at + ASK_AGAIN);
        let deadline = [machine.deadline(), again].into_iter().flatten().min();
        let more = machine.wants_transmit() && self.output.is_empty();
        if more || ((*paused || self.held_back) && machine.wants_read()) {
            *paused = false;
            return false;
        }
        if machine.has_starving_writers() {
            // Those who were woken for the room there is do not use it: others may.
            machine.grant_room();
            machine.take_woken(&mut self.woken);
            cx.waker().wake_by_ref();
        }
        *paused = !machine.wants_read();
        *blocked = !self.output.is_empty();
        *driver = Some(cx.waker().clone());
        (*hurries, *sleeps_until) = (false, deadline);
        drop(state);
        self.woken.drain(..).for_each(Waker::wake);
        self.buffers.rest();
        self.busy_at = self.buffers.is_grown().then_some(at);
        self.arm(cx, deadline)
    }

    /// Sets the timer no later than `deadline` and the time to give buffers back. Early is harmless and spares
    /// moving it.
    fn arm(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> bool {
        let idle = self.busy_at.map(|at| at + IDLE);
        let wanted = [deadline, idle].into_iter().flatten().min();
        if let Some(wanted) = wanted
            && self.armed.is_none_or(|armed| wanted < armed)
        {
            self.armed = Some(wanted);
        }
        self.timer.poll(cx, self.armed).is_pending()
    }

    /// Whether the timer has come. An idle connection then gives its buffers back.
    fn is_due(&mut self) -> bool {
        let at = now();
        if self.armed.is_none_or(|armed| armed > at) {
            return false;
        }
        self.armed = None;
        if self.busy_at.is_some_and(|busy| at >= busy + IDLE) {
            self.busy_at = None;
            self.buffers.clear();
            self.pinned = PINNED;
            self.output.shrink();
            self.woken = Vec::new();
            self.shared.lock().machine.shrink();
        }
        true
    }

    /// The way out after the goodbye: close our direction, and wait until the remote has closed its own, so that
    /// nothing of what is under way is lost.
    fn leave(&mut self, cx: &mut Context<'_>, end: End<M::Fault>) -> Poll<CloseReason> {
        let deadline = {
            let mut state = self.shared.lock();
            if self.is_past(&mut state) || matches!(end, End::Lost) {
                drop(state);
                return Poll::Ready(self.done(end));
            }
            state.machine.deadline()
        };
        if !self.shut {
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(self.done(end)),
                Poll::Pending => {}
            }
        }
        let drains = matches!(end, End::Closed(_));
        if self.shut && !drains {
            return Poll::Ready(self.done(end));
        }
        for _ in 0..ROUNDS {
            match if drains { self.read(cx) } else { Poll::Pending } {
                Poll::Ready(Ok(Some(_))) => {}
                Poll::Ready(_) if self.shut => return Poll::Ready(self.done(end)),
                Poll::Ready(_) | Poll::Pending => {
                    self.armed = deadline;
                    let _ = self.timer.poll(cx, deadline);
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_past(&self, state: &mut State<M>) -> bool {
        state.machine.handle_timeout(now());
        state.machine.is_expired()
    }

    fn done(&mut self, end: End<M::Fault>) -> CloseReason {
        let mut state = self.shared.lock();
        let reason = state.reason(end);
        let watchers = state.finish();
        state.machine.take_woken(&mut self.woken);
        drop(state);
        tracing::debug!(%reason, "connection ended");
        self.woken.drain(..).chain(watchers).for_each(Waker::wake);
        reason
    }
}

impl<M: Machine> Future for Driver<M> {
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = &mut *self;
        this.drained = false;
        let mut due = this.is_due();
        let mut round = Round::default();
        for _ in 0..ROUNDS {
            let wants = this.turn(std::mem::take(&mut round), std::mem::take(&mut due));
            if let Some(end) = wants.end.filter(|_| wants.finished) {
                return this.leave(cx, end);
            }
            round = this.exchange(cx, wants);
            if !round.moved() && this.sleep(cx) {
                return Poll::Pending;
            }
        }
        this.turn(round, due);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<M: Machine> Drop for Driver<M> {
    /// Whoever polled the driver gave it up: the connection is over for everybody who uses it.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if !state.done {
            state
                .lost
                .get_or_insert_with(|| Arc::new(io::ErrorKind::ConnectionAborted.into()));
            state.machine.lost();
            let end = state.machine.end().unwrap_or(End::Lost);
            drop(state);
            self.done(end);
        }
    }
}

#[cfg(test)]
mod tests;
