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
use sinew_core::ResourceScope;
use sinew_runtime::{now, sleep, timeout};
use tokio::sync::Notify;

use super::{payload::Payload, readers::Readers, window::SLOW, windows::Windows};
use crate::Config;

/// How long a remote that is held up waits, two round trips at least, before it is looked whether it was told of more room.
const PAUSE: Duration = Duration::from_millis(100);

/// How long streams that nobody reads may hold up the others of their connection, as in yamux.
const PATIENCE: Duration = Duration::from_secs(5);

/// The windows of a connection, and what goes through them.
pub(crate) struct Flow {
    connection: Connection,
    pub(crate) payload: Payload,
    pub(crate) readers: Readers,
    /// How many bytes have to be read for the receive window to be worth a look.
    worth_a_look: AtomicU64,
    windows: Mutex<Windows>,
    /// How often the remote has said that the window of the connection holds it up.
    held_up: AtomicU64,
    /// How often it had been told of more room then.
    told: AtomicU64,
    /// That was said again, or a window has grown.
    changed: Notify,
}

impl Flow {
    pub(crate) fn new(connection: Connection, config: &Config, scope: Arc<dyn ResourceScope>) -> Self {
        Self {
            connection,
            payload: Payload::new(now()),
            readers: Readers::default(),
            worth_a_look: AtomicU64::new(u64::from(config.connection_window) / 4),
            windows: Mutex::new(Windows::new(config, scope)),
            held_up: AtomicU64::new(0),
            told: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// So many bytes were read: the receive window may have to grow.
    pub(crate) fn received(&self, bytes: usize) {
        if self.payload.add_read(bytes) >= self.worth_a_look.load(Ordering::Relaxed) {
            self.fit_windows();
        }
    }

    /// Something may have arrived: looks whether the remote is held up. quinn counts that and tells nobody.
    pub(crate) fn look(&self) {
        let stats = self.connection.stats();
        let said = stats.frame_rx.data_blocked;
        if said != self.held_up.load(Ordering::Relaxed) {
            self.told.store(stats.frame_tx.max_data, Ordering::Relaxed);
            self.held_up.store(said, Ordering::Relaxed);
            self.changed.notify_one();
        }
    }

    /// Lets the sender look again at what holds it up.
    pub(crate) fn nudge(&self) {
        self.connection.set_send_window(self.windows().send.size());
    }

    /// A writer has to wait. Whether the send window has grown, because the network takes more than it holds.
    pub(crate) fn makes_room(&self) -> bool {
        let network = self.connection.stats().path.cwnd;
        let mut windows = self.windows();
        if !windows.grow_send(network) {
            return false;
        }
        self.connection.set_send_window(windows.send.size());
        self.changed.notify_one();
        true
    }

    /// Looks after windows that have grown, also while nothing goes through them, and after a remote that is held up. Sleeps
    /// without a timer while there is neither.
    pub(crate) async fn watch(&self) -> Infallible {
        let mut heard = 0;
        loop {
            self.changed.notified().await;
            loop {
                let said = self.held_up.load(Ordering::Relaxed);
                if heard != said {
                    heard = said;
                    self.relieve().await;
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

    /// The remote is held up, and stays so unless it is told of more room: somebody does not read what fills the window.
    /// There is some more room for the others then, and when there is none, who does not read gives way.
    async fn relieve(&self) {
        sleep(PAUSE.max(2 * self.connection.rtt())).await;
        if !self.holds_up() || self.add_room() {
            return;
        }
        loop {
            self.readers.watch();
            sleep(PATIENCE).await;
            if !self.holds_up() || !self.readers.give_up_unread() {
                return;
            }
        }
    }

    /// Whether the remote was told of no more room since it said that it is held up. Else it says so again.
    fn holds_up(&self) -> bool {
        self.connection.stats().frame_tx.max_data == self.told.load(Ordering::Relaxed)
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
