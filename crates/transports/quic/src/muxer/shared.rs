//! What the handle, the streams and the driver of a connection share.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use quinn::{Connection, ConnectionError, StoppedError, VarInt};
use sinew_core::{CloseCode, CloseReason, Reservation, Resource, ResourceScope};
use sinew_runtime::{now, sleep, timeout};
use tokio::sync::Notify;

use super::{
    reason::{close_reason, to_wire},
    window::Window,
};
use crate::Config;

/// Streams whose end may still be on its way when the connection closes; of more, the oldest are taken as arrived.
const MAX_FINISHED: usize = 32;

/// How long a closing connection waits for the ends of its streams to arrive.
const DELIVERY: Duration = Duration::from_millis(500);

/// How long the goodbye may take to leave this machine.
const GOODBYE: Duration = Duration::from_millis(100);

/// Done when everything that was written on a stream has arrived.
type Delivered = BoxFuture<'static, Result<Option<VarInt>, StoppedError>>;

/// What the handle, the streams and the driver of a connection share.
pub(crate) struct Shared {
    pub(crate) connection: Connection,
    max_send_window: u64,
    /// The code that this side closes with, once it does.
    closing: OnceLock<CloseCode>,
    asked: Notify,
    /// Datagrams that had left before the goodbye.
    sent: OnceLock<u64>,
    /// Bytes read since the window was last looked at, and how many of them are worth a look.
    read: AtomicU64,
    worth_a_look: AtomicU64,
    windows: Mutex<Windows>,
    finished: Mutex<VecDeque<Delivered>>,
}

/// The windows of both directions, and what their growth charges.
struct Windows {
    receive: Window,
    send: u64,
    /// What needs no memory beyond that of the connection.
    promised: u64,
    scope: Arc<dyn ResourceScope>,
    reserved: Option<Reservation>,
}

impl Shared {
    pub(crate) fn new(connection: Connection, config: &Config, scope: Arc<dyn ResourceScope>) -> Self {
        let (receive, send) = (u64::from(config.connection_window), u64::from(config.send_window));
        let windows = Windows {
            receive: Window::new(receive, config.max_connection_window.into(), now()),
            send,
            promised: receive + send,
            scope,
            reserved: None,
        };
        Self {
            connection,
            max_send_window: config.max_send_window.into(),
            closing: OnceLock::new(),
            asked: Notify::new(),
            sent: OnceLock::new(),
            read: AtomicU64::new(0),
            worth_a_look: AtomicU64::new(receive / 4),
            windows: Mutex::new(windows),
            finished: Mutex::default(),
        }
    }

    /// Why the connection ended, if it has, or that this side is ending it.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        match self.connection.close_reason() {
            Some(error) => Some(self.reason(error)),
            None => self.closing.get().copied().map(CloseReason::Local),
        }
    }

    pub(crate) fn reason(&self, error: ConnectionError) -> CloseReason {
        close_reason(error, self.closing.get().copied())
    }

    /// Closes at once, unless the end of a stream has still to arrive: then the driver does. Only the first call
    /// counts.
    pub(crate) fn close(&self, code: CloseCode) {
        if self.closing.set(code).is_err() {
            return;
        }
        let mut finished = self.finished();
        finished.retain_mut(|delivered| delivered.now_or_never().is_none());
        let nothing_left = finished.is_empty();
        drop(finished);
        if nothing_left {
            self.close_now();
        }
        self.asked.notify_one();
    }

    /// Waits until somebody asks to close.
    pub(crate) async fn close_asked(&self) -> CloseCode {
        loop {
            if let Some(code) = self.closing.get() {
                return *code;
            }
            self.asked.notified().await;
        }
    }

    /// Ends the connection now, with the code that was asked for, if one was.
    pub(crate) fn close_now(&self) {
        // quinn would forget why a connection ended that is closed again.
        if self.connection.close_reason().is_none() {
            let code = *self.closing.get_or_init(|| CloseCode::NONE);
            self.sent.get_or_init(|| self.sent_now());
            self.connection.close(to_wire(code), b"");
        }
        self.windows().reserved = None;
    }

    /// Ends the connection: lets what was finished arrive, says goodbye, and lets that leave.
    pub(crate) async fn say_goodbye(&self) {
        let finished = std::mem::take(&mut *self.finished());
        // Whatever became of them, nothing more can be done for them.
        let _ = timeout(DELIVERY, join_all(finished)).await;
        self.close_now();
        let leaving = async {
            while self.sent.get() == Some(&self.sent_now()) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = timeout(GOODBYE, leaving).await;
    }

    fn sent_now(&self) -> u64 {
        self.connection.stats().udp_tx.datagrams
    }

    /// The end of a stream was queued; `delivered` tells when it has arrived.
    pub(crate) fn finished_with(&self, delivered: Delivered) {
        let mut finished = self.finished();
        if finished.len() >= MAX_FINISHED {
            finished.pop_front();
        }
        finished.push_back(delivered);
    }

    /// So many bytes were read: the receive window may have to grow.
    pub(crate) fn received(&self, bytes: usize) {
        let read = self.read.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if read < self.worth_a_look.load(Ordering::Relaxed) {
            return;
        }
        let read = self.read.swap(0, Ordering::Relaxed);
        let mut windows = self.windows();
        let Some(size) = windows.receive.read(now(), read, self.connection.rtt()) else {
            return;
        };
        let send = windows.send;
        if self.ended().is_none() && windows.reserve(size, send) {
            windows.receive.grow(size);
            self.worth_a_look.store(size / 4, Ordering::Relaxed);
            self.connection.set_receive_window(window(size));
        }
    }

    /// A writer has to wait. Whether the send window has grown, because the network takes more than it holds.
    pub(crate) fn makes_room(&self) -> bool {
        let network = self.connection.stats().path.cwnd;
        let mut windows = self.windows();
        let size = self.max_send_window.min(2 * network);
        let (grows, receive) = (size > windows.send, windows.receive.size());
        if !grows || self.ended().is_some() || !windows.reserve(receive, size) {
            return false;
        }
        windows.send = size;
        self.connection.set_send_window(size);
        true
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finished(&self) -> MutexGuard<'_, VecDeque<Delivered>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Windows {
    /// Charges windows of these sizes; `false` if there is no memory for them.
    fn reserve(&mut self, receive: u64, send: u64) -> bool {
        let growth = (receive + send).saturating_sub(self.promised);
        match &mut self.reserved {
            Some(reserved) => reserved.resize(growth).is_ok(),
            None => {
                self.reserved = Reservation::new(self.scope.clone(), Resource::Memory, growth).ok();
                self.reserved.is_some()
            }
        }
    }
}

fn window(size: u64) -> VarInt {
    VarInt::try_from(size).unwrap_or(VarInt::MAX)
}
