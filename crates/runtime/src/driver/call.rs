//! Calls: how handles ask a machine.

use sinew_machine::PeerMachine;
use std::fmt;
use tokio::sync::{mpsc, oneshot};

/// A question to the machine, and where the answer goes.
pub(super) struct Call<M: PeerMachine> {
    pub(super) command: M::Command,
    pub(super) reply: oneshot::Sender<M::Reply>,
}

/// Asks a machine that a driver runs. Cheap to clone.
pub struct Caller<M: PeerMachine> {
    calls: mpsc::Sender<Call<M>>,
}

/// The service does not run any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended;

impl<M: PeerMachine> Caller<M> {
    pub(super) fn new(calls: mpsc::Sender<Call<M>>) -> Self {
        Self { calls }
    }

    /// Asks, and waits for the answer. Before the node runs it waits for that as well.
    ///
    /// # Errors
    /// [`Ended`] when the node has ended.
    ///
    /// # Cancel safety
    /// Dropping the future before the machine was asked undoes the question; later the answer is lost.
    pub async fn call(&self, command: M::Command) -> Result<M::Reply, Ended> {
        let (reply, answer) = oneshot::channel();
        let call = Call { command, reply };
        self.calls.send(call).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }
}

impl<M: PeerMachine> Clone for Caller<M> {
    fn clone(&self) -> Self {
        Self {
            calls: self.calls.clone(),
        }
    }
}

impl<M: PeerMachine> fmt::Debug for Caller<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").finish_non_exhaustive()
    }
}
