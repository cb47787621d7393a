//! Runs the tests, several at a time, and says on stderr how each ended.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    num::NonZero,
    path::PathBuf,
    sync::Mutex,
    thread::{self, Scope},
    time::{Duration, Instant},
};

use super::{
    batch::{Batch, Running, Turn, batches},
    cases::Case,
    known::Known,
    peers::Places,
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
        let total = cases.len() * repeat.get();
        let waiting = Mutex::new(batches(cases, repeat));
        let done = Mutex::new(BTreeMap::new());
        let finish = |number, finished| {
            let mut done = lock(&done);
            done.insert(number, finished);
            announce(&done[&number], done.len(), total);
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
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .into_values()
            .collect()
    }

    /// Runs the tests of a batch in the same processes; after a failure, and for a known bug, in fresh ones. A test that
    /// fails in processes that served others is run again in fresh ones, and that counts.
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
                let outcome = match self.reason_to_skip(&case) {
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

    fn reason_to_skip(&self, case: &Case<'_>) -> Option<String> {
        let absent = |id| self.absent.get(id).map(|error| format!("{id}: {}", chain(error)));
        absent(&case.dialer.id).or_else(|| absent(&case.listener.id))
    }

    fn outcome<'a, 'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        running: &mut Option<Running<'a>>,
        mut turn: Turn<'_, 'a>,
    ) -> Outcome {
        let bug = self.known.bug(turn.case);
        // What a known bug leaves behind must not meet another test.
        let mut own = None;
        let running = if bug.is_some() { &mut own } else { running };
        turn.is_last |= bug.is_some();
        let shared = running.is_some();
        let ready = match running.take() {
            Some(running) => Ok(running),
            None => Running::start(scope, &turn, self.places),
        };
        let result = ready.and_then(|running| running.run_test(&turn));
        match (result, bug) {
            (Ok(left), None) => {
                *running = left;
                Outcome::Passed
            }
            (Ok(_), Some(bug)) if bug.sometimes => Outcome::Passed,
            (Ok(_), Some(_)) => Outcome::Surprise,
            (Err(_), Some(bug)) => Outcome::Known(bug.reason.clone()),
            // Earlier tests may have left something behind in these processes; a test is judged by fresh ones.
            (Err(error), None) if shared => {
                eprintln!("again in fresh processes: {}: {}", turn.case.id(), chain(&error));
                self.outcome(scope, running, turn)
            }
            (Err(error), None) => Outcome::Failed(chain(&error)),
        }
    }

    fn logs(&self, case: &Case<'_>, number: usize) -> PathBuf {
        let id = case.id().replace(['(', ')', ','], "");
        self.places.logs().join(format!("{number:03} {id}"))
    }
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

fn announce(done: &Done<'_>, count: usize, total: usize) {
    let (word, detail) = match &done.outcome {
        Outcome::Passed => ("ok", ""),
        Outcome::Failed(error) => ("FAILED", error.as_str()),
        Outcome::Known(_) => ("known", "a bug of the peer (interop/known.toml)"),
        Outcome::Surprise => ("SURPRISE", "passed in spite of interop/known.toml"),
        Outcome::Skipped(reason) => ("skipped", reason.as_str()),
    };
    let seconds = done.took.as_secs_f64();
    eprintln!(
        "[{count}/{total}] {word:8} {} in {seconds:.1} s  {detail}",
        done.case.id()
    );
}

/// The next waiting test; a function of its own, so that the lock is not held while the test runs.
fn next<T>(waiting: &Mutex<VecDeque<T>>) -> Option<T> {
    lock(waiting).pop_front()
}

/// A panic in another test's thread is no reason to lose the results of this one.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
