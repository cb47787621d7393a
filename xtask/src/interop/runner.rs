//! Runs the tests, several at a time, and says on stderr how each ended.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    fs,
    num::NonZero,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use super::{cases::Case, known::Known, peers::Places, setup::Absent, steps};

/// How one test ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed(String),
    /// Not as it should, by a known bug of the peer.
    Known,
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
    /// Runs each test `repeat` times, `jobs` tests at a time, and returns them in their order.
    pub(crate) fn run<'a>(
        &self,
        cases: &[Case<'a>],
        jobs: Option<NonZero<usize>>,
        repeat: NonZero<usize>,
    ) -> Vec<Done<'a>> {
        let jobs = jobs
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZero::get);
        let all: Vec<Case<'a>> = cases
            .iter()
            .flat_map(|case| vec![case.clone(); repeat.get()])
            .collect();
        let total = all.len();
        let waiting: Mutex<VecDeque<_>> = Mutex::new(all.into_iter().enumerate().collect());
        let done = Mutex::new(BTreeMap::new());
        thread::scope(|scope| {
            for _ in 0..jobs.min(total) {
                scope.spawn(|| {
                    while let Some((number, case)) = next(&waiting) {
                        let finished = self.run_one(case, number);
                        let mut done = lock(&done);
                        done.insert(number, finished);
                        announce(&done[&number], done.len(), total);
                    }
                });
            }
        });
        done.into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .into_values()
            .collect()
    }

    fn run_one<'a>(&self, case: Case<'a>, number: usize) -> Done<'a> {
        let started = Instant::now();
        let outcome = match self.reason_to_skip(&case) {
            Some(reason) => Outcome::Skipped(reason),
            None => self.outcome(&case, number),
        };
        Done {
            case,
            outcome,
            took: started.elapsed(),
        }
    }

    fn reason_to_skip(&self, case: &Case<'_>) -> Option<String> {
        let absent = |id| self.absent.get(id).map(|error| format!("{id}: {}", chain(error)));
        absent(&case.dialer.id).or_else(|| absent(&case.listener.id))
    }

    fn outcome(&self, case: &Case<'_>, number: usize) -> Outcome {
        let folder = self
            .places
            .logs()
            .join(format!("{number:03} {}", case.id().replace(['(', ')', ','], "")));
        let result = steps::run(case, self.places, &folder);
        let known = self.known.reason(case).is_some();
        match result {
            Ok(()) => {
                let _ = fs::remove_dir_all(&folder);
                if known { Outcome::Surprise } else { Outcome::Passed }
            }
            Err(_) if known => Outcome::Known,
            Err(error) => Outcome::Failed(chain(&error)),
        }
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
        Outcome::Known => ("known", "a bug of the peer (interop/known.toml)"),
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
