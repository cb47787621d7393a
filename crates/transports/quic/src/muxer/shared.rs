//! What the handle, the streams and the driver of a connection share.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use quinn::{Connection, ConnectionError, StoppedError, VarInt};
use sinew_core::{CloseCode, CloseReason, ResourceScope, code};
use sinew_runtime::{now, sleep, timeout};
use tokio::sync::Notify;

use super::{
    payload::Payload,
    reason::{close_reason, to_wire},
    window::SLOW,
    windows::Windows,
};
use crate::{Config, config::FIRST_STREAMS, congestion::Turn};

/// Streams whose end may still be on its way when the connection closes; of more, the oldest are taken as arrived.
const MAX_FINISHED: usize = 32;

/// How long a closing connection waits for the ends of its streams to arrive.
const DELIVERY: Duration = Duration::from_millis(500);

/// How long the goodbye may take to leave this machine.
const GOODBYE: Duration = Duration::from_millis(100);

/// Why a remote is cut whose streams come to nothing.
const FLOOD: &str = "quic: streams that come to nothing, without end";

/// Done when everything that was written on a stream has arrived.
type Delivered = BoxFuture<'static, Result<Option<VarInt>, StoppedError>>;

/// What the handle, the streams and the driver of a connection share.
pub(crate) struct Shared {
    pub(crate) connection: Connection,
    turn: Turn,
    max_streams: u32,
    /// Why this side closes, once it does.
    closing: OnceLock<CloseReason>,
    asked: Notify,
    /// Datagrams that had left before the goodbye.
    sent: OnceLock<u64>,
    pub(crate) payload: Payload,
    /// How many bytes have to be read for the receive window to be worth a look.
    worth_a_look: AtomicU64,
    windows: Mutex<Windows>,
    grown: Notify,
    /// Streams that the remote opened and somebody here holds, and whether it may open all that it ever may.
    inbound: AtomicUsize,
    generous: AtomicBool,
    finished: Mutex<VecDeque<Delivered>>,
}

impl Shared {
    pub(crate) fn new(connection: Connection, config: &Config, scope: Arc<dyn ResourceScope>) -> Self {
        Self {
            turn: Turn::of(&connection).unwrap_or_default(),
            connection,
            max_streams: config.max_streams,
            closing: OnceLock::new(),
            asked: Notify::new(),
            sent: OnceLock::new(),
            payload: Payload::new(now()),
            worth_a_look: AtomicU64::new(u64::from(config.connection_window) / 4),
            windows: Mutex::new(Windows::new(config, scope)),
            grown: Notify::new(),
            inbound: AtomicUsize::new(0),
            generous: AtomicBool::new(false),
            finished: Mutex::default(),
        }
    }

    /// Why the connection ended, if it has, or that this side is ending it.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        match self.connection.close_reason() {
            Some(error) => Some(self.reason(error)),
            None => self.closing(),
        }
    }

    /// Why this side is ending the connection, if it is.
    pub(crate) fn closing(&self) -> Option<CloseReason> {
        self.closing.get().cloned()
    }

    pub(crate) fn reason(&self, error: ConnectionError) -> CloseReason {
        close_reason(error, self.closing())
    }

    /// Closes at once, unless the end of a stream has still to arrive: then the driver does. Only the first call
    /// counts.
    pub(crate) fn close(&self, code: CloseCode) {
        if self.closing.set(CloseReason::Local(code)).is_err() {
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

    /// Waits until this side has a reason to close.
    pub(crate) async fn close_asked(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.closing.get() {
                return reason.clone();
            }
            self.asked.notified().await;
        }
    }

    /// Ends the connection now, with the code that was asked for, if one was.
    pub(crate) fn close_now(&self) {
        // quinn would forget why a connection ended that is closed again.
        if self.connection.close_reason().is_none() {
            let reason = self.closing.get_or_init(|| CloseReason::Local(CloseCode::NONE));
            let code = match reason {
                CloseReason::Local(code) => *code,
                _ => code::connection::PROTOCOL_VIOLATION,
            };
            self.sent.get_or_init(|| self.sent_now());
            self.turn.close();
            self.connection.close(to_wire(code), b"");
        }
        self.windows().release();
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
        if self.payload.add_read(bytes) >= self.worth_a_look.load(Ordering::Relaxed) {
            self.fit_windows();
        }
        if self.turn.lend() {
            // Nothing changes; the sender looks again.
            self.connection.set_send_window(self.windows().send.size());
        }
    }

    /// Gives the windows the sizes that fit what goes through them, as far as there is memory for that.
    fn fit_windows(&self) {
        let (read, written) = (self.payload.read(), self.payload.written());
        let mut windows = self.windows();
        if self.ended().is_some() {
            return;
        }
        let before = (windows.receive.size(), windows.send.size());
        windows.fit(now(), (read, written), self.connection.rtt());
        let (receive, send) = (windows.receive.size(), windows.send.size());
        self.worth_a_look.store(read + receive / 4, Ordering::Relaxed);
        if receive != before.0 {
            self.connection.set_receive_window(window(receive));
        }
        if send != before.1 {
            self.connection.set_send_window(send);
        }
        if windows.are_grown() {
            self.grown.notify_one();
        }
    }

    /// Looks after windows that have grown, also while nothing goes through them.
    pub(crate) async fn shrink_windows(&self) -> Infallible {
        loop {
            self.grown.notified().await;
            while self.windows().are_grown() {
                sleep(SLOW).await;
                self.fit_windows();
            }
        }
    }

    /// A writer has to wait. Whether the send window has grown, because the network takes more than it holds.
    pub(crate) fn makes_room(&self) -> bool {
        let network = self.connection.stats().path.cwnd;
        let mut windows = self.windows();
        if self.ended().is_some() || !windows.grow_send(network) {
            return false;
        }
        self.connection.set_send_window(windows.send.size());
        self.grown.notify_one();
        true
    }

    /// The remote opened a stream. One that opens several at once may open all that it ever may: for each that it might,
    /// quinn holds a place from the start, and most connections never need them.
    pub(crate) fn entered(&self) {
        let open = self.inbound.fetch_add(1, Ordering::Relaxed) + 1;
        if open > FIRST_STREAMS as usize / 2 && !self.generous.swap(true, Ordering::Relaxed) {
            self.connection
                .set_max_concurrent_bi_streams(self.max_streams.into());
        }
    }

    /// A stream of the remote is gone.
    pub(crate) fn left(&self) {
        self.inbound.fetch_sub(1, Ordering::Relaxed);
    }

    /// A stream of the remote came to nothing: who does that without end is cut.
    pub(crate) fn charge(&self) {
        let spent = self.payload.charge(now()).is_err();
        if spent && self.closing.set(CloseReason::Violation(FLOOD)).is_ok() {
            self.close_now();
            self.asked.notify_one();
        }
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finished(&self) -> MutexGuard<'_, VecDeque<Delivered>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn window(size: u64) -> VarInt {
    VarInt::try_from(size).unwrap_or(VarInt::MAX)
}
