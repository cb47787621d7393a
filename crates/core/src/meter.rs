//! What a node counts: told to whoever measures it, where it happens.

use crate::{AttemptError, CloseReason, ConnectionInfo, UpgradeError};
use sinew_machine::{Direction, ProtocolId};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Is told of everything that a node counts, on the task where it happens: synchronous and quick. Nothing is told
/// twice and nothing is dropped, unlike [events](crate::Event). Each method does nothing unless it is overridden.
pub trait Meter: Send + Sync + fmt::Debug + 'static {
    /// An address of a dial was tried over `transport`: it is established, or failed.
    fn attempted(&self, transport: &'static str, took: Duration, outcome: Result<(), &AttemptError>) {
        let _ = (transport, took, outcome);
    }

    /// Somebody connected over `transport`, and the connection is established, or failed.
    fn accepted(&self, transport: &'static str, took: Duration, outcome: Result<(), &UpgradeError>) {
        let _ = (transport, took, outcome);
    }

    /// A connection is established.
    fn connection_opened(&self, connection: &ConnectionInfo) {
        let _ = connection;
    }

    /// An established connection ended.
    fn connection_closed(&self, connection: &ConnectionInfo, reason: &CloseReason) {
        let _ = (connection, reason);
    }

    /// A stream has its protocol; `protocol` is the name of the handler, or what this node offered, and never a name
    /// that a stranger made up. What is given counts the bytes of the stream.
    fn stream_opened(
        &self,
        connection: &ConnectionInfo,
        direction: Direction,
        protocol: &ProtocolId,
    ) -> Option<Arc<Traffic>> {
        let _ = (connection, direction, protocol);
        None
    }

    /// Whoever used a stream let go of it.
    fn stream_closed(&self, direction: Direction, protocol: &ProtocolId) {
        let _ = (direction, protocol);
    }
}

/// The meter that counts nothing.
#[derive(Clone, Copy, Default, Debug)]
pub struct Unmetered;

impl Meter for Unmetered {}

/// Bytes that streams have read and written, without what muxers and security add. Shared by all streams that are
/// counted together.
#[derive(Default, Debug)]
pub struct Traffic {
    read: AtomicU64,
    written: AtomicU64,
}

impl Traffic {
    /// Bytes read so far.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Counts bytes that were read.
    pub fn add_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that were written.
    pub fn add_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
