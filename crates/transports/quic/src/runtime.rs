//! quinn's tasks under a parent of ours.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use sinew_runtime::{TaskScope, sleep};
use tokio::sync::Notify;

/// Runs one task for each socket and each connection. Clocks and timers are tokio's, so they stand still in tests.
#[derive(Debug)]
pub(crate) struct Tasks(TaskScope);

impl Tasks {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(TaskScope::new("quic")))
    }

    /// Runs a task beside quinn's.
    pub(crate) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(name, task);
    }

    /// How many sockets and connections there are, and handshakes that are being forgotten.
    #[cfg(test)]
    pub(crate) fn alive(&self) -> usize {
        self.0.alive()
    }
}

/// How long a connection that has ended is remembered, so that who still sends to it hears of that. RFC 9000, section 10.2,
/// asks for three time-outs, which are as long as the remote says that it keeps acknowledgements back: up to 49 s, in which
/// it is counted in no limit.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// The turns of a task of quinn's, the one of a connection: whatever arrives on it arrives in one of them.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Task>);

#[derive(Default)]
struct Task {
    after: OnceLock<Box<dyn Fn() + Send + Sync>>,
    ended: Notify,
}

thread_local! {
    /// Those of the task that was spawned last.
    static SPAWNED: Cell<Option<Turns>> = const { Cell::new(None) };
}

impl Turns {
    /// Begins a connection: `begin` makes quinn spawn its task.
    pub(crate) fn of<T>(begin: impl FnOnce() -> T) -> (T, Self) {
        SPAWNED.take();
        let begun = begin();
        (begun, SPAWNED.take().unwrap_or_default())
    }

    /// From now on calls `after` after each turn, with no lock held. Only the first call counts.
    pub(crate) fn follow(&self, after: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.after.set(Box::new(after));
    }

    /// The connection has ended, and nobody holds anything of it: after a while quinn's task ends too, which has quinn forget it.
    pub(crate) fn end(&self) {
        self.0.ended.notify_one();
    }

    async fn run(self, mut task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let turns = poll_fn(|cx| {
            let polled = task.as_mut().poll(cx);
            if let Some(after) = self.0.after.get() {
                after();
            }
            polled
        });
        let over = async {
            self.0.ended.notified().await;
            sleep(LINGER).await;
        };
        tokio::select! {
            biased;
            () = turns => {}
            () = over => {}
        }
    }
}

impl Runtime for Tasks {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let turns = Turns::default();
        self.0.spawn("quic", turns.clone().run(task));
        SPAWNED.set(Some(turns));
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}
