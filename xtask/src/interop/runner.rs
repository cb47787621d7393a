//! Runs the tests, several at a time, and says on stderr how each ended.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    cases::Case,
    contract,
    known::Known,
    node::StepError,
    pair::Pair,
    peers::Places,
    progress::Progress,
    results::Record,
    rows::{Run, Steps},
    setup::Absent,
};
use crate::causes::chain;

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
    /// Runs each test `repeat` times, `jobs` at a time, and returns them in their order.
    pub(crate) fn run<'a>(
        &self,
        cases: &[Case<'a>],
        jobs: Option<NonZero<usize>>,
        repeat: NonZero<usize>,
    ) -> Vec<Done<'a>> {
        let jobs = jobs
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZero::get);
        let repeated = cases
            .iter()
            .flat_map(|case| std::iter::repeat_n(case, repeat.get()));
        let waiting = Mutex::new(repeated.cloned().enumerate().collect());
        let done = Mutex::new(BTreeMap::new());
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some((number, case)) = next(&waiting) {
                        let finished = self.run_one(number, case);
                        let record = Record::of(&finished);
                        lock(&done).insert(number, finished);
                        self.progress.tell(&record);
                    }
                });
            }
        });
        done.into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .into_values()
            .collect()
    }

    fn run_one<'a>(&self, number: usize, case: Case<'a>) -> Done<'a> {
        let started = Instant::now();
        let outcome = match reason_to_skip(&case, self.absent) {
            Some(reason) => Outcome::Skipped(reason),
            None => self.outcome(&case, &self.logs(&case, number)),
        };
        Done {
            case,
            outcome,
            took: started.elapsed(),
        }
    }

    fn outcome(&self, case: &Case<'_>, logs: &Path) -> Outcome {
        let result = match case.test.run {
            Run::Contract(kind) => {
                contract::run(kind, case, self.places, self.redis, logs).map_err(|error| chain(&error))
            }
            Run::LegacyPerf => {
                contract::command_line::run(case, self.places, logs).map_err(|error| chain(&error))
            }
            Run::Gossipsub(scenario) => {
                contract::gossipsub::run(scenario, case, self.places, logs).map_err(|error| chain(&error))
            }
            Run::Control(steps) => self.run_steps(steps, case, logs).map_err(|error| chain(&error)),
        };
        match (result, self.known.bug(case)) {
            (Ok(()), Some(bug)) if !bug.sometimes => Outcome::Surprise,
            (Ok(()), _) => Outcome::Passed,
            (Err(_), Some(bug)) => Outcome::Known(bug.reason.clone()),
            (Err(error), None) => Outcome::Failed(error),
        }
    }

    /// Runs a test in processes of its own: what one leaves behind must not meet another.
    fn run_steps(&self, steps: Steps, case: &Case<'_>, logs: &Path) -> Result<(), StepError> {
        thread::scope(|scope| {
            let mut pair = Pair::start(scope, case, self.places, logs)?;
            steps(&mut pair)?;
            if pair.is_over() {
                return Ok(());
            }
            pair.stop()
        })?;
        // Logs that stay do no harm.
        let _ = fs::remove_dir_all(logs);
        Ok(())
    }

    fn logs(&self, case: &Case<'_>, number: usize) -> PathBuf {
        let id = case.id().replace(['(', ')', ','], "");
        self.places.logs().join(format!("{number:03} {id}"))
    }
}

/// Why a test cannot be run: a side that is absent, or what this machine lacks.
pub(super) fn reason_to_skip(case: &Case<'_>, absent: &Absent) -> Option<String> {
    let reason = |id: &str| absent.get(id).map(|error| format!("{id}: {}", chain(error)));
    let of_peers = case.peers().find_map(|peer| reason(&peer.id));
    of_peers.or_else(|| case.test.lacks())
}

/// The next waiting test; a function of its own, so that the lock is not held while the test runs.
fn next<T>(waiting: &Mutex<VecDeque<T>>) -> Option<T> {
    lock(waiting).pop_front()
}

/// A panic in another test's thread is no reason to lose the results of this one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
