//! Pushes of others: who takes them, and when.

use crate::{
    Arrival, Extent, Inbox,
    exchange::{self, Failure},
    shared::Shared,
};
use futures_util::future::join_all;
use sinew_core::{ConnectionInfo, Instant, PeerId, Stream, code};
use sinew_runtime::{now, sleep_until};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often peers that have not pushed of late are looked for: they are small.
const SWEEP: Duration = Duration::from_secs(10);

/// The pushes that wait, by who sent them.
#[derive(Default)]
pub(crate) struct Pushes {
    inboxes: Mutex<Inboxes>,
}

#[derive(Default)]
struct Inboxes {
    by_peer: HashMap<PeerId, Inbox<Stream>>,
    swept: Instant,
}

impl Pushes {
    fn lock(&self) -> MutexGuard<'_, Inboxes> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrive(&self, stream: Stream) -> Arrival<Stream> {
        let (now, mut inboxes) = (now(), self.lock());
        inboxes.sweep(now);
        let inbox = inboxes.by_peer.entry(stream.peer()).or_default();
        inbox.arrive(now, stream)
    }

    /// Whether a push of `peer` was taken after `moment`.
    pub(crate) fn taken_since(&self, peer: &PeerId, moment: Instant) -> bool {
        let taken = |inbox: &Inbox<Stream>| inbox.has_taken_since(moment);
        self.lock().by_peer.get(peer).is_some_and(taken)
    }

    fn change<T>(&self, peer: &PeerId, change: impl FnOnce(&mut Inbox<Stream>, Instant) -> T) -> Option<T> {
        self.lock()
            .by_peer
            .get_mut(peer)
            .map(|inbox| change(inbox, now()))
    }
}

impl Inboxes {
    /// Forgets, once in a while, the peers that have not pushed of late.
    fn sweep(&mut self, now: Instant) {
        if now - self.swept > SWEEP {
            self.swept = now;
            self.by_peer.retain(|_, inbox| !inbox.is_forgettable(now));
        }
    }
}

/// Takes in one push, or leaves it to whoever is taking those of its peer.
pub(crate) async fn take(shared: &Shared, stream: Stream) {
    let peer = stream.peer();
    match shared.pushes.arrive(stream) {
        Arrival::Join => {}
        Arrival::Refused(stream) => stream.reset(code::stream::RATE_LIMITED),
        Arrival::Flood(stream) => shared.cut(&stream),
        Arrival::Lead(at) => {
            let mut lead = Lead {
                shared,
                peer,
                leading: true,
            };
            shared.while_running(lead.run(at)).await;
        }
    }
}

/// Takes the pushes of one peer, as long as some wait.
struct Lead<'a> {
    shared: &'a Shared,
    peer: PeerId,
    /// Until nothing waits any more: then the next push has a lead of its own.
    leading: bool,
}

impl Lead<'_> {
    async fn run(&mut self, first: Instant) {
        let mut next = Some(first);
        while let Some(at) = next {
            sleep_until(at).await;
            let waiting = self.shared.pushes.change(&self.peer, Inbox::take);
            let (streams, missed) = waiting.unwrap_or_default();
            if let Some(newest) = streams.last().map(|stream| stream.connection().clone()) {
                self.take_in(streams, &newest).await;
                if missed {
                    self.ask(&newest).await;
                }
            }
            next = self.shared.pushes.change(&self.peer, Inbox::done).flatten();
        }
        self.leading = false;
    }

    /// Reads pushes and takes in what they say together.
    async fn take_in(&self, streams: Vec<Stream>, newest: &Arc<ConnectionInfo>) {
        let within = self.shared.timeout;
        let read = join_all(
            streams
                .into_iter()
                .map(|stream| exchange::read_push(stream, within)),
        )
        .await;
        let merged = read
            .into_iter()
            .filter_map(|read| self.sound(read))
            .reduce(|mut known, newer| {
                known.update(newer);
                known
            });
        if let Some(message) = merged {
            // A lie has been logged and its connection closed.
            let _ = self.shared.take_in(message, newest, Extent::Changes);
        }
    }

    fn sound(&self, read: Result<crate::Message, Failure>) -> Option<crate::Message> {
        read.map_err(|failure| {
            let error = failure.of(self.peer, self.shared.timeout);
            tracing::debug!(peer = %self.peer, %error, "a push was not read");
        })
        .ok()
    }

    /// More came than could wait, and the last one counts: the answer to a request holds what it said.
    async fn ask(&self, newest: &ConnectionInfo) {
        if let Some(connection) = self.shared.host.connection_by_id(&self.peer, newest.id)
            && let Err(error) = self.shared.identify(&connection).await
        {
            tracing::debug!(peer = %self.peer, %error, "not identified after too many pushes");
        }
    }
}

impl Drop for Lead<'_> {
    /// Dropped half way, it makes room for another: the next push of the peer finds somebody to take it.
    fn drop(&mut self) {
        if self.leading {
            let left = self.shared.pushes.lock().by_peer.remove(&self.peer);
            // Outside the lock: dropping streams takes locks of others.
            drop(left);
        }
    }
}
