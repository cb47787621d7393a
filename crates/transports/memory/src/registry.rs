//! Who listens on which number in this process.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc;

use crate::listener::Arrival;

/// Connections that wait to be accepted at one listener; as many as the backlog of a busy TCP listener.
const BACKLOG: usize = 1024;

/// Numbers below are left to those who choose their own.
const FIRST_FREE: u64 = 1 << 32;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    listeners: BTreeMap::new(),
    next: FIRST_FREE,
});

struct Registry {
    listeners: BTreeMap<u64, mpsc::Sender<Arrival>>,
    next: u64,
}

/// A number that is listened on until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim(u64);

impl Claim {
    /// Claims `number`, or a free one for 0. `None` if it is taken.
    pub(crate) fn new(number: u64) -> Option<(Self, mpsc::Receiver<Arrival>)> {
        let mut registry = lock();
        let number = if number == 0 { registry.free() } else { number };
        let Entry::Vacant(place) = registry.listeners.entry(number) else {
            return None;
        };
        let (sender, receiver) = mpsc::channel(BACKLOG);
        place.insert(sender);
        Some((Self(number), receiver))
    }

    pub(crate) fn number(&self) -> u64 {
        self.0
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock().listeners.remove(&self.0);
    }
}

/// Where to knock for `number`, if anybody listens on it.
pub(crate) fn find(number: u64) -> Option<mpsc::Sender<Arrival>> {
    lock().listeners.get(&number).cloned()
}

/// A number of its own for the dialling end of a connection.
pub(crate) fn fresh() -> u64 {
    lock().free()
}

impl Registry {
    fn free(&mut self) -> u64 {
        while self.listeners.contains_key(&self.next) {
            self.next += 1;
        }
        let free = self.next;
        self.next += 1;
        free
    }
}

fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}
