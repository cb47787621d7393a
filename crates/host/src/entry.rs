//! An established connection: who uses it, and the handle that is given out.

use crate::{limits::Place, machine::budget::Budget, shared::Shared, streams};
use futures_util::future::BoxFuture;
use sinew_core::{
    CloseReason, ConnectionBackend, ConnectionInfo, MuxedConnection, NegotiationError, OpenError,
    OpenOptions, Stream,
};
use sinew_machine::{CloseCode, Instant, ProtocolId, code};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The number of users of a connection that is being closed: nobody can become one any more.
const RETIRED: usize = usize::MAX / 2;

/// An established connection in the table.
pub(crate) struct Entry {
    pub(crate) info: Arc<ConnectionInfo>,
    pub(crate) muxed: Arc<dyn MuxedConnection>,
    /// Made for whoever holds its handle, and for nobody else.
    pub(crate) hidden: bool,
    /// Handles and streams.
    users: AtomicUsize,
    last_used: AtomicU64,
    /// The remote is known to take the end of a stream together with its opening.
    pub(crate) finish_early: AtomicBool,
    /// It carries no new stream: it is being closed, or its muxer has no stream ids left.
    spent: AtomicBool,
    /// Its place among the established connections.
    pub(crate) place: Place,
    /// What the remote may waste on negotiations.
    negotiations: Mutex<Budget>,
}

impl Entry {
    pub(crate) fn new(
        info: ConnectionInfo,
        muxed: Arc<dyn MuxedConnection>,
        place: Place,
        hidden: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            info: Arc::new(info),
            muxed,
            hidden,
            users: AtomicUsize::new(0),
            last_used: AtomicU64::new(sinew_runtime::now().0),
            finish_early: AtomicBool::new(false),
            spent: AtomicBool::new(false),
            place,
            negotiations: Mutex::new(Budget::new(sinew_runtime::now())),
        })
    }

    /// Begins to use the connection; `None` when it is being closed.
    pub(crate) fn acquire(self: &Arc<Self>) -> Option<Use> {
        let more = |users: usize| (users < RETIRED).then_some(users + 1);
        self.users
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()?;
        Some(Use { entry: self.clone() })
    }

    /// Starts to close the connection; nobody is given it any more.
    pub(crate) fn close(&self, code: CloseCode) {
        self.spend();
        self.muxed.close(code);
    }

    /// Keeps new streams and handles from it; those that exist go on.
    pub(crate) fn spend(&self) {
        self.spent.store(true, Ordering::Release);
    }

    /// Whether it takes no new stream.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Acquire)
    }

    pub(crate) fn is_used(&self) -> bool {
        self.users.load(Ordering::Acquire) > 0
    }

    pub(crate) fn last_used(&self) -> Instant {
        Instant(self.last_used.load(Ordering::Relaxed))
    }

    /// Counts an inbound negotiation that reached no handler, and cuts a remote that does nothing else.
    pub(crate) fn charge_negotiation(&self, error: &NegotiationError) {
        let mut budget = self.negotiations.lock().unwrap_or_else(PoisonError::into_inner);
        if !budget.charge(sinew_runtime::now(), error) {
            tracing::debug!(connection = %self.info.id, peer = %self.info.peer, "cut: negotiations that reach no handler");
            self.muxed.close(code::connection::PROTOCOL_VIOLATION);
        }
    }

    /// Keeps anybody from using it from now on, unless somebody does.
    pub(crate) fn retire_if_unused(&self) -> bool {
        self.users
            .compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// One use of a connection: while it lives, the connection is not idle.
pub(crate) struct Use {
    pub(crate) entry: Arc<Entry>,
}

impl Drop for Use {
    fn drop(&mut self) {
        self.entry
            .last_used
            .store(sinew_runtime::now().0, Ordering::Relaxed);
        self.entry.users.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A use of a connection that can also open streams: what a [`sinew_core::Connection`] is made of.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) used: Use,
}

impl ConnectionBackend for Handle {
    fn info(&self) -> &Arc<ConnectionInfo> {
        &self.used.entry.info
    }

    fn open(
        self: Arc<Self>,
        protocols: Vec<ProtocolId>,
        options: OpenOptions,
    ) -> BoxFuture<'static, Result<Stream, OpenError>> {
        Box::pin(async move { streams::open(&self.shared, &self.used.entry, protocols, options).await })
    }

    fn close(&self, code: CloseCode) {
        self.used.entry.close(code);
    }

    fn closed(&self) -> BoxFuture<'static, CloseReason> {
        self.used.entry.muxed.closed()
    }

    fn rtt(&self) -> Option<Duration> {
        self.used.entry.muxed.rtt()
    }
}
