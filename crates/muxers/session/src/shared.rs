//! The machine behind its lock, and whom to wake when it was touched.

use crate::{
    Abandoned,
    machine::{End, Fault, Machine, Refused, StreamError},
};
use sinew_core::{CloseReason, MuxError, StreamClosed, StreamReset};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// What the handle, the streams and the driver of a connection share.
pub(crate) struct Shared<M> {
    state: Mutex<State<M>>,
}

pub(crate) struct State<M> {
    pub(crate) machine: M,
    /// The driver, while it sleeps.
    pub(crate) driver: Option<Waker>,
    /// The driver sleeps although bytes may wait in the socket.
    pub(crate) paused: bool,
    /// Why the bytes below ended.
    pub(crate) lost: Option<Arc<io::Error>>,
    /// The driver is done.
    pub(crate) done: bool,
    pub(crate) watchers: Vec<Waker>,
}

impl<M: Machine> Shared<M> {
    pub(crate) fn new(machine: M) -> Arc<Self> {
        let state = State {
            machine,
            driver: None,
            paused: false,
            lost: None,
            done: false,
            watchers: Vec::new(),
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
    /// everything that happens until it runs.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut State<M>) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state);
        let mut woken = Vec::new();
        state.machine.take_woken(&mut woken);
        let driver = if state.wants_driver() {
            state.driver.take()
        } else {
            None
        };
        drop(state);
        woken.into_iter().chain(driver).for_each(Waker::wake);
        result
    }
}

impl<M: Machine> State<M> {
    fn wants_driver(&self) -> bool {
        let machine = &self.machine;
        machine.wants_transmit() || machine.end().is_some() || (self.paused && machine.wants_read())
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
            StreamError::Abandoned(code) => Abandoned(code).into(),
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

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn the_shell_adds_little_to_a_machine() {
        assert!(size_of::<State<[u64; 100]>>() <= 800 + 96);
    }
}
