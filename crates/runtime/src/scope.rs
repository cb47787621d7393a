//! Task scopes: every task has a name, a parent and an end.

use crate::timeout;
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::Spawn;
use std::{
    collections::HashMap,
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, task::AbortHandle};

/// Shards of the table of tasks, so that streams on many cores do not meet at one lock.
const SHARDS: usize = 16;

/// How long aborted tasks get to be dropped: they only run destructors.
const ABORT_TIME: Duration = Duration::from_secs(5);

/// A set of tasks that end together. Clones are the same scope.
#[derive(Clone)]
pub struct TaskScope {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    shards: [Mutex<HashMap<u64, Task>>; SHARDS],
    next: AtomicU64,
    alive: AtomicUsize,
    closed: AtomicBool,
    aborted: AtomicBool,
    empty: Notify,
}

struct Task {
    name: &'static str,
    /// `None` while it is being spawned.
    abort: Option<AbortHandle>,
}

impl TaskScope {
    /// An empty scope; its name stands in logs.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self {
            shared: Arc::new(Shared {
                name,
                shards,
                next: AtomicU64::new(0),
                alive: AtomicUsize::new(0),
                closed: AtomicBool::new(false),
                aborted: AtomicBool::new(false),
                empty: Notify::new(),
            }),
        }
    }

    /// Runs `task`. A panic in it is logged and ends nothing else. In a scope that has ended it is dropped at
    /// once.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let Some(guard) = self.shared.enter(name) else {
            return;
        };
        let (scope, id) = (self.shared.name, guard.id);
        // An `async` block would keep the place of the task twice: as what it was given and while it waits for it.
        let guarded = AssertUnwindSafe(task).catch_unwind().map(move |outcome| {
            let _guard = guard;
            if outcome.is_err() {
                tracing::error!(scope, task = name, "a task panicked");
            }
        });
        // No lock is held here: a runtime that is shutting down drops the task, and with it the guard, at once.
        let handle = tokio::spawn(guarded);
        self.shared.spawned(id, &handle.abort_handle());
    }

    /// How many tasks are alive.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.shared.alive.load(Ordering::SeqCst)
    }

    /// The names of the tasks that are alive, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let shards = self.shared.shards.iter().map(lock);
        let mut names: Vec<_> = shards
            .flat_map(|shard| shard.values().map(|task| task.name).collect::<Vec<_>>())
            .collect();
        names.sort_unstable();
        names
    }

    /// Waits until no task is alive.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.shared.empty.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.alive() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Takes no more tasks, gives those that are alive `grace` to end, drops the rest and waits until they are gone.
    /// Returns the names of those that had to be dropped.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the scope closed and its tasks running; call it again to finish.
    pub async fn end(&self, grace: Duration) -> Vec<&'static str> {
        self.close();
        if timeout(grace, self.emptied()).await.is_ok() {
            return Vec::new();
        }
        let names = self.names();
        self.abort();
        if timeout(ABORT_TIME, self.emptied()).await.is_err() {
            tracing::error!(scope = self.shared.name, tasks = ?self.names(), "tasks do not let go");
        }
        names
    }

    /// Drops every task at its next await and takes no more.
    pub fn abort(&self) {
        self.close();
        self.shared.aborted.store(true, Ordering::SeqCst);
        for shard in &self.shared.shards {
            let handles: Vec<_> = lock(shard)
                .values()
                .filter_map(|task| task.abort.clone())
                .collect();
            handles.iter().for_each(AbortHandle::abort);
        }
    }

    fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
    }
}

impl Spawn for TaskScope {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        Self::spawn(self, name, task);
    }
}

impl fmt::Debug for TaskScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScope")
            .field("name", &self.shared.name)
            .field("alive", &self.alive())
            .finish()
    }
}

