//! Who is connected: the feeds that follow it, one pending snapshot a peer at most.

use crate::shared::Shared;
use sinew_core::{PeerState, WatchPeers};
use sinew_identity::PeerId;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

/// All feeds of a host.
#[derive(Default)]
pub(crate) struct Feeds {
    feeds: Mutex<Vec<Weak<Mutex<Feed>>>>,
}

/// What one follower has not seen yet.
#[derive(Default)]
struct Feed {
    changed: BTreeSet<PeerId>,
    waker: Option<Waker>,
    ended: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feeds {
    /// Tells every follower that something about `peer` changed.
    pub(crate) fn changed(&self, peer: PeerId) {
        self.each(|feed| {
            feed.changed.insert(peer);
        });
    }

    /// Tells every follower that nothing more comes.
    pub(crate) fn end(&self) {
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
        // After it was added, so that a peer that comes between is seen at least once.
        lock(&feed).changed.extend(shared.table.peers());
        Follower { feed, shared }
    }
}

struct Follower {
    feed: Arc<Mutex<Feed>>,
    shared: Arc<Shared>,
}

impl WatchPeers for Follower {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<PeerState>> {
        let peer = {
            let mut feed = lock(&self.feed);
            match feed.changed.pop_first() {
                Some(peer) => peer,
                None if feed.ended => return Poll::Ready(None),
                None => {
                    feed.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        Poll::Ready(Some(self.shared.peer_state(peer)))
    }
}
