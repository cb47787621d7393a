//! The staggered race of a dial's addresses.

use super::{attempt, progress::Progress};
use crate::{entry::Entry, machine::plan::STAGGER, shared::Shared};
use futures_util::{StreamExt, stream::FuturesUnordered};
use multiaddr::Multiaddr;
use sinew_core::{AttemptError, Purpose, Transport};
use sinew_identity::PeerId;
use sinew_runtime::sleep;
use std::{collections::VecDeque, sync::Arc};

/// Addresses of one dial that are tried at once, as many as go-libp2p's dialler tries for a peer.
const AT_ONCE: usize = 8;

/// An address and the transport that dials it.
pub(super) struct Candidate {
    pub(super) addr: Multiaddr,
    pub(super) transport: Arc<dyn Transport>,
}

/// One dial.
pub(super) struct Race {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Option<PeerId>,
    pub(super) purpose: Purpose,
    pub(super) progress: Progress,
}

impl Race {
    /// Starts one address after the other, the next when the last one failed or took [`STAGGER`]; the first that
    /// is established wins and the others are dropped.
    pub(super) async fn run(self, candidates: Vec<Candidate>) -> Option<Arc<Entry>> {
        let mut waiting = VecDeque::from(candidates);
        let mut running = FuturesUnordered::new();
        loop {
            if running.len() < AT_ONCE
                && let Some(candidate) = waiting.pop_front()
            {
                running.push(self.attempt(candidate));
            }
            if running.is_empty() {
                return None;
            }
            let more = !waiting.is_empty() && running.len() < AT_ONCE;
            tokio::select! {
                Some((index, outcome)) = running.next() => match outcome {
                    Ok(entry) => {
                        self.progress.done(index, Ok(()));
                        self.progress.supersede();
                        return Some(entry);
                    }
                    Err(error) => self.progress.done(index, Err(error)),
                },
                () = sleep(STAGGER), if more => {}
            }
        }
    }

    async fn attempt(&self, candidate: Candidate) -> (usize, Result<Arc<Entry>, AttemptError>) {
        let index = self.progress.started(candidate.addr.clone());
        (
            index,
            attempt::run(&self.shared, self.peer, self.purpose, candidate).await,
        )
    }
}
