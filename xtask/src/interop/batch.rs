//! Tests that run one after the other in the same two processes, and the logs of these.

use std::{collections::VecDeque, fs, num::NonZero, path::PathBuf, thread::Scope};

use super::{cases::Case, node::StepError, pair::Pair, peers::Places, rows::Steps};

/// Such tests.
pub(super) struct Batch<'a> {
    /// The number of the first among all tests.
    pub(super) first: usize,
    pub(super) cases: Vec<Case<'a>>,
}

/// All tests, `repeat` times, cut where other processes are needed.
pub(super) fn batches<'a>(cases: &[Case<'a>], repeat: NonZero<usize>) -> VecDeque<Batch<'a>> {
    let mut batches = VecDeque::new();
    let mut first = 0;
    for cases in cases.chunk_by(Case::shares_processes) {
        for _ in 0..repeat.get() {
            batches.push_back(Batch {
                first,
                cases: cases.to_vec(),
            });
            first += cases.len();
        }
    }
    batches
}

/// One test's turn in a batch.
pub(super) struct Turn<'t, 'a> {
    pub(super) case: &'t Case<'a>,
    /// Where the logs stay if it fails.
    pub(super) logs: PathBuf,
    /// Whether the processes end with it.
    pub(super) is_last: bool,
}

/// The two processes, and where their logs are.
pub(super) struct Running<'a> {
    pair: Pair<'a>,
    logs: PathBuf,
}

impl<'a> Running<'a> {
    /// Starts them.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        turn: &Turn<'_, 'a>,
        places: &Places,
    ) -> Result<Self, StepError> {
        Ok(Self {
            pair: Pair::start(scope, turn.case, places, &turn.logs)?,
            logs: turn.logs.clone(),
        })
    }

    /// Runs a test in them, and gives them back if they can be used on.
    pub(super) fn run_test(mut self, steps: Steps, turn: &Turn<'_, 'a>) -> Result<Option<Self>, StepError> {
        let result = steps(&mut self.pair).and_then(|()| match self.pair.is_over() {
            false if turn.is_last => self.pair.stop(),
            _ => Ok(()),
        });
        if let Err(error) = result {
            drop(self.pair);
            // Without it the logs only have another name.
            let _ = fs::rename(&self.logs, &turn.logs);
            return Err(error);
        }
        if self.pair.is_over() {
            self.discard();
            return Ok(None);
        }
        Ok(Some(self))
    }

    /// Ends them; nothing failed in them.
    pub(super) fn discard(self) {
        drop(self.pair);
        let _ = fs::remove_dir_all(&self.logs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        interop::{cases, peers},
        workspace,
    };

    #[test]
    fn repeated_tests_have_numbers_of_their_own() {
        let peers = peers::load(&Places::new(workspace::root())).unwrap();
        let others = peers.select(&["js".to_owned()]).unwrap();
        let cases = cases::against(peers.ours().unwrap(), &others);
        let repeat = NonZero::new(2).unwrap();
        let batches = batches(&cases, repeat);
        let mut number = 0;
        for batch in &batches {
            assert_eq!(batch.first, number);
            number += batch.cases.len();
        }
        assert_eq!(number, 2 * cases.len());
    }
}
