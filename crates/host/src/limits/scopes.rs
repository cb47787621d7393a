//! Scopes by key: made when first asked for, gone when nobody holds them.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    ops::Deref,
    sync::{Arc, PoisonError, RwLock, Weak},
};

/// Shards, so that those who look for different keys seldom meet at a lock.
const SHARDS: usize = 16;

type Shard<K, S> = RwLock<HashMap<K, Weak<Member<K, S>>>>;

/// The scopes of one kind. As many as are held by somebody.
#[derive(Debug)]
pub(crate) struct Scopes<K: Eq + Hash, S> {
    hasher: RandomState,
    shards: [Shard<K, S>; SHARDS],
}

/// One scope with its key.
#[derive(Debug)]
pub(crate) struct Member<K: Eq + Hash, S> {
    pub(crate) key: K,
    scope: S,
    home: Arc<Scopes<K, S>>,
}

impl<K: Eq + Hash + Clone, S: Default> Scopes<K, S> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
        })
    }

    /// The scope of `key`.
    pub(crate) fn of(self: &Arc<Self>, key: &K) -> Arc<Member<K, S>> {
        let shard = self.shard(key);
        let known = shard.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = known.get(key).and_then(Weak::upgrade) {
            return member;
        }
        drop(known);
        let mut known = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = known.get(key).and_then(Weak::upgrade) {
            return member;
        }
        let member = Arc::new(Member {
            key: key.clone(),
            scope: S::default(),
            home: self.clone(),
        });
        known.insert(key.clone(), Arc::downgrade(&member));
        member
    }

    /// Every scope that somebody holds.
    pub(crate) fn all(&self) -> Vec<Arc<Member<K, S>>> {
        let of = |shard: &Shard<K, S>| -> Vec<_> {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.values().filter_map(Weak::upgrade).collect()
        };
        self.shards.iter().flat_map(of).collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        let of = |shard: &Shard<K, S>| shard.read().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(of).sum()
    }
}

impl<K: Eq + Hash, S> Scopes<K, S> {
    fn shard(&self, key: &K) -> &Shard<K, S> {
        let index = self.hasher.hash_one(key) % SHARDS as u64;
        &self.shards[usize::try_from(index).expect("less than the number of shards")]
    }
}

impl<K: Eq + Hash, S> Deref for Member<K, S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.scope
    }
}

impl<K: Eq + Hash, S> Drop for Member<K, S> {
    fn drop(&mut self) {
        let shard = self.home.shard(&self.key);
        let mut known = shard.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have asked for the key since, and holds a new one.
        if known
            .get(&self.key)
            .is_some_and(|member| member.strong_count() == 0)
        {
            known.remove(&self.key);
        }
    }
}
