//! An established connection: who uses it, and the handle that is given out.

use crate::{limits::Place, shared::Shared, streams};
use futures_util::future::BoxFuture;
use sinew_core::{
    CloseReason, ConnectionBackend, ConnectionInfo, MuxedConnection, OpenError, OpenOptions, Stream,
};
use sinew_machine::{Budget, CloseCode, Instant, ProtocolId, code};
use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The number of users of a connection that is being closed: nobody can become one any more.
const RETIRED: usize = usize::MAX / 2;

/// What a connection has over others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Made for whoever holds its handle, and for nobody else.
    pub(crate) hidden: bool,
    /// No limit of its source holds for it, and it makes no room for others.
    pub(crate) exempt: bool,
}

/// An established connection in the table.
pub(crate) struct Entry {
    pub(crate) info: Arc<ConnectionInfo>,
    pub(crate) muxed: Arc<dyn MuxedConnection>,
    pub(crate) standing: Standing,
    /// When it came into the table.
    pub(crate) established: Instant,
    /// Handles and streams; not those streams that are only there because the connection is.
    users: AtomicUsize,
    /// Those users that are more than an inbound stream without a protocol yet.
    useful: AtomicUsize,
    last_used: AtomicU64,
    /// The remote is known to take the end of a stream together with its opening.
    pub(crate) finish_early: AtomicBool,
    /// It carries no new stream: it is being closed, or its muxer has no stream ids left.
    spent: AtomicBool,
    /// Its place among the established connections.
    pub(crate) place: Place,
    /// Something that was tried on it came to nothing, and nothing has worked since.
    doubtful: AtomicBool,
    /// What the remote may waste on streams that come to nothing.
    waste: Mutex<Budget>,
    /// The protocol for which it was cut.
    abused: OnceLock<ProtocolId>,
}

impl Entry {
    pub(crate) fn new(
        info: ConnectionInfo,
        muxed: Arc<dyn MuxedConnection>,
        place: Place,
        standing: Standing,
    ) -> Arc<Self> {
        let now = sinew_runtime::now();
        Arc::new(Self {
            info: Arc::new(info),
            muxed,
            standing,
            established: now,
            users: AtomicUsize::new(0),
            useful: AtomicUsize::new(0),
            last_used: AtomicU64::new(now.0),
            finish_early: AtomicBool::new(false),
            spent: AtomicBool::new(false),
            place,
            doubtful: AtomicBool::new(false),
            waste: Mutex::new(Budget::new(now)),
            abused: OnceLock::new(),
        })
    }

    /// Begins to use the connection; `None` when it is being closed.
    pub(crate) fn acquire(self: &Arc<Self>, worth: Worth) -> Option<Use> {
        let more = |users: usize| (users < RETIRED).then(|| users + usize::from(worth != Worth::Background));
        self.users
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()?;
        self.useful
            .fetch_add(usize::from(worth == Worth::Useful), Ordering::AcqRel);
        let entry = self.clone();
        Some(Use { entry, worth })
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

    /// Whether there is a handle of it, or a stream that has a protocol and is worth keeping it for.
    pub(crate) fn is_useful(&self) -> bool {
        self.useful.load(Ordering::Acquire) > 0
    }

    /// When the last use that was worth something ended.
    pub(crate) fn last_used(&self) -> Instant {
        Instant(self.last_used.load(Ordering::Relaxed))
    }

    /// Whether it takes new streams, and the last thing that was tried on it came to something.
    pub(crate) fn is_healthy(&self) -> bool {
        !self.is_spent() && !self.doubtful.load(Ordering::Relaxed)
    }

    /// Takes note of something that was tried on the connection.
    pub(crate) fn doubt(&self, doubtful: bool) {
        self.doubtful.store(doubtful, Ordering::Relaxed);
    }

    /// Closes it to make room for another, whose place is free at once.
    pub(crate) fn evict(&self) {
        self.close(code::connection::GARBAGE_COLLECTED);
        self.place.vacate();
    }

    /// Has the remote pay for an inbound stream that came to nothing, and cuts one that goes on with such.
    pub(crate) fn charge(&self, tokens: u64, protocol: &ProtocolId) {
        let mut waste = self.waste.lock().unwrap_or_else(PoisonError::into_inner);
        if waste.charge(sinew_runtime::now(), tokens).is_err() && self.abused.set(protocol.clone()).is_ok() {
            self.close(code::connection::PROTOCOL_VIOLATION);
        }
    }

    /// Why it ended, if its muxer says so.
    pub(crate) fn reason(&self, told: CloseReason) -> CloseReason {
        self.abused.get().cloned().map_or(told, CloseReason::Abuse)
    }

    /// Keeps anybody from using it from now on, unless somebody does.
    pub(crate) fn retire_if_unused(&self) -> bool {
        self.users
            .compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// What a use of a connection is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Worth {
    /// A handle, or a stream of a protocol that connections are kept for.
    Useful,
    /// An inbound stream without a protocol: the connection is not idle, and may have to make room.
    Negotiating,
    /// A stream of a protocol that is only there because the connection is.
    Background,
}

/// One use of a connection: while it lives, the connection is not idle, unless it is worth nothing.
pub(crate) struct Use {
    pub(crate) entry: Arc<Entry>,
    worth: Worth,
}

impl Use {
    /// An inbound stream has its protocol.
    pub(crate) fn settle(&mut self, keep_alive: bool) {
        debug_assert_eq!(
            self.worth,
            Worth::Negotiating,
            "a stream agrees on a protocol once"
        );
        if keep_alive {
            self.worth = Worth::Useful;
            self.entry.useful.fetch_add(1, Ordering::AcqRel);
        } else {
            self.worth = Worth::Background;
            self.entry.users.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let entry = &self.entry;
        if self.worth == Worth::Useful {
            entry.last_used.store(sinew_runtime::now().0, Ordering::Relaxed);
            entry.useful.fetch_sub(1, Ordering::AcqRel);
        }
        if self.worth != Worth::Background {
            entry.users.fetch_sub(1, Ordering::AcqRel);
        }
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
        let entry = self.used.entry.clone();
        Box::pin(async move { entry.reason(entry.muxed.closed().await) })
    }

    fn rtt(&self) -> Option<Duration> {
        self.used.entry.muxed.rtt()
    }
}
