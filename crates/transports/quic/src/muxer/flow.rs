//! How much both sides of a connection may send before the other has read it.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quinn::{Connection, VarInt};
use sinew_core::{Instant, ResourceScope};
use sinew_runtime::{now, sleep, timeout};
use tokio::sync::Notify;

use super::{payload::Payload, readers::Readers, window::SLOW, windows::Windows};
use crate::{Config, congestion::Turn};

/// How long a remote that is held up waits, two round trips at least, before it is looked whether it goes on.
const PAUSE: Duration = Duration::from_millis(100);

/// How long streams that nobody reads may hold up the others of their connection, as in yamux.
const PATIENCE: Duration = Duration::from_secs(5);

/// The windows of a connection, and what goes through them.
pub(crate) struct Flow {
    connection: Connection,
    pub(crate) turn: Turn,
    pub(crate) payload: Payload,
    pub(crate) readers: Readers,
    /// How many bytes have to be read for the receive window to be worth a look.
    worth_a_look: AtomicU64,
    windows: Mutex<Windows>,
    /// How often the remote has said that the window of the connection holds it up.
    said: AtomicU64,
    /// That was said again, or a window has grown.
    changed: Notify,
}

/// While the remote is held up and too little is read.
struct Stall {
    since: Instant,
    /// Bytes that had been read.
    read: u64,
}

impl Flow {
    pub(crate) fn new(connection: Connection, config: &Config, scope: Arc<dyn ResourceScope>) -> Self {
        Self {
            turn: Turn::of(&connection).unwrap_or_default(),
            connection,
            payload: Payload::new(now()),
            readers: Readers::default(),
            worth_a_look: AtomicU64::new(u64::from(config.connection_window) / 4),
            windows: Mutex::new(Windows::new(config, scope)),
            said: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// So many bytes were read: the receive window may have to grow, and the acknowledgement to leave.
    pub(crate) fn received(&self, bytes: usize) {
        if self.payload.add_read(bytes) >= self.worth_a_look.load(Ordering::Relaxed) {
            self.fit_windows();
        }
        if self.turn.lend() {
            self.nudge();
        }
    }

    /// Something may have arrived: looks whether the remote is held up. quinn counts that and tells nobody.
    pub(crate) fn look(&self) {
        let stats = self.turn.unseen(|| self.connection.stats());
        let said = stats.frame_rx.data_blocked;
        if said != self.said() {
            self.said.store(said, Ordering::Relaxed);
            self.changed.notify_one();
        }
    }

    /// Lets the sender look again at what holds it up.
    fn nudge(&self) {
        self.connection.set_send_window(self.windows().send.size());
    }

    /// A writer has to wait. Whether the send window has grown, because the network takes more than it holds.
    pub(crate) fn makes_room(&self) -> bool {
        let mut windows = self.windows();
        if !windows.grow_send(self.turn.window()) {
            return false;
        }
        self.connection.set_send_window(windows.send.size());
        self.changed.notify_one();
        true
    }

    /// A writer waits for the remote. quinn says so to it (DATA_BLOCKED) with the next packet, and sends none because of it.
    pub(crate) fn has_to_wait(&self) {
        if self.turn.is_quiet() {
            self.nudge();
        }
    }

    /// Looks after windows that have grown, also while nothing goes through them, and after a remote that is held up. Sleeps
    /// without a timer while there is neither.
    pub(crate) async fn watch(&self) -> Infallible {
        let mut heard = 0;
        loop {
            self.changed.notified().await;
            loop {
                if heard != self.said() {
                    heard = self.relieve().await;
                } else if self.windows().are_grown() {
                    let _ = timeout(SLOW, self.changed.notified()).await;
                } else {
                    break;
                }
                self.fit_windows();
            }
        }
    }

    /// The connection ends: its windows take no memory any more.
    pub(crate) fn release(&self) {
        self.windows().release();
    }

    /// The remote is held up. Where others do not read enough for it to go on, there is some more room for them, and when
    /// there is none, who does not read gives way. What it had said when this was last looked after.
    async fn relieve(&self) -> u64 {
        let mut stall = self.stall();
        let mut told = stall.read;
        loop {
            sleep(PAUSE.max(2 * self.connection.rtt())).await;
            self.fit_windows();
            let (said, read) = (self.said(), self.payload.read());
            if read - stall.read >= self.windows().receive.first() / 8 {
                stall = self.stall();
            } else if self.add_room() {
                return said;
            }
            let over = now() - stall.since >= PATIENCE;
            if read == told && !over {
                continue;
            }
            told = read;
            self.tell();
            if timeout(SLOW, self.says_again(said)).await.is_err() {
                return said;
            }
            if over {
                self.readers.give_up_unread();
                stall = self.stall();
            }
        }
    }

    /// From now on counts who reads, and how much.
    fn stall(&self) -> Stall {
        self.readers.watch();
        Stall {
            since: now(),
            read: self.payload.read(),
        }
    }

    /// Tells the remote of all that has been read, of which quinn keeps back up to an eighth of the window, and of one byte
    /// more: then whoever is still held up says so again. The byte comes back with what is read next.
    fn tell(&self) {
        let windows = self.windows();
        for size in [windows.receive.size() - 1, windows.receive.size()] {
            self.connection.set_receive_window(window(size));
        }
    }

    /// Done when the remote has said again that it is held up.
    async fn says_again(&self, said: u64) {
        while self.said() == said {
            self.changed.notified().await;
        }
    }

    /// How often the remote has said that it is held up.
    fn said(&self) -> u64 {
        self.said.load(Ordering::Relaxed)
    }

    fn add_room(&self) -> bool {
        let mut windows = self.windows();
        let added = windows.add_room();
        if added {
            self.connection.set_receive_window(window(windows.receive.size()));
        }
        added
    }

    /// Gives the windows the sizes that fit what goes through them, as far as there is memory for that.
    fn fit_windows(&self) {
        let (read, written) = (self.payload.read(), self.payload.written());
        let mut windows = self.windows();
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
        if receive > before.0 {
            self.changed.notify_one();
        }
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn window(size: u64) -> VarInt {
    VarInt::try_from(size).unwrap_or(VarInt::MAX)
}
