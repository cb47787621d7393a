//! Buffers that lie ready for the next connection that moves bytes.
//!
//! Memory that a connection takes and gives back with every read is memory that the allocator gives to the system and
//! takes again, page by page. What a thread keeps here is warm instead, and it is the thread's, not the connection's.

use std::{cell::RefCell, mem};

/// The room of every buffer that is kept: two of the largest messages of Noise with their lengths, or eight of the largest
/// records of TLS with all that is around them.
pub(crate) const SIZE: usize = 129 * 1024;

/// Buffers that a thread keeps: one to read into and one to write from.
const KEPT: usize = 2;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for [`SIZE`] bytes.
pub(crate) fn take() -> Vec<u8> {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| Vec::with_capacity(SIZE))
}

/// Gives a buffer back, of whatever size.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == SIZE {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < KEPT {
                buffer.clear();
                spare.push(mem::take(&mut buffer));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_a_few() {
        let buffers: Vec<_> = (0..10).map(|_| take()).collect();
        buffers.into_iter().for_each(give);
        give(Vec::with_capacity(SIZE - 1));
        assert_eq!(SPARE.with_borrow(Vec::len), KEPT);
        assert!(take().is_empty());
    }
}
