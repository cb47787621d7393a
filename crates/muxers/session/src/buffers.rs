//! The buffers that a connection is read into: small at first, grown with use, used again, given back.

use crate::spare::Spare;
use bytes::Bytes;
use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The first buffer of a connection: an idle one must stay cheap.
const SMALLEST: usize = 2 * 1024;

/// The largest: two of the largest messages of Noise in one read.
const LARGEST: usize = 128 * 1024;

/// Buffers of a quarter of that which have to be filled before there are the largest: 256 KiB, and what filled the smaller
/// ones. That is more than a peer can send on a stream that nobody reads, so whoever only does that never gets them.
const EARNED: u32 = 8;

/// Buffers that are kept to be used again, while their slices are with the readers.
const KEPT: usize = 4;

/// Those of the largest size that lie ready, for all connections of the process.
static SPARE: Spare = Spare::new();

/// Bytes of read buffers of one connection.
pub(crate) type Gauge = Arc<AtomicUsize>;

/// A buffer whose bytes are all initialised, so that it can be filled again and again without being cleared.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    gauge: Gauge,
    spare: &'static Spare,
}

impl Buffer {
    fn new(size: usize, gauge: &Gauge, spare: &'static Spare) -> Self {
        gauge.fetch_add(size, Ordering::Relaxed);
        let ready = if size == LARGEST { spare.take() } else { None };
        Self {
            bytes: ready.unwrap_or_else(|| vec![0; size]),
            gauge: gauge.clone(),
            spare,
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.gauge.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        if self.bytes.len() == LARGEST {
            self.spare.give(mem::take(&mut self.bytes));
        }
    }
}

/// What slices of a buffer hold on to.
struct Owner {
    buffer: Arc<Buffer>,
    lent: Gauge,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.lent.fetch_sub(self.buffer.bytes.len(), Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.buffer.bytes
    }
}

/// The read buffers of one connection.
#[derive(Debug)]
pub(crate) struct Buffers {
    size: usize,
    /// How many of the present size were filled.
    filled: u32,
    kept: VecDeque<Arc<Buffer>>,
    gauge: Gauge,
    lent: Gauge,
    spare: &'static Spare,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self::with(&SPARE)
    }

    fn with(spare: &'static Spare) -> Self {
        Self {
            size: SMALLEST,
            filled: 0,
            kept: VecDeque::new(),
            gauge: Gauge::default(),
            lent: Gauge::default(),
            spare,
        }
    }

    /// Bytes of all buffers that somebody still holds a slice of, or that are kept here.
    pub(crate) fn held(&self) -> usize {
        self.gauge.load(Ordering::Relaxed)
    }

    /// Counts the bytes of buffers that somebody holds a slice of.
    pub(crate) fn lent(&self) -> &Gauge {
        &self.lent
    }

    /// Lets `read` fill a buffer and gives what it said it filled.
    pub(crate) fn fill<E>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Option<Bytes>, E> {
        let mut buffer = self.free();
        let Some(unique) = Arc::get_mut(&mut buffer) else {
            return Ok(None);
        };
        let room = unique.bytes.len();
        let result = read(&mut unique.bytes);
        let count = *result.as_ref().unwrap_or(&0);
        if count == 0 {
            self.kept.push_front(buffer);
            return result.map(|_| None);
        }
        self.learn(count, room);
        self.lent.fetch_add(room, Ordering::Relaxed);
        let owner = Owner {
            buffer: buffer.clone(),
            lent: self.lent.clone(),
        };
        let filled = Bytes::from_owner(owner).slice(..count.min(room));
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(buffer);
        Ok(Some(filled))
    }

    /// Chooses the size of the next buffer, after `count` bytes came into one of `room`.
    fn learn(&mut self, count: usize, room: usize) {
        if count == room {
            self.filled += 1;
            if room * 4 < LARGEST || self.filled >= EARNED {
                self.resize((room * 4).min(LARGEST));
            }
        } else if room < LARGEST && count < room / 4 {
            self.resize((room / 4).max(SMALLEST));
        }
    }

    fn resize(&mut self, size: usize) {
        match (self.size == LARGEST, size == LARGEST) {
            (false, true) => self.spare.begin(),
            (true, false) => self.spare.end(),
            _ => {}
        }
        (self.size, self.filled) = (size, 0);
    }

    /// Leaves every buffer to others and starts small again.
    pub(crate) fn clear(&mut self) {
        self.resize(SMALLEST);
        self.kept = VecDeque::new();
    }

    /// Whether so much arrived that a connection should give back what it holds once it is idle.
    pub(crate) fn is_grown(&self) -> bool {
        self.size > SMALLEST
    }

