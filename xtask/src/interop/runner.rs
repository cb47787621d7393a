//! Runs the tests, several at a time, and says on stderr how each ended.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    num::NonZero,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, Scope},
    time::{Duration, Instant},
};

use super::{
    batch::{Batch, Running, Turn, batches},
    cases::Case,
    contract,
    known::Known,
    node::StepError,
    peers::Places,
    progress::Progress,
    results::Record,
    rows::{Run, Steps},
    setup::Absent,
};

/// How one test ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed(String),
    /// Not as it should, by a known bug of the peer: what is wrong with it.
    Known(String),
    /// A known bug of the peer did not show.
    Surprise,
    /// Not run, for this reason.
    Skipped(String),
}

/// One finished test.
#[derive(Debug)]
pub(crate) struct Done<'a> {
    pub(crate) case: Case<'a>,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// What the tests need.
pub(crate) struct Runner<'a> {
    pub(crate) places: &'a Places,
    pub(crate) known: &'a Known,
    pub(crate) absent: &'a Absent,
    /// A redis to use for the contracts of the official suites, rather than one of ours for each test.
    pub(crate) redis: Option<&'a str>,
    pub(crate) progress: Progress,
}

impl Runner<'_> {
    /// Runs each test `repeat` times, `jobs` batches at a time, and returns them in their order.
    pub(crate) fn run<'a>(
        &self,
        cases: &[Case<'a>],
        jobs: Option<NonZero<usize>>,
        repeat: NonZero<usize>,
    ) -> Vec<Done<'a>> {
        let jobs = jobs
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZero::get);
        let waiting = Mutex::new(batches(cases, repeat));
        let done = Mutex::new(BTreeMap::new());
        let finish = |number, finished: Done<'a>| {
            let record = Record::of(&finished);
            lock(&done).insert(number, finished);
            self.progress.tell(&record);
        };
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(batch) = next(&waiting) {
                        self.run_batch(batch, &finish);
                    }
                });
            }
        });
        done.into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .into_values()
            .collect()
    }

    fn run_batch<'a>(&self, batch: Batch<'a>, finish: &dyn Fn(usize, Done<'a>)) {
        thread::scope(|scope| {
            let mut running = None;
            let mut cases = batch.cases.into_iter().zip(batch.first..).peekable();
            while let Some((case, number)) = cases.next() {
                let started = Instant::now();
                let turn = Turn {
                    case: &case,
                    logs: self.logs(&case, number),
                    is_last: cases.peek().is_none(),
                };
                let outcome = match reason_to_skip(&case, self.absent) {
                    Some(reason) => Outcome::Skipped(reason),
                    None => self.outcome(scope, &mut running, turn),
                };
                let took = started.elapsed();
                finish(number, Done { case, outcome, took });
            }
            if let Some(running) = running {
                running.discard();
            }
        });
    }

    fn outcome<'a, 'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        running: &mut Option<Running<'a>>,
        turn: Turn<'_, 'a>,
    ) -> Outcome {
        let bug = self.known.bug(turn.case);
        let result = match turn.case.test.run {
            Run::Contract(kind) => contract::run(kind, turn.case, self.places, self.redis, &turn.logs)
                .map_err(|error| chain(&error)),
            Run::LegacyPerf => contract::command_line::run(turn.case, self.places, &turn.logs)
                .map_err(|error| chain(&error)),
            // What a known bug leaves behind must not meet another test.
            Run::Control(steps) if bug.is_some() => {
                let turn = Turn {
                    is_last: true,
                    ..turn
                };
                let fresh = self.in_processes(scope, &mut None, steps, &turn);
                fresh.map_err(|error| chain(&error))
            }
            Run::Control(steps) => self.in_shared_processes(scope, running, steps, &turn),
        };
        match (result, bug) {
            (Ok(()), Some(bug)) if !bug.sometimes => Outcome::Surprise,
            (Ok(()), _) => Outcome::Passed,
            (Err(_), Some(bug)) => Outcome::Known(bug.reason.clone()),
            (Err(error), None) => Outcome::Failed(error),
        }
    }

    /// Runs a test in processes that may have served others. If it fails there it is run again in fresh ones, and that
    /// counts: earlier tests may have left something behind.
    fn in_shared_processes<'a, 'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        running: &mut Option<Running<'a>>,
        steps: Steps,
        turn: &Turn<'_, 'a>,
    ) -> Result<(), String> {
        let shared = running.is_some();
        let mut result = self.in_processes(scope, running, steps, turn);
        if let (Err(error), true) = (&result, shared) {
            self.progress.say(&format!(
                "again in fresh processes: {}: {}",
                turn.case.id(),
                chain(error)
            ));
            result = self.in_processes(scope, running, steps, turn);
        }
        result.map_err(|error| chain(&error))
    }

    /// Runs a test in these processes, or in fresh ones where there are none, and leaves those that can be used on.
    fn in_processes<'a, 'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        running: &mut Option<Running<'a>>,
        steps: Steps,
        turn: &Turn<'_, 'a>,
    ) -> Result<(), StepError> {
        let ready = match running.take() {
            Some(running) => running,
            None => Running::start(scope, turn, self.places)?,
        };
        *running = ready.run_test(steps, turn)?;
        Ok(())
    }

    fn logs(&self, case: &Case<'_>, number: usize) -> PathBuf {
        let id = case.id().replace(['(', ')', ','], "");
        self.places.logs().join(format!("{number:03} {id}"))
    }
}

/// Why a test cannot be run: a side that is absent.
pub(super) fn reason_to_skip(case: &Case<'_>, absent: &Absent) -> Option<String> {
    let reason = |id: &str| absent.get(id).map(|error| format!("{id}: {}", chain(error)));
    reason(&case.dialer.id).or_else(|| reason(&case.listener.id))
}

/// An error with everything that caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// The next waiting test; a function of its own, so that the lock is not held while the test runs.
fn next<T>(waiting: &Mutex<VecDeque<T>>) -> Option<T> {
    lock(waiting).pop_front()
}

/// A panic in another test's thread is no reason to lose the results of this one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
