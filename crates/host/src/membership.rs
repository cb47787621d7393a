//! Who is connected: the feeds that follow it, one pending snapshot a peer at most.

use crate::shared::Shared;
use sinew_core::{PeerState, WatchPeers};
use sinew_identity::PeerId;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// All feeds of a host.
#[derive(Default)]
pub(crate) struct Feeds {
    feeds: Mutex<Vec<Weak<Mutex<Feed>>>>,
    ended: AtomicBool,
}

/// What one follower has not seen yet.
#[derive(Default)]
struct Feed {
    changed: BTreeSet<PeerId>,
    /// Those it was told are connected, and not since that they are gone.
    known: BTreeSet<PeerId>,
    waker: Option<Waker>,
    ended: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feeds {
    /// Tells every follower that something about `peer` changed. A peer that is gone before a follower saw it is
    /// nothing to tell, so that strangers who come and go do not fill the memory of a slow one.
    pub(crate) fn changed(&self, peer: PeerId, is_connected: impl Fn() -> bool) {
        self.each(|feed| {
            // Asked under the lock of the feed: whoever connects later tells later.
            if feed.known.contains(&peer) || is_connected() {
                feed.changed.insert(peer);
            } else {
                feed.changed.remove(&peer);
            }
        });
    }

    /// Tells every follower that nothing more comes.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.each(|feed| feed.ended = true);
    }

    fn each(&self, mut change: impl FnMut(&mut Feed)) {
        lock(&self.feeds).retain(|feed| {
            let Some(feed) = feed.upgrade() else { return false };
            let waker = {
                let mut feed = lock(&feed);
                change(&mut feed);
                feed.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
            true
        });
    }

    /// A follower that begins with every connected peer.
    pub(crate) fn follow(&self, shared: Arc<Shared>) -> impl WatchPeers + use<> {
        let feed = Arc::new(Mutex::new(Feed::default()));
        lock(&self.feeds).push(Arc::downgrade(&feed));
        // After it was added, so that a peer that comes between is seen at least once, and so is the end.
        lock(&feed).changed.extend(shared.table.peers());
        if self.ended.load(Ordering::SeqCst) {
            lock(&feed).ended = true;
        }
        Follower { feed, shared }
    }
}

struct Follower {
    feed: Arc<Mutex<Feed>>,
    shared: Arc<Shared>,
}

impl WatchPeers for Follower {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<PeerState>> {
        loop {
            let (peer, is_new) = {
                let mut feed = lock(&self.feed);
                match feed.changed.pop_first() {
                    // Known from here on: if it goes while its state is taken, that is told next.
                    Some(peer) => (peer, feed.known.insert(peer)),
                    None if feed.ended => return Poll::Ready(None),
                    None => {
                        feed.waker = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                }
            };
            let state = self.shared.peer_state(peer);
            if !state.is_connected() {
                lock(&self.feed).known.remove(&peer);
                if is_new {
                    continue;
                }
            }
            return Poll::Ready(Some(state));
        }
    }
}
