//! Frames that wait for peers, and how much waits for all of them together.

use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What a frame costs that waits for a peer, besides its bytes.
const PLACE: usize = 128;

/// How many bytes wait for all peers together. Those of a frame count once, for however many peers it waits.
#[derive(Clone, Default, Debug)]
pub struct Pool(Arc<AtomicUsize>);

/// A frame that several peers are to be sent. Its bytes count until it is dropped.
#[derive(Debug)]
pub struct Frame {
    bytes: Bytes,
    pool: Pool,
}

/// A frame that waits for one peer. Its place counts until it is dropped.
#[derive(Debug)]
pub struct Waiting(Arc<Frame>);

impl Pool {
    /// Bytes that wait now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A frame that may wait from now on.
    #[must_use]
    pub fn frame(&self, bytes: Bytes) -> Arc<Frame> {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        let pool = self.clone();
        Arc::new(Frame { bytes, pool })
    }
}

impl Frame {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Has it wait for a peer.
    #[must_use]
    pub fn wait(self: &Arc<Self>) -> Waiting {
        self.pool.0.fetch_add(PLACE, Ordering::Relaxed);
        Waiting(self.clone())
    }
}

impl Waiting {
    /// The frame.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// What it costs by itself.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.bytes().len() + PLACE
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.pool.0.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.pool.0.fetch_sub(PLACE, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{PLACE, Pool};
    use bytes::Bytes;

    #[test]
    fn a_frame_counts_once_for_however_many_it_waits() {
        let pool = Pool::default();
        let frame = pool.frame(Bytes::from_static(b"hello"));
        let (first, second) = (frame.wait(), frame.wait());
        drop(frame);
        assert_eq!((pool.used(), first.cost()), (5 + 2 * PLACE, 5 + PLACE));
        drop(first);
        assert_eq!((pool.used(), &second.bytes()[..]), (5 + PLACE, &b"hello"[..]));
        drop(second);
        assert_eq!(pool.used(), 0);
    }
}
