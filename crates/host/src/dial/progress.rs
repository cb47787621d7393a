//! What became of each address of a dial so far, shared by all who wait for it.

use multiaddr::Multiaddr;
use sinew_core::{Attempt, AttemptError};
use sinew_machine::Instant;
use sinew_runtime::now;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The attempts of one dial. Clones are the same dial.
#[derive(Clone)]
pub(super) struct Progress {
    begun: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
}

struct Step {
    addr: Multiaddr,
    started: Instant,
    done: Option<Attempt>,
    /// The addresses behind its names stand for it.
    replaced: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            begun: now(),
            steps: Arc::default(),
        }
    }
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An address is started; the number is for [`Progress::done`].
    pub(super) fn started(&self, addr: Multiaddr) -> usize {
        let mut steps = self.lock();
        steps.push(Step {
            addr,
            started: now(),
            done: None,
            replaced: false,
        });
        steps.len() - 1
    }

    /// An address came to something.
    pub(super) fn done(&self, index: usize, outcome: Result<(), AttemptError>) {
        let step = &mut self.lock()[index];
        step.done = Some(self.attempt(step, outcome));
    }

    /// The names of an address were resolved: what they stand for is listed from here on.
    pub(super) fn replaced(&self, index: usize) {
        self.lock()[index].replaced = true;
    }

    /// An address failed before it was started.
    pub(super) fn failed(&self, addr: Multiaddr, error: AttemptError) {
        let index = self.started(addr);
        self.done(index, Err(error));
    }

    /// Whatever is not done is given up: another address was quicker.
    pub(super) fn supersede(&self) {
        for step in self
            .lock()
            .iter_mut()
            .filter(|step| step.done.is_none() && !step.replaced)
        {
            step.done = Some(self.attempt(step, Err(AttemptError::Superseded)));
        }
    }

    /// Everything so far; what is not done has run out of time.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        let timed_out = |step: &Step| self.attempt(step, Err(AttemptError::Timeout(now() - step.started)));
        self.lock()
            .iter()
            .filter(|step| !step.replaced)
            .map(|step| step.done.clone().unwrap_or_else(|| timed_out(step)))
            .collect()
    }

    fn attempt(&self, step: &Step, outcome: Result<(), AttemptError>) -> Attempt {
        Attempt::new(
            step.addr.clone(),
            step.started - self.begun,
            now() - step.started,
            outcome,
        )
    }
}
