//! The bytes that came from a peer and are not used up.

use std::{mem, ops::Range};

/// The first read of a connection: a handshake message or a small request fits.
const SMALLEST: usize = 2 * 1024;

/// A buffer that reads grow into, and that is given back when nothing is in it.
///
/// It grows only after a read has filled it, so a peer that announces much and sends little costs little.
///
/// ```
/// use sinew_wire::ReceiveBuffer;
///
/// let mut buffer = ReceiveBuffer::new(64 * 1024);
/// buffer.room().extend_from_slice(b"\x05hello\x05wor"); // a read
/// buffer.received(10);
/// let hello = buffer.place(1..6);
/// buffer.take(6);
/// assert_eq!(buffer.at(hello), b"hello"); // there until the next read
/// assert_eq!(buffer.unread(), b"\x05wor");
/// ```
#[derive(Debug)]
pub struct ReceiveBuffer {
    bytes: Vec<u8>,
    /// What is before this was taken.
    start: usize,
    /// How much room the next read gets.
    target: usize,
    largest: usize,
}

impl ReceiveBuffer {
    /// An empty buffer. A read gets room for `largest` bytes at most, or what one has filled before.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            target: SMALLEST,
            largest,
        }
    }

    /// The bytes that are here and were not taken.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The same, to be changed where they lie.
    pub fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// Where a part of the unread bytes lies: it can be looked at until the next read, also when it was taken.
    #[must_use]
    pub fn place(&self, part: Range<usize>) -> Range<usize> {
        self.start + part.start..self.start + part.end
    }

    /// The bytes at a place that [`ReceiveBuffer::place`] gave.
    ///
    /// # Panics
    /// If there are no such bytes any more.
    pub fn at(&mut self, place: Range<usize>) -> &mut [u8] {
        &mut self.bytes[place]
    }

    /// Takes the first `len` bytes. They stay where they are until the next read.
    pub fn take(&mut self, len: usize) {
        self.start += len;
    }

    /// Adds bytes that were read elsewhere. Places stay what they are.
    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The buffer with room for a read behind its bytes. Moves what was not taken to the front.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..mem::take(&mut self.start));
        let wanted = self.target.max(self.bytes.len() + SMALLEST);
        if self.bytes.capacity() < wanted {
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        &mut self.bytes
    }

    /// Notes that a read brought `read` bytes: the next one gets more room, or less.
    pub fn received(&mut self, read: usize) {
        if self.bytes.len() == self.bytes.capacity() {
            self.target = (self.target * 4).min(self.largest);
        } else if read < self.target / 4 {
            self.target = (self.target / 2).max(SMALLEST);
        }
    }

    /// Gives back the memory that is not needed while nothing arrives.
    pub fn rest(&mut self) {
        let len = self.unread().len();
        if len == 0 {
            self.bytes = Vec::new();
            self.start = 0;
        } else if self.bytes.capacity() > 4 * len + SMALLEST {
            self.bytes.drain(..mem::take(&mut self.start));
            self.bytes.shrink_to(2 * len + SMALLEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: usize = 100 * 1024;

    /// A read of `bytes`, as much as there is room for.
    fn read(buffer: &mut ReceiveBuffer, bytes: &[u8]) -> usize {
        let room = buffer.room();
        let len = bytes.len().min(room.capacity() - room.len());
        room.extend_from_slice(&bytes[..len]);
        buffer.received(len);
        len
    }

    #[test]
    fn room_follows_use() {
        let mut buffer = ReceiveBuffer::new(LARGEST);
        let sizes: Vec<_> = (0..5)
            .map(|_| {
                let len = read(&mut buffer, &[0; 1 << 20]);
                buffer.take(len);
                buffer.rest();
                len
            })
            .collect();
        assert_eq!(sizes, [SMALLEST, 4 * SMALLEST, 16 * SMALLEST, LARGEST, LARGEST]);
        for _ in 0..10 {
            read(&mut buffer, &[0]);
            buffer.take(1);
            buffer.rest();
        }
        assert_eq!((buffer.bytes.capacity(), buffer.target), (0, SMALLEST));
    }

    #[test]
    fn what_is_waited_for_costs_nothing() {
        let mut buffer = ReceiveBuffer::new(LARGEST);
        for arrived in 1..1_000 {
            assert_eq!(read(&mut buffer, &[0]), 1);
            buffer.rest();
            assert_eq!(buffer.unread().len(), arrived);
            assert!(buffer.bytes.capacity() <= 2 * SMALLEST + 2 * arrived);
        }
    }

    #[test]
    fn places_outlast_their_taking() {
        let mut buffer = ReceiveBuffer::new(LARGEST);
        read(&mut buffer, &[1, 2, 3, 4]);
        buffer.take(1);
        let place = buffer.place(0..2);
        buffer.take(2);
        assert_eq!(buffer.at(place), [2, 3]);
        assert_eq!(buffer.place(0..1), 3..4);
        assert_eq!(buffer.unread_mut(), [4]);
        read(&mut buffer, &[5]);
        assert_eq!((buffer.unread(), buffer.place(0..1)), (&[4, 5][..], 0..1));
    }
}