    /// Nothing arrives for now: only the largest buffers, which cost time to make, are kept for what comes next.
    pub(crate) fn rest(&mut self) {
        if self.size < LARGEST {
            self.kept.clear();
        }
    }

    /// A buffer of the present size of which nobody holds a slice.
    fn free(&mut self) -> Arc<Buffer> {
        self.kept.retain(|buffer| buffer.bytes.len() == self.size);
        let free = self.kept.iter().position(|buffer| Arc::strong_count(buffer) == 1);
        free.and_then(|at| self.kept.remove(at))
            .unwrap_or_else(|| Arc::new(Buffer::new(self.size, &self.gauge, self.spare)))
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffers, EARNED, LARGEST, SMALLEST};
    use crate::spare::Spare;
    use std::{convert::Infallible, sync::atomic::Ordering};

    fn fill(buffers: &mut Buffers, count: usize) -> bytes::Bytes {
        buffers
            .fill(|room| {
                let count = count.min(room.len());
                room[..count].fill(7);
                Ok::<_, Infallible>(count)
            })
            .unwrap_or_else(|never| match never {})
            .expect("something was read")
    }

    #[test]
    fn buffers_grow_while_they_are_filled() {
        let mut buffers = Buffers::new();
        let sizes: Vec<usize> = (0..12).map(|_| fill(&mut buffers, usize::MAX).len()).collect();
        assert_eq!(sizes[..3], [SMALLEST, 8 << 10, 32 << 10]);
        assert_eq!(sizes[2..10], [32 << 10; EARNED as usize]);
        assert_eq!(sizes[10..], [LARGEST; 2]);
        assert!(
            sizes[..10].iter().sum::<usize>() > 256 << 10,
            "more than a window"
        );
        buffers.rest();
        assert!(buffers.held() >= LARGEST, "a busy connection keeps the largest");
        buffers.clear();
        assert_eq!(buffers.held(), 0);
        assert_eq!(fill(&mut buffers, usize::MAX).len(), SMALLEST);
    }

    #[test]
    fn a_buffer_is_used_again_when_its_slices_are_gone() {
        let mut buffers = Buffers::new();
        let first = fill(&mut buffers, 100);
        let at = first.as_ptr();
        let second = fill(&mut buffers, 100);
        assert_ne!(second.as_ptr(), at, "the first is still read");
        drop(first);
        assert_eq!(fill(&mut buffers, 100).as_ptr(), at);
        assert_eq!(buffers.held(), 2 * SMALLEST);
    }

    #[test]
    fn what_was_not_earned_is_given_back_at_once() {
        let mut buffers = Buffers::new();
        while fill(&mut buffers, usize::MAX).len() < 32 << 10 {}
        assert_eq!(buffers.held(), 32 << 10);
        buffers.rest();
        assert_eq!(buffers.held(), 0);
        let few: Vec<usize> = (0..3)
            .map(|_| {
                drop(fill(&mut buffers, 100));
                let held = buffers.held();
                buffers.rest();
                held
            })
            .collect();
        assert_eq!(few, [32 << 10, 8 << 10, SMALLEST], "smaller where little comes");
    }

    /// A connection that reads into the largest buffers.
    fn busy(spare: &'static Spare) -> Buffers {
        let mut buffers = Buffers::with(spare);
        while fill(&mut buffers, usize::MAX).len() < LARGEST {}
        buffers
    }

    #[test]
    fn one_that_is_idle_leaves_the_largest_to_those_that_are_not() {
        let spare: &'static Spare = Box::leak(Box::new(Spare::new()));
        let (mut idle, over, mut last) = (busy(spare), busy(spare), busy(spare));
        let at = fill(&mut idle, usize::MAX).as_ptr();
        idle.clear();
        assert!(spare.len() > 0);
        let slices: Vec<_> = (0..16).map(|_| fill(&mut last, usize::MAX)).collect();
        assert!(
            slices.iter().any(|slice| slice.as_ptr() == at),
            "it is used again"
        );
        drop((over, slices));
        assert!(spare.len() > 0, "one still reads");
        last.clear();
        assert_eq!(spare.len(), 0, "and now nobody does");
    }

    #[test]
    fn kept_slices_do_not_keep_the_pool() {
        let mut buffers = Buffers::new();
        let slices: Vec<_> = (0..10).map(|_| fill(&mut buffers, 1)).collect();
        assert_eq!(buffers.held(), 10 * SMALLEST);
        assert_eq!(buffers.lent().load(Ordering::Relaxed), 10 * SMALLEST);
        drop(slices);
        assert_eq!(buffers.lent().load(Ordering::Relaxed), 0);
        assert_eq!(buffers.held(), 4 * SMALLEST);
        buffers.rest();
        assert_eq!(buffers.held(), 0);
    }
}
