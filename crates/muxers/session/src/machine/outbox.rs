//! What a stream was given to send and has not sent.

use super::batch::Batch;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Slices shorter than this are gathered in one buffer: a copy is cheaper than an entry of its own.
const SMALL: usize = 1024;

/// The payload that a stream was given to send, in order.
#[derive(Default, Debug)]
pub struct Outbox {
    chunks: VecDeque<Bytes>,
    run: BytesMut,
    len: usize,
}

impl Outbox {
    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Queues `chunk` by reference.
    pub fn push(&mut self, chunk: Bytes) {
        self.len += chunk.len();
        self.end_run();
        self.chunks.push_back(chunk);
    }

    /// Queues a copy of `slice`.
    pub fn extend(&mut self, slice: &[u8]) {
        if slice.len() >= SMALL {
            return self.push(Bytes::copy_from_slice(slice));
        }
        self.len += slice.len();
        self.run.extend_from_slice(slice);
    }

    /// Moves `count` bytes, at most what is there, to `batch`.
    pub fn take(&mut self, count: usize, batch: &mut Batch) {
        self.end_run();
        let mut left = count.min(self.len);
        self.len -= left;
        while left > 0 {
            let Some(first) = self.chunks.front_mut() else {
                break;
            };
            if first.len() > left {
                batch.payload(first.split_to(left));
                break;
            }
            left -= first.len();
            batch.payload(std::mem::take(first));
            self.chunks.pop_front();
        }
    }

    /// Drops everything and says how much it was.
    pub fn clear(&mut self) -> usize {
        let len = self.len;
        *self = Self::default();
        len
    }

    fn end_run(&mut self) {
        if !self.run.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.run).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Outbox};
    use bytes::{Buf, Bytes};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_leave_in_order(
            writes in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 1..3000)), 0..12),
            take in 1usize..4000,
        ) {
            let mut outbox = Outbox::default();
            for (copy, bytes) in &writes {
                if *copy { outbox.extend(bytes) } else { outbox.push(Bytes::copy_from_slice(bytes)) }
            }
            let expected: Vec<u8> = writes.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            prop_assert_eq!(outbox.len(), expected.len());
            let mut batch = Batch::default();
            while !outbox.is_empty() {
                let before = batch.remaining();
                let want = take.min(outbox.len());
                outbox.take(take, &mut batch);
                prop_assert_eq!(batch.remaining() - before, want);
            }
            prop_assert_eq!(batch.copy_to_bytes(expected.len()), expected);
        }
    }
}
