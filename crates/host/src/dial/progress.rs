//! What became of each address of a dial so far, shared by all who wait for it.

use sinew_core::{Attempt, AttemptError};
use sinew_machine::Instant;
use sinew_runtime::now;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The attempts of one dial. Clones are the same dial.
#[derive(Clone)]
pub(super) struct Progress {
    begun: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
}

struct Step {
    attempt: Attempt,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running(Instant),
    Ended,
    /// The addresses behind its name stand for it.
    Replaced,
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

    /// An address that waits for its turn, or that was refused. The number is for the other calls.
    pub(super) fn add(&self, attempt: Attempt) -> usize {
        let mut steps = self.lock();
        let state = match attempt.outcome {
            Ok(()) => State::Waiting,
            Err(_) => State::Ended,
        };
        steps.push(Step { attempt, state });
        steps.len() - 1
    }

    /// How long the dial has gone on.
    pub(super) fn elapsed(&self) -> Duration {
        now() - self.begun
    }

    /// An address is started.
    pub(super) fn start(&self, index: usize) {
        let step = &mut self.lock()[index];
        step.state = State::Running(now());
        step.attempt.started = Some(self.elapsed());
    }

    /// An address came to something.
    pub(super) fn end(&self, index: usize, outcome: Result<(), AttemptError>) {
        self.lock()[index].end(outcome);
    }

    /// The names of an address were resolved: what they stand for is listed from here on.
    pub(super) fn replace(&self, index: usize) {
        self.lock()[index].state = State::Replaced;
    }

    /// Whatever has not ended is given up: another address was quicker. Gives those that were under way.
    pub(super) fn supersede(&self) -> Vec<usize> {
        let mut under_way = Vec::new();
        for (index, step) in self.lock().iter_mut().enumerate() {
            if matches!(step.state, State::Running(_)) {
                under_way.push(index);
            }
            if matches!(step.state, State::Waiting | State::Running(_)) {
                step.end(Err(AttemptError::Superseded));
            }
        }
        under_way
    }

    /// Everything so far; what has not ended has run out of time.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        let steps = self.lock();
        let listed = steps.iter().filter(|step| step.state != State::Replaced);
        listed.map(Step::told).collect()
    }
}

impl Step {
    fn end(&mut self, outcome: Result<(), AttemptError>) {
        if let State::Running(since) = self.state {
            self.attempt.took = now() - since;
        }
        self.state = State::Ended;
        self.attempt.outcome = outcome.map_err(Arc::new);
    }

    fn told(&self) -> Attempt {
        let mut told = Self {
            attempt: self.attempt.clone(),
            state: self.state,
        };
        match self.state {
            State::Waiting => told.end(Err(AttemptError::NotStarted)),
            State::Running(since) => told.end(Err(AttemptError::Timeout(now() - since))),
            State::Ended | State::Replaced => {}
        }
        told.attempt
    }
}
