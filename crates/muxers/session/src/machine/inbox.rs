//! What a stream has received and nobody has read.

use super::Unread;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Payload shorter than this is copied behind what already waits: one entry of the queue costs about as much
/// as 64 bytes, and a window of sixteen million single bytes must not.
const SMALL: usize = 512;

/// A copied run ends here: longer ones would be moved too often while they grow.
const RUN: usize = 4 * 1024;

/// The unread payload of a stream, as it arrived.
#[derive(Default, Debug)]
pub struct Inbox {
    chunks: VecDeque<Chunk>,
    len: usize,
    /// Bytes of slices of the buffers that they arrived in.
    shared: usize,
}

#[derive(Debug)]
enum Chunk {
    /// A slice of the buffer that the connection was read into.
    Shared(Bytes),
    /// A copy that holds nothing but itself.
    Own(BytesMut),
}

impl Inbox {
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

    /// What waits, of which `covered` bytes were reserved before they arrived.
    #[must_use]
    pub fn unread(&self, covered: usize) -> Unread {
        Unread {
            total: self.len,
            uncovered: self.len.saturating_sub(covered),
            shared: self.shared,
        }
    }

    /// Queues what arrived.
    pub fn push(&mut self, payload: Bytes) {
        self.len += payload.len();
        if payload.len() >= SMALL || self.chunks.is_empty() {
            self.shared += payload.len();
            self.chunks.push_back(Chunk::Shared(payload));
            return;
        }
        match self.chunks.back_mut() {
            Some(Chunk::Own(run)) if run.len() < RUN => run.extend_from_slice(&payload),
            _ => self.chunks.push_back(Chunk::Own(BytesMut::from(&payload[..]))),
        }
    }

    /// At most `max` bytes from the front, `None` when there are none.
    pub fn pop(&mut self, max: usize) -> Option<Bytes> {
        let (bytes, shared) = match self.chunks.front_mut()? {
            Chunk::Shared(chunk) if chunk.len() > max => (chunk.split_to(max), true),
            Chunk::Own(run) if run.len() > max => (run.split_to(max).freeze(), false),
            _ => match self.chunks.pop_front()? {
                Chunk::Shared(chunk) => (chunk, true),
                Chunk::Own(run) => (run.freeze(), false),
            },
        };
        self.len -= bytes.len();
        if shared {
            self.shared -= bytes.len();
        }
        Some(bytes)
    }

    /// Copies everything that is still a slice of a larger buffer.
    pub fn compact(&mut self) {
        for chunk in &mut self.chunks {
            if let Chunk::Shared(shared) = chunk {
                *chunk = Chunk::Own(BytesMut::from(&shared[..]));
            }
        }
        self.shared = 0;
    }

    /// Drops everything and says how much it was.
    pub fn clear(&mut self) -> usize {
        let len = self.len;
        *self = Self::default();
        len
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunk, Inbox};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn shared(inbox: &Inbox) -> usize {
        let lengths = inbox.chunks.iter().map(|chunk| match chunk {
            Chunk::Shared(shared) => shared.len(),
            Chunk::Own(_) => 0,
        });
        lengths.sum()
    }

    proptest! {
        #[test]
        fn bytes_come_out_in_order(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..2000), 0..20),
            max in 1usize..3000,
            compact: bool,
        ) {
            let mut inbox = Inbox::default();
            for chunk in &chunks {
                inbox.push(Bytes::copy_from_slice(chunk));
            }
            if compact {
                inbox.compact();
            }
            let mut out = Vec::new();
            while let Some(bytes) = inbox.pop(max) {
                prop_assert!(!bytes.is_empty() && bytes.len() <= max);
                out.extend_from_slice(&bytes);
                prop_assert_eq!(inbox.len() + out.len(), chunks.concat().len());
                prop_assert_eq!(inbox.unread(0).shared, shared(&inbox));
            }
            prop_assert_eq!(out, chunks.concat());
        }
    }

    #[test]
    fn single_bytes_share_an_entry() {
        let mut inbox = Inbox::default();
        for byte in 0..=255u8 {
            inbox.push(Bytes::copy_from_slice(&[byte; 4]));
        }
        assert_eq!(inbox.chunks.len(), 2, "the first as it came, the rest in one run");
        assert_eq!(inbox.clear(), 1024);
        assert!(inbox.pop(1).is_none());
    }

    #[test]
    fn compacting_lets_the_large_buffer_go() {
        let large = Bytes::from(vec![7; 4096]);
        let mut inbox = Inbox::default();
        inbox.push(large.slice(10..11));
        assert!(!large.is_unique());
        inbox.compact();
        assert!(large.is_unique());
        assert_eq!(&inbox.pop(9).unwrap()[..], [7]);
    }
}
