//! The staggered race of a dial's addresses.

use super::{Key, admit::Candidate, attempt, lock, progress::Progress, slot::Slot};
use crate::{
    entry::Entry,
    machine::{
        plan::{MAX_ADDRS, Planned},
        schedule::Schedule,
    },
    shared::Shared,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use multiaddr::Multiaddr;
use sinew_core::{Attempt, AttemptError, Blame, Culpable, DialStage, Layer};
use sinew_runtime::{now, sleep_until};
use std::{
    future::pending,
    sync::{Arc, Mutex},
};

/// One dial.
pub(super) struct Race {
    shared: Arc<Shared>,
    key: Key,
    progress: Progress,
    schedule: Mutex<Schedule>,
    plan: Vec<Planned>,
}

/// A candidate in the race, and its place in the report.
struct Runner {
    candidate: Candidate,
    step: usize,
}

impl Race {
    pub(super) fn new(shared: Arc<Shared>, key: Key, progress: Progress, plan: Vec<Planned>) -> Self {
        let schedule = Mutex::new(Schedule::new(plan.clone(), now()));
        Self {
            shared,
            key,
            progress,
            schedule,
            plan,
        }
    }

    /// Starts one address after the other, as the schedule says; the first that is established wins and the others
    /// are dropped.
    pub(super) async fn run(self, candidates: Vec<Candidate>) -> Option<Arc<Entry>> {
        let runners = self.line_up(candidates);
        let mut running = FuturesUnordered::new();
        loop {
            while let Some(index) = lock(&self.schedule).start(now()) {
                let beside = running.len();
                running.push(self.attempt(index, &runners[index], beside));
            }
            let due = lock(&self.schedule).deadline();
            let timer = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                ended = running.next() => match ended {
                    Some((_, Ok(entry))) => {
                        drop(running);
                        self.won(&runners, &entry);
                        return Some(entry);
                    }
                    Some((index, Err(()))) => lock(&self.schedule).failed(index),
                    None => return None,
                },
                () = timer => {}
            }
        }
    }

    /// Writes the plan into the report.
    fn line_up(&self, candidates: Vec<Candidate>) -> Vec<Runner> {
        let line_up = |(index, candidate): (usize, Candidate)| {
            let place = self.plan.iter().position(|planned| planned.index == index);
            let mut attempt = match place {
                Some(_) => Attempt::new(candidate.addr.clone()),
                None => Attempt::refused(candidate.addr.clone(), AttemptError::Surplus(MAX_ADDRS)),
            };
            attempt.name.clone_from(&candidate.name);
            attempt.rank = place.map(|place| place + 1);
            attempt.planned = place.map(|place| self.progress.elapsed() + self.plan[place].delay);
            let step = self.progress.add(attempt);
            Runner { candidate, step }
        };
        candidates.into_iter().enumerate().map(line_up).collect()
    }

    async fn attempt(&self, index: usize, runner: &Runner, beside: usize) -> (usize, Result<Arc<Entry>, ()>) {
        let addr = &runner.candidate.addr;
        // The dial of a relay takes a place of its own.
        let _slot = match sinew_addr::is_circuit(addr) {
            true => None,
            false => Some(Slot::take(&self.shared, beside).await),
        };
        self.progress.start(runner.step);
        let connected = || lock(&self.schedule).connected(index, now());
        let outcome = attempt::run(&self.shared, &self.key, &runner.candidate, connected).await;
        self.learn(addr, outcome.as_ref());
        let (told, outcome) = match outcome {
            Ok(entry) => (Ok(()), Ok(entry)),
            Err(error) => (Err(error), Err(())),
        };
        self.progress.end(runner.step, told);
        (index, outcome)
    }

    /// The others are given up. What a black hole swallows fails no sooner than that.
    fn won(&self, runners: &[Runner], entry: &Entry) {
        let given_up = self.progress.supersede();
        if self.key.is_ordinary() {
            let flights = &self.shared.flights;
            let mut holes = lock(&flights.black_holes);
            for runner in runners.iter().filter(|runner| given_up.contains(&runner.step)) {
                holes.record(&runner.candidate.addr, false);
            }
            drop(holes);
            lock(&flights.backoff).succeeded(&entry.info.peer);
        }
    }

    /// Draws what there is to draw from the end of an attempt.
    fn learn(&self, addr: &Multiaddr, outcome: Result<&Arc<Entry>, &AttemptError>) {
        if !self.key.is_ordinary() {
            return;
        }
        let flights = &self.shared.flights;
        if let Some(reached) = reached(outcome.err()) {
            lock(&flights.black_holes).record(addr, reached);
        }
        let failed = outcome.is_err_and(|error| matches!(error.blame(), Blame::Network | Blame::Peer));
        if let Some(peer) = self.key.peer.filter(|_| failed) {
            lock(&flights.backoff).failed(&peer, addr, now());
        }
    }
}

/// Whether anything came back from an address; `None` when nothing was sent.
fn reached(error: Option<&AttemptError>) -> Option<bool> {
    let Some(error) = error else { return Some(true) };
    match (error.stage(), error.blame()) {
        (DialStage::Connection(Layer::Transport), Blame::Network) => Some(false),
        (DialStage::Connection(Layer::Transport), Blame::Peer) => Some(true),
        (DialStage::Connection(Layer::Transport), _) => None,
        (DialStage::Connection(_), _) => Some(true),
        _ => None,
    }
}
