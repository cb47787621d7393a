//! The machine behind its lock, and whom to wake when it was touched.

use crate::{
    buffers::Gauge,
    machine::{End, Fault, Machine, Refused, StreamError, Unread},
};
use sinew_core::{CloseReason, MuxError, ResourceScope, StreamAbandoned, StreamClosed, StreamReset};
use sinew_machine::Instant;
use sinew_runtime::{now, wake_later};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::Waker,
};

/// What the handle, the streams and the driver of a connection share.
pub(crate) struct Shared<M> {
    state: Mutex<State<M>>,
}

pub(crate) struct State<M> {
    pub(crate) machine: M,
    noted: Noted,
    /// The driver, while it sleeps.
    pub(crate) driver: Option<Waker>,
    /// The driver sleeps although bytes may wait in the socket.
    pub(crate) paused: bool,
    /// The driver sleeps with bytes that the socket does not take: the socket will wake it.
    pub(crate) blocked: bool,
    /// Something is due before the driver's deadline.
    pub(crate) hurries: bool,
    /// The deadline that the driver sleeps with.
    pub(crate) sleeps_until: Option<Instant>,
    /// Why the bytes below ended.
    pub(crate) lost: Option<Arc<io::Error>>,
    /// The driver is done.
    pub(crate) done: bool,
    watchers: BTreeMap<u64, Waker>,
    watchers_so_far: u64,
}

impl<M: Machine> Shared<M> {
    /// `lent` counts what is held of the buffers that were read into.
    pub(crate) fn new(machine: M, scope: Arc<dyn ResourceScope>, lent: Gauge) -> Arc<Self> {
        let state = State {
            machine,
            noted: Noted { scope, lent, held: 0 },
            driver: None,
            paused: false,
            blocked: false,
            hurries: false,
            sleeps_until: None,
            lost: None,
            done: false,
            watchers: BTreeMap::new(),
            watchers_so_far: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// The state, whatever became of others who held it: the machine is consistent between its calls.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the machine, then wakes whoever has to know. One wake-up of the driver serves
    /// everything that happens until it runs; where several streams have something to say, it runs after them.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut State<M>) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state);
        state.note_unread(false);
        let mut woken = Vec::new();
        state.machine.take_woken(&mut woken);
        let driver = state.wants_driver().then(|| state.driver.take()).flatten();
        let gathers = !state.is_urgent() && state.machine.has_several();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        match driver {
            Some(driver) if gathers => wake_later(&driver),
            Some(driver) => driver.wake(),
            None => {}
        }
        result
    }
}

impl<M: Machine> State<M> {
    /// Notes in the scope what the remote makes us hold, if that has changed or it is time to ask `again`, and tells the
    /// machine how much may lie unread.
    pub(crate) fn note_unread(&mut self, again: bool) {
        if let Some(share) = self.noted.note(self.machine.unread(), again) {
            self.machine.allow_unread(now(), share);
        }
    }

    /// Whether the socket is not read because of what lies unread.
    pub(crate) fn is_full(&self) -> bool {
        !self.machine.wants_read() && self.machine.unread().total > 0
    }

    /// Lets `waker` wait for the end of the driver, under the ticket that it has or a new one.
    pub(crate) fn watch(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        let ticket = *ticket.get_or_insert_with(|| {
            self.watchers_so_far += 1;
            self.watchers_so_far
        });
        self.watchers.insert(ticket, waker.clone());
    }

    /// Lets one of those who wait for the end go.
    pub(crate) fn unwatch(&mut self, ticket: u64) {
        self.watchers.remove(&ticket);
    }

    /// The driver is done; those who waited for that.
    pub(crate) fn finish(&mut self) -> impl Iterator<Item = Waker> + use<M> {
        self.done = true;
        std::mem::take(&mut self.watchers).into_values()
    }

    /// Nobody holds stream `id` any more. Something may be due earlier than the driver knows.
    pub(crate) fn release(&mut self, id: M::Id) {
        self.machine.release(now(), id);
        let next = self.machine.deadline();
        self.hurries = next.is_some_and(|next| self.sleeps_until.is_none_or(|until| next < until));
    }

    fn wants_driver(&self) -> bool {
        (self.machine.wants_transmit() && !self.blocked) || self.is_urgent()
    }

    /// Whether the driver has to do something else than to send.
    fn is_urgent(&self) -> bool {
        self.machine.end().is_some() || self.hurries || (self.paused && self.machine.wants_read())
    }

    pub(crate) fn reason(&self, end: End<M::Fault>) -> CloseReason {
        match end {
            End::Closed(code) => CloseReason::Local(code),
            End::Remote(code) => CloseReason::Remote(code),
            End::Fault(fault) => fault.reason(),
            End::Lost => {
                let unknown = || Arc::new(io::ErrorKind::UnexpectedEof.into());
                CloseReason::Lost(self.lost.clone().unwrap_or_else(unknown))
            }
        }
    }

    pub(crate) fn stream_error(&self, error: StreamError<M::Fault>) -> io::Error {
        match error {
            StreamError::Reset(code) => StreamReset(code).into(),
            StreamError::Abandoned(code) => StreamAbandoned(code).into(),
            StreamError::Ended(end) => StreamClosed(self.reason(end)).into(),
            StreamError::Finished => io::ErrorKind::BrokenPipe.into(),
        }
    }

    pub(crate) fn refused(&self, refused: Refused<M::Fault>) -> MuxError {
        match refused {
            Refused::Ended(end) => MuxError::Closed(self.reason(end)),
            Refused::Exhausted => MuxError::Exhausted,
        }
    }
}

/// What the remote makes us hold, as the connection's scope was last told. In the end it is nothing.
struct Noted {
    scope: Arc<dyn ResourceScope>,
    /// What is held of the buffers that were read into: by streams, by their users, and by what is on its way out.
    lent: Gauge,
    held: usize,
}

impl Noted {
    /// Notes what is held and was not reserved before: payload, and of the buffers what is not payload that lies in them.
    /// Says how much payload may beside the buffers.
    fn note(&mut self, unread: Unread, again: bool) -> Option<usize> {
        let buffers = self.lent.load(Ordering::Relaxed).saturating_sub(unread.shared);
        let held = unread.uncovered + buffers;
        if held == self.held && !again {
            return None;
        }
        self.held = held;
        let share = usize::try_from(self.scope.note_unread(held as u64)).unwrap_or(usize::MAX);
        // A connection whose users hold all of its share is read from whenever nothing lies unread.
        Some(share.saturating_sub(buffers).max(1))
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.scope.note_unread(0);
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn the_shell_adds_little_to_a_machine() {
        assert!(size_of::<State<[u64; 100]>>() <= 800 + 128);
    }
}
