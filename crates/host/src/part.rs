//! A part of a task that is asked in the turn that wakes it.

use futures_util::task::AtomicWaker;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake},
};

/// Whether a part of a task wants to be polled.
///
/// Another part of the same task wakes it, as a rule, in the middle of a turn. A waker of the task would cost one more turn
/// for that, and a second thread that is woken to take it.
pub(crate) struct Part {
    woken: AtomicBool,
    /// The task has its turn, and looks before it ends it.
    running: AtomicBool,
    task: AtomicWaker,
}

impl Part {
    /// A part that was not polled yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            woken: AtomicBool::new(true),
            running: AtomicBool::new(false),
            task: AtomicWaker::new(),
        })
    }

    /// The turn of the task begins.
    pub(crate) fn begin(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
        self.running.store(true, Ordering::SeqCst);
    }

    /// Whether it was woken since it was last asked.
    pub(crate) fn take(&self) -> bool {
        self.woken.swap(false, Ordering::SeqCst)
    }

    /// The turn of the task ends. `true`: it needs another one, for the part.
    pub(crate) fn end(&self) -> bool {
        self.running.store(false, Ordering::SeqCst);
        self.woken.load(Ordering::SeqCst)
    }
}

impl Wake for Part {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if !self.running.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Part;
    use futures_util::task::{ArcWake, waker_ref};
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Waker},
    };

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl ArcWake for Woken {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_part_wakes_its_task_between_turns_only() {
        let (task, part) = (Arc::new(Woken::default()), Part::new());
        let woken = || task.0.load(Ordering::SeqCst);
        let (waker, of_task) = (Waker::from(part.clone()), waker_ref(&task));
        let cx = Context::from_waker(&of_task);
        assert!(part.take(), "it has to be asked once, to leave its waker");
        part.begin(&cx);
        waker.wake_by_ref();
        assert!(part.take() && !part.take());
        assert!(!part.end());
        assert_eq!(woken(), 0, "the task has seen it in its turn");
        waker.wake_by_ref();
        assert_eq!(woken(), 1);
        part.begin(&cx);
        assert!(part.take());
        waker.wake_by_ref();
        assert!(part.end(), "after it was asked: another turn");
    }
}
