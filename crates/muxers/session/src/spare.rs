//! Buffers that lie ready for whichever connection wants one next.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The most of them: 8 MiB, as much as may lie unread by default before sockets are left alone.
const MOST: usize = 64;

/// Buffers of the largest size: readers give back many at once, and memory that the allocator has is memory that the system
/// takes away and gives again page by page. They are kept while any connection reads into such.
#[derive(Debug)]
pub(crate) struct Spare(Mutex<Ready>);

#[derive(Debug)]
struct Ready {
    /// Connections that read into the largest buffers now.
    readers: usize,
    buffers: Vec<Vec<u8>>,
}

impl Spare {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Ready {
            readers: 0,
            buffers: Vec::new(),
        }))
    }

    /// A connection reads into the largest buffers from now on.
    pub(crate) fn begin(&self) {
        self.lock().readers += 1;
    }

    /// It does no more. The last one gives back what lies ready.
    pub(crate) fn end(&self) {
        let mut ready = self.lock();
        ready.readers -= 1;
        if ready.readers == 0 {
            let buffers = mem::take(&mut ready.buffers);
            // Nobody waits for the system to take them.
            drop(ready);
            drop(buffers);
        }
    }

    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        self.lock().buffers.pop()
    }

    /// Keeps a buffer, if it is of use.
    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let mut ready = self.lock();
        if ready.readers > 0 && ready.buffers.len() < MOST {
            ready.buffers.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ready> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lie ready.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().buffers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Spare};

    #[test]
    fn some_lie_ready_while_anybody_wants_them() {
        let spare = Spare::new();
        spare.give(vec![7]);
        assert_eq!(spare.take(), None, "nobody reads");
        spare.begin();
        spare.begin();
        spare.give(vec![7]);
        spare.end();
        assert_eq!(spare.take(), Some(vec![7]), "one still reads");
        (0..2 * MOST).for_each(|_| spare.give(vec![7]));
        assert_eq!(spare.len(), MOST);
        spare.end();
        assert_eq!(spare.len(), 0);
    }
}
