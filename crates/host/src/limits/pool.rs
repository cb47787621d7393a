//! The pool of unread bytes: one for all connections, with a share each.
//!
//! A connection may leave unread as much as nobody else does: its share is what is free in the pool. One alone gets
//! half of it, twenty get a twenty-first part each, and what they hold together never exceeds the pool. Who held
//! much before others came is over its share then, and not read from until it is within. The first
//! [`OWN`] bytes of each connection are its own and not counted, so that small messages touch no memory that all
//! processors share, and a full pool stops nobody's.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that every connection may leave unread whatever others do: a quarter of the window that yamux promises for
/// each stream.
pub(crate) const OWN: u64 = 64 << 10;

/// The pool.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: u64,
    held: AtomicU64,
}

impl Pool {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            held: AtomicU64::new(0),
        }
    }

    /// A connection left `before` bytes unread and now leaves `now`. Answers its share.
    pub(crate) fn change(&self, before: u64, now: u64) -> u64 {
        let (before, now) = (before.saturating_sub(OWN), now.saturating_sub(OWN));
        let held = if now > before {
            self.held.fetch_add(now - before, Ordering::Relaxed) + (now - before)
        } else if now < before {
            self.held.fetch_sub(before - now, Ordering::Relaxed) - (before - now)
        } else {
            self.held.load(Ordering::Relaxed)
        };
        OWN.saturating_add(self.limit.saturating_sub(held))
    }

    /// Bytes beyond each connection's own.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}
