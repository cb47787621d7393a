//! The table of established connections, and which of several to one peer is used.

use crate::entry::Entry;
use sinew_core::ConnectionInfo;
use sinew_identity::PeerId;
use sinew_machine::{ConnectionId, Direction};
use std::{
    collections::{BTreeSet, HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Shards, so that opening a stream on one core does not meet the others at a lock.
const SHARDS: usize = 16;

type Shard = HashMap<PeerId, Peer>;

/// Connections that were established no further apart came of two dials at once: neither end knew of the other's.
const AT_ONCE: Duration = Duration::from_secs(5);

/// All established connections by peer. Hidden ones count against the limit, are found by their id, and end with the
/// others; nobody else is told of them.
pub(crate) struct Table {
    local: PeerId,
    hasher: RandomState,
    shards: [RwLock<Shard>; SHARDS],
    generations: AtomicU32,
    count: AtomicUsize,
    protected: RwLock<HashMap<PeerId, BTreeSet<&'static str>>>,
}

struct Peer {
    generation: u32,
    entries: Vec<Arc<Entry>>,
}

impl Peer {
    fn visible(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().filter(|entry| !entry.standing.hidden)
    }

    fn is_visible(&self) -> bool {
        self.visible().next().is_some()
    }
}

fn at_once(a: &Entry, b: &Entry) -> bool {
    (a.established - b.established).max(b.established - a.established) <= AT_ONCE
}

impl Table {
    pub(crate) fn new(local: PeerId) -> Self {
        let shards = std::array::from_fn(|_| RwLock::default());
        let (hasher, generations, protected) = (RandomState::new(), AtomicU32::new(1), RwLock::default());
        Self {
            local,
            hasher,
            shards,
            generations,
            count: AtomicUsize::new(0),
            protected,
        }
    }

    fn read(&self, peer: &PeerId) -> RwLockReadGuard<'_, Shard> {
        self.shard(peer).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, peer: &PeerId) -> RwLockWriteGuard<'_, Shard> {
        self.shard(peer).write().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, peer: &PeerId) -> &RwLock<Shard> {
        let shards = SHARDS as u64;
        &self.shards
            [usize::try_from(self.hasher.hash_one(peer) % shards).expect("less than the number of shards")]
    }

    /// Adds a connection.
    pub(crate) fn insert(&self, entry: Arc<Entry>) {
        let peer = entry.info.peer;
        let mut shard = self.write(&peer);
        let known = shard.entry(peer).or_insert_with(|| Peer {
            generation: 0,
            entries: Vec::with_capacity(1),
        });
        if !known.is_visible() {
            known.generation = self.generations.fetch_add(1, Ordering::Relaxed);
        }
        known.entries.push(entry);
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Removes a connection.
    pub(crate) fn remove(&self, info: &ConnectionInfo) {
        let mut shard = self.write(&info.peer);
        if let Some(known) = shard.get_mut(&info.peer) {
            let before = known.entries.len();
            known.entries.retain(|entry| entry.info.id != info.id);
            self.count
                .fetch_sub(before - known.entries.len(), Ordering::AcqRel);
            if known.entries.is_empty() {
                shard.remove(&info.peer);
            }
        }
    }

    /// How many connections there are, hidden ones too.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether `peer` has a connection that others may know of.
    pub(crate) fn contains(&self, peer: &PeerId) -> bool {
        self.read(peer).get(peer).is_some_and(Peer::is_visible)
    }

    /// The connection for new streams to `peer`, of those that take any: healthy before doubtful, direct before
    /// limited, then the newest; of those that came with the newest, as two dials at once do, the one that both sides
    /// choose alike.
    pub(crate) fn best(&self, peer: &PeerId, limited: bool) -> Option<Arc<Entry>> {
        let shard = self.read(peer);
        let usable = || {
            let entries = shard.get(peer).into_iter().flat_map(Peer::visible);
            entries.filter(|entry| !entry.is_spent() && (limited || !entry.info.limited))
        };
        let class = |entry: &Entry| (entry.is_healthy(), !entry.info.limited);
        let newest = usable().max_by_key(|entry| (class(entry), entry.established, entry.info.id))?;
        usable()
            .filter(|entry| class(entry) == class(newest) && at_once(entry, newest))
            .max_by_key(|entry| (self.is_agreed(&entry.info), entry.info.id))
            .cloned()
    }

    /// Whether it is of the direction that both ends choose of two dials at once: dialled by the smaller peer id.
    fn is_agreed(&self, info: &ConnectionInfo) -> bool {
        let ours = info.direction == Direction::Outbound;
        ours == (self.local < info.peer)
    }

    /// Whether the connection is left over from two dials at once: new streams take one that the other side opened, and
    /// both ends agree on that. Of two that one side opened the ends may choose differently, and if each closed the
    /// other's choice none would be left; what one end holds for healthy the other end may doubt.
    pub(crate) fn is_spare(&self, spare: &Entry) -> bool {
        let info = &spare.info;
        !self.is_agreed(info)
            && self
                .read(&info.peer)
                .get(&info.peer)
                .into_iter()
                .flat_map(Peer::visible)
                .any(|entry| {
                    !entry.is_spent()
                        && at_once(entry, spare)
                        && entry.info.limited == info.limited
                        && self.is_agreed(&entry.info)
                })
    }

    /// A connection by its id.
    pub(crate) fn find(&self, peer: &PeerId, id: ConnectionId) -> Option<Arc<Entry>> {
        self.entries(peer).into_iter().find(|entry| entry.info.id == id)
    }

    /// The connections to `peer`, hidden ones too.
    pub(crate) fn entries(&self, peer: &PeerId) -> Vec<Arc<Entry>> {
        self.read(peer)
            .get(peer)
            .map(|known| known.entries.clone())
            .unwrap_or_default()
    }

    /// The generation of `peer`, zero while it is gone, with its connections.
    pub(crate) fn state(&self, peer: &PeerId) -> (u32, Arc<[Arc<ConnectionInfo>]>) {
        let shard = self.read(peer);
        let Some(known) = shard.get(peer).filter(|known| known.is_visible()) else {
            return (0, Arc::new([]));
        };
        (
            known.generation,
            known.visible().map(|entry| entry.info.clone()).collect(),
        )
    }

    /// Every connected peer.
    pub(crate) fn peers(&self) -> Vec<PeerId> {
        self.collect(|peer, known| known.is_visible().then_some(*peer).into_iter().collect())
    }

    /// Every connection, hidden ones too, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        let mut all = self.collect(|_, known| known.entries.clone());
        all.sort_unstable_by_key(|entry| entry.info.id);
        all
    }

    fn collect<T>(&self, each: impl Fn(&PeerId, &Peer) -> Vec<T>) -> Vec<T> {
        let read = |shard: &RwLock<Shard>| -> Vec<T> {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.iter().flat_map(|(peer, known)| each(peer, known)).collect()
        };
        self.shards.iter().flat_map(read).collect()
    }

    /// Sets or takes back a tag that protects `peer`.
    pub(crate) fn protect(&self, peer: &PeerId, tag: &'static str, on: bool) {
        let mut protected = self.protected.write().unwrap_or_else(PoisonError::into_inner);
        if on {
            protected.entry(*peer).or_default().insert(tag);
        } else if let Some(tags) = protected.get_mut(peer) {
            tags.remove(tag);
            if tags.is_empty() {
                protected.remove(peer);
            }
        }
    }

    pub(crate) fn is_protected(&self, peer: &PeerId) -> bool {
        self.protected
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(peer)
    }
}
