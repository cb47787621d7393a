//! One waker for the two sides of a stream: whichever of them the stream inside wakes, both look.

use futures_util::task::AtomicWaker;
use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// Which side of a stream asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Read,
    Write,
}

/// The tasks that read and write. While a stream is negotiated each of them may have to read *and* write, and the
/// stream inside remembers one waker for each: it is given one that wakes both tasks.
pub(crate) struct Wakers {
    tasks: Arc<Tasks>,
    both: Waker,
}

#[derive(Default)]
struct Tasks {
    reads: AtomicWaker,
    writes: AtomicWaker,
}

impl Wakers {
    pub(crate) fn new() -> Self {
        let tasks = Arc::new(Tasks::default());
        Self {
            both: tasks.clone().into(),
            tasks,
        }
    }

    /// Remembers the task of one side. Returns the waker for the stream inside.
    pub(crate) fn register(&self, side: Side, cx: &Context<'_>) -> Waker {
        self.tasks.of(side).register(cx.waker());
        self.both.clone()
    }

    /// Forgets the task of a side that does not have to wait. Waking it would have it run again, on another thread maybe, for
    /// nothing.
    pub(crate) fn keep<T>(&self, side: Side, polled: &Poll<T>) {
        if polled.is_ready() {
            drop(self.tasks.of(side).take());
        }
    }

    pub(crate) fn wake(&self) {
        self.both.wake_by_ref();
    }
}

impl Tasks {
    fn of(&self, side: Side) -> &AtomicWaker {
        match side {
            Side::Read => &self.reads,
            Side::Write => &self.writes,
        }
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reads.wake();
        self.writes.wake();
    }
}
