//! What the handle, the streams and the driver of a connection share.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
    flow::Flow,
    reason::{close_reason, to_wire},
};
use crate::{Config, config::FIRST_STREAMS, runtime::Turns};

/// Streams whose end may still be on its way when the connection closes; of more, the oldest are taken as arrived.
const MAX_FINISHED: usize = 32;

/// Streams of the remote after which a connection is taken for a busy one.
const BUSY: usize = 64;

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
    turns: Turns,
    max_streams: u32,
    /// Why this side closes, once it does.
    closing: OnceLock<CloseReason>,
    asked: Notify,
    /// Datagrams that had left before the goodbye.
    sent: OnceLock<u64>,
    pub(crate) flow: Flow,
    /// Streams that the remote opened: those that somebody here holds, all that were ever accepted, and whether it may open
    /// as many as it ever may.
    inbound: AtomicUsize,
    entered: AtomicUsize,
    generous: AtomicBool,
    finished: Mutex<VecDeque<Delivered>>,
}

impl Shared {
    pub(crate) fn new(
        connection: Connection,
        turns: Turns,
        config: &Config,
        scope: Arc<dyn ResourceScope>,
    ) -> Self {
        Self {
            flow: Flow::new(connection.clone(), config, scope),
            connection,
            turns,
            max_streams: config.max_streams,
            closing: OnceLock::new(),
            asked: Notify::new(),
            sent: OnceLock::new(),
            inbound: AtomicUsize::new(0),
            entered: AtomicUsize::new(0),
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
            self.flow.turn.close();
            self.connection.close(to_wire(code), b"");
        }
        self.flow.release();
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

    /// The remote opened a stream. One that opens several at once, or many in the course of time, may open all that it ever
    /// may: for each that it might, quinn holds a place from the start, and most connections never need them. A busy one
    /// does, because quinn says that there is room again after an eighth of them, in a datagram of its own.
    pub(crate) fn entered(&self) {
        let open = self.inbound.fetch_add(1, Ordering::Relaxed) + 1;
        let all = self.entered.fetch_add(1, Ordering::Relaxed) + 1;
        let busy = open > FIRST_STREAMS as usize / 2 || all > BUSY;
        if busy && !self.generous.swap(true, Ordering::Relaxed) {
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
        let spent = self.flow.payload.charge(now()).is_err();
        if spent && self.closing.set(CloseReason::Violation(FLOOD)).is_ok() {
            self.close_now();
            self.asked.notify_one();
        }
    }

    fn finished(&self) -> MutexGuard<'_, VecDeque<Delivered>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody holds a stream any more either: there is nobody left whom quinn could tell anything.
impl Drop for Shared {
    fn drop(&mut self) {
        self.turns.end();
    }
}
