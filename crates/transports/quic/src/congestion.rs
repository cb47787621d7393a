//! Congestion control that keeps no acknowledgement back, and no queue.
//!
//! Acknowledgements are free of congestion control (RFC 9002, section 7), but quinn sends none while data waits for room in
//! the window. Two sides that send at once then wait for each other: each has filled its window, and holds the
//! acknowledgement that would empty the other's, until a probe is due, 25 ms and more after the round trip. So a reader that
//! finds the sender held up lends it room for the packet that the acknowledgement leaves with.
//!
//! And CUBIC grows its window until something is lost. Between processes of one machine and over short wires nothing is, so all
//! that flow control lets would be on its way, and requests would wait behind it. So the window ends where it fills the path.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use quinn::{
    Connection,
    congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig},
};
use quinn_proto::RttEstimator;

/// Datagrams that may be in flight beyond the window. quinn wants room for more than one to send one.
const LENT: u64 = 2;

/// Bytes a second, twice what one connection of quinn moves on fast hardware.
const FASTEST: u128 = 2_500_000_000;

/// Bytes that are moved while one of the ends waits for the processor, about a millisecond.
pub(crate) const AWAKE: u64 = 1024 * 1024;

/// Something has been sent since the window was last looked at.
const SENT: u8 = 0;
/// The window was looked at and nothing was sent: it may be full.
const HELD: u8 = 1;
/// It is full, and something has been read since: room is lent until something is sent.
const LENDING: u8 = 2;
/// The connection says goodbye, which quinn keeps back too.
const CLOSING: u8 = 3;
/// All that was sent is acknowledged: nothing is due to arrive.
const QUIET: u8 = 4;

/// What the sender of a connection waits for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn(Arc<State>);

#[derive(Debug, Default)]
struct State {
    step: AtomicU8,
    /// What the network takes.
    window: AtomicU64,
}

impl Turn {
    /// That of `connection`, if its controller is one of these.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        let controller = connection.congestion_state().into_any();
        controller.downcast::<Lending>().ok().map(|lending| lending.turn)
    }

    /// Something was read. Whether room is lent from now on because of that: the sender has to look again.
    pub(crate) fn lend(&self) -> bool {
        self.step(HELD, LENDING)
    }

    /// Only a goodbye leaves from now on: no window holds for it.
    pub(crate) fn close(&self) {
        self.0.step.store(CLOSING, Ordering::Relaxed);
    }

    /// Whether nothing is on its way whose acknowledgement would make the sender look again.
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.step.load(Ordering::Relaxed) == QUIET
    }

    /// Bytes that the network takes, as the sender last saw it.
    pub(crate) fn window(&self) -> u64 {
        self.0.window.load(Ordering::Relaxed)
    }

    /// Between two turns of the sender: `look` looks at the window, and the sender is not taken for held up.
    pub(crate) fn unseen<T>(&self, look: impl FnOnce() -> T) -> T {
        let sent = self.0.step.load(Ordering::Relaxed) == SENT;
        let seen = look();
        if sent {
            self.step(HELD, SENT);
        }
        seen
    }

    /// Whether it was `from`, and is `to` now.
    fn step(&self, from: u8, to: u8) -> bool {
        let (step, relaxed) = (&self.0.step, Ordering::Relaxed);
        step.load(relaxed) == from && step.compare_exchange(from, to, relaxed, relaxed).is_ok()
    }
}

/// Makes the controllers of connections: CUBIC, as quinn does by itself.
#[derive(Default)]
pub(crate) struct Factory(Arc<CubicConfig>);

impl ControllerFactory for Factory {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Lending {
            inner: self.0.clone().build(now, mtu),
            mtu,
            turn: Turn::default(),
        })
    }
}

/// Bytes on the way that fill a path with this round trip. What is sent beyond waits in queues, and all streams behind it.
fn fills(rtt: Duration) -> u64 {
    let bytes = rtt.as_nanos() * FASTEST / Duration::from_secs(1).as_nanos();
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(AWAKE)
}

/// A controller whose window is larger while room is lent.
struct Lending {
    inner: Box<dyn Controller>,
    mtu: u16,
    turn: Turn,
}

impl Controller for Lending {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        for from in [HELD, LENDING, QUIET] {
            self.turn.step(from, SENT);
        }
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        let app_limited = app_limited || self.inner.window() >= fills(rtt.min());
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        if in_flight == 0 {
            for from in [SENT, HELD, LENDING] {
                self.turn.step(from, QUIET);
            }
        }
        self.inner.on_end_acks(now, in_flight, app_limited, largest);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost_bytes: u64) {
        self.inner.on_congestion_event(now, sent, persistent, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu;
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        let window = self.inner.window();
        self.turn.0.window.store(window, Ordering::Relaxed);
        match self.turn.0.step.load(Ordering::Relaxed) {
            CLOSING => return u64::MAX,
            LENDING => return window + LENT * u64::from(self.mtu),
            _ => self.turn.step(SENT, HELD),
        };
        window
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    /// The clone is of the same connection.
    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            inner: self.inner.clone_box(),
            mtu: self.mtu,
            turn: self.turn.clone(),
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