impl Shared {
    /// Puts a task that is about to be spawned into the table, unless the scope has ended. It is counted first: either it
    /// sees the end, or the end waits for it.
    fn enter(self: &Arc<Self>, name: &'static str) -> Option<Leave> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.alive.fetch_add(1, Ordering::SeqCst);
        let leave = Leave {
            shared: self.clone(),
            id,
        };
        self.shard(id).insert(id, Task { name, abort: None });
        (!self.closed.load(Ordering::SeqCst)).then_some(leave)
    }

    /// Keeps the handle of a task that was spawned, if it has not ended yet.
    fn spawned(&self, id: u64, abort: &AbortHandle) {
        if let Some(task) = self.shard(id).get_mut(&id) {
            task.abort = Some(abort.clone());
        }
        // Whoever aborted the scope in the meantime did not find the handle.
        if self.aborted.load(Ordering::SeqCst) {
            abort.abort();
        }
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, Task>> {
        lock(&self.shards[usize::try_from(id % SHARDS as u64).expect("less than the number of shards")])
    }
}

fn lock(shard: &Mutex<HashMap<u64, Task>>) -> MutexGuard<'_, HashMap<u64, Task>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a task off the table, however it ended.
struct Leave {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let removed = self.shared.shard(self.id).remove(&self.id);
        // Outside the lock: dropping the handle of a task may run code.
        drop(removed);
        if self.shared.alive.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.shared.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TaskScope;
    use crate::sleep;
    use std::{future::pending, time::Duration};

    #[tokio::test(start_paused = true)]
    async fn a_scope_ends_its_tasks_and_names_those_that_would_not_go() {
        let scope = TaskScope::new("test");
        scope.spawn("quick", async {});
        scope.spawn("slow", sleep(Duration::from_secs(3)));
        scope.spawn("stuck", pending());
        scope.spawn("broken", async { panic!("on purpose") });
        assert_eq!(scope.names(), ["broken", "quick", "slow", "stuck"]);
        assert_eq!(scope.end(Duration::from_secs(5)).await, ["stuck"]);
        assert_eq!((scope.alive(), scope.names().len()), (0, 0));
        scope.spawn("late", async { panic!("never runs") });
        assert_eq!(scope.alive(), 0);
    }

    /// Held up between its look at the scope and its entry, a task is waited for, or does not run.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_spawns_while_the_scope_ends_is_waited_for() {
        let scope = TaskScope::new("test");
        let (late, runtime) = (scope.clone(), tokio::runtime::Handle::current());
        let shard = super::lock(&scope.shared.shards[0]);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let _inside = runtime.enter();
                late.spawn("late", pending());
            });
            let begun = std::time::Instant::now();
            while scope.alive() == 0 && begun.elapsed() < Duration::from_secs(10) {
                std::thread::yield_now();
            }
            scope.close();
            assert_eq!(scope.alive(), 1, "counted before it looks");
            drop(shard);
        });
        assert_eq!((scope.alive(), scope.names().len()), (0, 0), "it saw the end");
    }

    #[test]
    fn spawning_outside_a_runtime_panics_and_leaves_nothing() {
        let scope = TaskScope::new("test");
        let outcome = std::thread::scope(|thread| thread.spawn(|| scope.spawn("lost", async {})).join());
        assert!(outcome.is_err());
        assert_eq!((scope.alive(), scope.names().len()), (0, 0));
    }

    #[test]
    fn a_task_spawned_while_the_runtime_goes_is_dropped() {
        struct Spawn(TaskScope);
        impl Drop for Spawn {
            fn drop(&mut self) {
                self.0.spawn("late", pending());
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let scope = TaskScope::new("test");
        let late = Spawn(scope.clone());
        runtime.block_on(async {
            scope.spawn("first", async move {
                let _late = late;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
        });
        drop(runtime);
        assert_eq!((scope.alive(), scope.names().len()), (0, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn tasks_that_end_at_once_leave_no_entry() {
        let scope = TaskScope::new("test");
        (0..2000).for_each(|_| scope.spawn("quick", async {}));
        scope.emptied().await;
        assert!(scope.names().is_empty());
    }
}
