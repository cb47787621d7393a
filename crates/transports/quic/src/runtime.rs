//! quinn's tasks under a parent of ours.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Instant};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use sinew_runtime::TaskScope;

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

impl Runtime for Tasks {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.spawn("quic", task);
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}
