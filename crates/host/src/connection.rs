//! The task of an established connection: bytes, inbound streams, idleness, and the end.

use crate::{
    addresses::Addresses,
    entry::{Entry, Worth},
    limits::Place,
    machine::idle::Usage,
    part::Part,
    shared::Shared,
    streams, trim,
};
use futures_util::future::BoxFuture;
use sinew_core::{
    AcceptStreams, CloseReason, ConnectionEvent, Learned, Lifetime, Muxed, MuxedStream, RECENTLY_CONNECTED,
};
use sinew_identity::PeerId;
use sinew_machine::{CloseCode, Direction, Instant, code};
use sinew_runtime::{Timer, now, timeout};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tracing::Instrument;

/// How long a connection that is refused after its handshake may take to say so.
const FAREWELL: Duration = Duration::from_secs(2);

/// So many may do so at once. Of those of QUIC, which have no descriptor each, no limit counts any.
pub(crate) const FAREWELLS: usize = 256;

/// Inbound streams taken in one go before the bytes move on.
const STREAMS_A_TURN: usize = 32;

/// Tells everybody of a connection that is in the table, unless it is hidden, and starts its task.
pub(crate) fn begin(shared: &Arc<Shared>, entry: &Arc<Entry>, muxed: Muxed) {
    let info = &entry.info;
    tracing::debug!(connection = %info.id, peer = %info.peer, direction = %info.direction, remote = %info.remote, "connected");
    shared.parts().meter.connection_opened(info);
    if !entry.standing.hidden {
        mark_connected(shared, &info.peer);
        remember_address(shared, entry);
        shared
            .feeds
            .changed(info.peer, || shared.table.contains(&info.peer));
        shared.bus.publish(|| ConnectionEvent::Opened(info.clone()));
    }
    trim::notice(shared);
    let task = Task::new(shared.clone(), entry.clone(), muxed);
    let span = tracing::debug_span!("connection", id = %info.id, peer = %info.peer);
    shared
        .connections
        .spawn("connection", task.run().instrument(span));
}

/// Closes a connection that never came into the table. What it holds counts until it is gone. In a flood of such, the
/// others end without a word.
pub(crate) fn farewell(shared: &Shared, muxed: Muxed, code: CloseCode, place: Option<Place>) {
    let Ok(turn) = shared.farewells.clone().try_acquire_owned() else {
        return;
    };
    muxed.handle.close(code);
    shared.connections.spawn("farewell", async move {
        // Either it said goodbye, or it had its time.
        let _ = timeout(FAREWELL, muxed.driver).await;
        drop((place, turn));
    });
}

/// An address that we dialled is worth keeping, also when the connection has ended; the one that an inbound connection
/// came from seldom listens.
fn remember_address(shared: &Shared, entry: &Entry) {
    let info = &entry.info;
    if info.direction == Direction::Outbound {
        shared.peerstore().add_addrs(
            &info.peer,
            std::slice::from_ref(&info.remote),
            Lifetime::For(RECENTLY_CONNECTED),
            now(),
        );
    }
}

/// How far the peer was, where its muxer has measured it.
fn remember_latency(shared: &Shared, entry: &Entry) {
    let mut learned = Learned::default();
    learned.latency = entry.muxed.rtt();
    if learned.latency.is_some() {
        shared.peerstore().update(&entry.info.peer, &learned, now());
    }
}

/// Tells the peerstore whether a peer is connected. Connections of one peer come and go at once: whoever writes last
/// has seen the table as it is, because the table is looked at again after writing.
fn mark_connected(shared: &Shared, peer: &PeerId) {
    loop {
        let connected = shared.table.contains(peer);
        shared.peerstore().set_connected(peer, connected, now());
        if shared.table.contains(peer) == connected {
            return;
        }
    }
}

struct Task {
    /// However the task ends, also when it is dropped before it ran, the connection leaves the table.
    leave: Leave,
    accept: Option<Box<dyn AcceptStreams>>,
    /// Whether the remote has opened streams: the driver finds out, in the same turn.
    opened: Arc<Part>,
    driver: BoxFuture<'static, CloseReason>,
    timer: Timer,
    look: Option<Instant>,
}

