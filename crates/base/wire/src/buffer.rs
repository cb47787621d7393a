//! The bytes of a connection that are on their way in or out.

use std::{mem, ops::Range};

use crate::spare;

/// What may be held although it is not needed.
const SLACK: usize = 2 * 1024;

/// Bytes that came from a peer and are not used up, or that are not sent yet.
///
/// With [`Buffer::room`] it takes a buffer that the thread keeps for all connections, and gives it back with
/// [`Buffer::rest`]: a connection holds no more memory than it has bytes, and a peer that announces much and sends
/// little costs little.
///
/// ```
/// use sinew_wire::Buffer;
///
/// let mut buffer = Buffer::new();
/// buffer.room(1024).extend_from_slice(b"\x05hello\x05wor"); // a read
/// let hello = buffer.place(1..6);
/// buffer.take(6);
/// assert_eq!(buffer.at(hello), b"hello"); // there until the next read
/// assert_eq!(buffer.unread(), b"\x05wor");
/// buffer.rest(); // nothing more to read now
/// ```
#[derive(Default, Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    /// What is before this was taken.
    start: usize,
}

impl Buffer {
    /// The bytes that fit without growing beyond what threads keep.
    pub const SIZE: usize = spare::SIZE;

    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
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

    /// Where a part of the unread bytes lies: it can be looked at until the next call of [`Buffer::room`], also when it
    /// was taken.
    #[must_use]
    pub fn place(&self, part: Range<usize>) -> Range<usize> {
        self.start + part.start..self.start + part.end
    }

    /// The bytes at a place that [`Buffer::place`] gave.
    ///
    /// # Panics
    /// If there are no such bytes any more.
    pub fn at(&mut self, place: Range<usize>) -> &mut [u8] {
        &mut self.bytes[place]
    }

    /// Takes the first `len` bytes. They stay where they are until the next call of [`Buffer::room`].
    ///
    /// # Panics
    /// When there are fewer.
    pub fn take(&mut self, len: usize) {
        assert!(len <= self.unread().len(), "no more is taken than is there");
        self.start += len;
    }

    /// Adds bytes that were read elsewhere. Places stay what they are.
    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The buffer with room for `least` bytes behind its own, and usually for many more. It may move what was not taken.
    pub fn room(&mut self, least: usize) -> &mut Vec<u8> {
        if self.unread().is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
        if self.bytes.capacity() - self.bytes.len() < least {
            self.make_room();
            self.bytes.reserve_exact(least);
        }
        &mut self.bytes
    }

    /// Gives back the memory that is not needed while nothing moves.
    pub fn rest(&mut self) {
        if self.bytes.capacity() > 4 * self.unread().len() + SLACK {
            let unread = self.unread().to_vec();
            self.start = 0;
            spare::give(mem::replace(&mut self.bytes, unread));
        }
    }

    /// Moves the unread bytes to the front of a buffer of full size.
    fn make_room(&mut self) {
        let start = mem::take(&mut self.start);
        if self.bytes.capacity() < Self::SIZE {
            let small = mem::replace(&mut self.bytes, spare::take());
            self.bytes.extend_from_slice(&small[start..]);
        } else {
            self.bytes.drain(..start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A read of `bytes`.
    fn read(buffer: &mut Buffer, bytes: &[u8]) {
        buffer.room(bytes.len()).extend_from_slice(bytes);
    }

    #[test]
    fn a_buffer_goes_from_hand_to_hand() {
        let (mut first, mut second) = (Buffer::new(), Buffer::new());
        read(&mut first, &[1; 100]);
        let at = first.unread().as_ptr();
        first.take(99);
        first.rest();
        assert_eq!((first.unread(), first.bytes.capacity()), (&[1][..], 1));
        read(&mut second, &[2]);
        assert_eq!((second.unread(), second.unread().as_ptr()), (&[2][..], at));
        read(&mut first, &[3]);
        assert_eq!(first.unread(), [1, 3]);
    }

    #[test]
    fn what_is_waited_for_costs_little() {
        let mut buffer = Buffer::new();
        for arrived in 1..40_000 {
            read(&mut buffer, &[0]);
            buffer.rest();
            assert_eq!(buffer.unread().len(), arrived);
            assert!(buffer.bytes.capacity() <= 4 * arrived + SLACK);
        }
    }

    #[test]
    fn what_was_taken_makes_room() {
        let mut buffer = Buffer::new();
        for _ in 0..100 {
            read(&mut buffer, &[0; Buffer::SIZE / 2]);
            buffer.take(Buffer::SIZE / 2 - 1);
            let unread = buffer.unread().len();
            buffer.take(unread - 1);
            assert!(buffer.bytes.capacity() <= Buffer::SIZE);
        }
    }

    #[test]
    fn places_outlast_their_taking() {
        let mut buffer = Buffer::new();
        read(&mut buffer, &[1, 2, 3, 4]);
        buffer.take(1);
        let place = buffer.place(0..2);
        buffer.take(2);
        assert_eq!(buffer.at(place), [2, 3]);
        assert_eq!(buffer.place(0..1), 3..4);
        assert_eq!(buffer.unread_mut(), [4]);
        read(&mut buffer, &[5]);
        assert_eq!(buffer.unread(), [4, 5]);
    }
}