impl Task {
    fn new(shared: Arc<Shared>, entry: Arc<Entry>, muxed: Muxed) -> Self {
        let look = Some(now() + shared.parts().timeouts.idle_policy().spare);
        let Muxed { accept, driver, .. } = muxed;
        let leave = Leave {
            shared,
            entry,
            reason: None,
        };
        Self {
            leave,
            accept: Some(accept),
            opened: Part::new(),
            driver,
            timer: Timer::new(),
            look,
        }
    }

    async fn run(mut self) {
        let told = poll_fn(|cx| self.poll(cx)).await;
        self.leave.reason = Some(self.leave.entry.reason(told));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        self.opened.begin(cx);
        if let Poll::Ready(reason) = self.driver.as_mut().poll(cx) {
            return Poll::Ready(reason);
        }
        if self.opened.take() {
            self.poll_streams();
        }
        while self.timer.poll(cx, self.look).is_ready() {
            self.look = self.look_after_idle();
        }
        if self.opened.end() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn poll_streams(&mut self) {
        let Some(accept) = &mut self.accept else { return };
        let waker = Waker::from(self.opened.clone());
        for _ in 0..STREAMS_A_TURN {
            match accept.poll_accept(&mut Context::from_waker(&waker)) {
                Poll::Ready(Ok(stream)) => take_stream(&self.leave.shared, &self.leave.entry, stream),
                Poll::Ready(Err(_)) => {
                    self.accept = None;
                    return;
                }
                Poll::Pending => return,
            }
        }
        waker.wake();
    }

    /// Closes the connection if nobody has used it for long enough, and says when to look again.
    fn look_after_idle(&self) -> Option<Instant> {
        let Leave { shared, entry, .. } = &self.leave;
        let info = &entry.info;
        let protected = !entry.standing.hidden && shared.table.is_protected(&info.peer);
        let usage = Usage {
            in_use: protected || entry.is_used(),
            last_used: entry.last_used(),
            spare: entry.standing.hidden || shared.table.is_spare(entry),
        };
        let now = now();
        let policy = shared.parts().timeouts.idle_policy();
        policy.look_again(now, usage).or_else(|| {
            if entry.retire_if_unused() {
                entry.close(code::connection::GARBAGE_COLLECTED);
                return None;
            }
            Some(now + policy.spare)
        })
    }
}

/// Gives an inbound stream a task of its own, if its connection has room for it.
fn take_stream(shared: &Arc<Shared>, entry: &Arc<Entry>, mut stream: Box<dyn MuxedStream>) {
    let Some(used) = entry.acquire(Worth::Negotiating) else {
        return stream.reset(code::stream::SHUTDOWN);
    };
    // What was refused is logged and counted by the scope.
    let Ok(place) = entry.place.scope().stream(Direction::Inbound) else {
        return stream.reset(code::stream::RESOURCE_LIMIT);
    };
    let info = &entry.info;
    let span = tracing::debug_span!("stream", connection = %info.id, peer = %info.peer, id = %stream.id());
    let inbound = streams::Inbound::new(shared.clone(), used, place);
    shared
        .handlers
        .spawn("inbound stream", inbound.serve(stream).instrument(span));
}

/// Takes a connection out of everything that knows it.
struct Leave {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    reason: Option<CloseReason>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let (shared, info) = (&self.shared, &self.entry.info);
        let reason = self
            .reason
            .take()
            .unwrap_or(CloseReason::Local(code::connection::SHUTDOWN));
        tracing::debug!(connection = %info.id, peer = %info.peer, %reason, "disconnected");
        // Before it leaves: a dial meanwhile does not take it.
        self.entry.spend();
        shared.parts().meter.connection_closed(info, &reason);
        shared.table.remove(info);
        // Handles of it may live on; they keep no place from its peer or from others.
        self.entry.place.end();
        shared.places().leave(info.id);
        Addresses::forget(shared, info.id);
        if self.entry.standing.hidden {
            return;
        }
        mark_connected(shared, &info.peer);
        remember_latency(shared, &self.entry);
        shared
            .feeds
            .changed(info.peer, || shared.table.contains(&info.peer));
        shared
            .bus
            .publish(|| ConnectionEvent::Closed(info.clone(), reason));
    }
}
