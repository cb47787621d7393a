//! The bytes that came from the peer and are not used up: whole frames, and at the end perhaps a part of one.

use std::{mem, ops::Range};

/// The length in front of each message (noise, Wire Format).
const HEADER: usize = 2;
/// The first read of a connection: a handshake message or a small request fits.
const SMALLEST: usize = 2 * 1024;
/// The largest read: two of the largest frames, and so never less than what is missing of one.
const LARGEST: usize = 2 * (HEADER + 0xffff);

/// A buffer that reads grow into, and that is given back when nothing is in it.
///
/// It grows only after a read has filled it, so a peer that announces much and sends little costs little.
#[derive(Debug)]
pub(crate) struct ReceiveBuffer {
    bytes: Vec<u8>,
    /// What is before this was taken.
    start: usize,
    /// How much room the next read gets.
    target: usize,
}

impl ReceiveBuffer {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            target: SMALLEST,
        }
    }

    /// The length of the first frame as it is announced, if that much has arrived.
    pub(crate) fn announced(&self) -> Option<usize> {
        let header = self.bytes[self.start..].first_chunk::<HEADER>()?;
        Some(usize::from(u16::from_be_bytes(*header)))
    }

    /// Where the content of the first frame lies, if all of it has arrived.
    pub(crate) fn frame(&self) -> Option<Range<usize>> {
        let from = self.start + HEADER;
        let to = from + self.announced()?;
        (to <= self.bytes.len()).then_some(from..to)
    }

    /// Takes the bytes before `end`.
    pub(crate) fn take(&mut self, end: usize) {
        self.start = end;
    }

    /// The bytes at a place that [`ReceiveBuffer::frame`] gave.
    pub(crate) fn at(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[range]
    }

    /// How many bytes are here and were not taken.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Adds bytes behind those that are here.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The buffer with room for a read behind its bytes. Moves what was not taken to the front.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..mem::take(&mut self.start));
        let wanted = self.target.max(self.bytes.len() + SMALLEST);
        if self.bytes.capacity() < wanted {
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        &mut self.bytes
    }

    /// Notes that a read brought `read` bytes: the next one gets more room, or less.
    pub(crate) fn received(&mut self, read: usize) {
        if self.bytes.len() == self.bytes.capacity() {
            self.target = (self.target * 4).min(LARGEST);
        } else if read < self.target / 4 {
            self.target = (self.target / 2).max(SMALLEST);
        }
    }

    /// Gives back the memory that is not needed while nothing arrives.
    pub(crate) fn rest(&mut self) {
        if self.len() == 0 {
            self.bytes = Vec::new();
            self.start = 0;
        } else if self.bytes.capacity() > 4 * self.len() + SMALLEST {
            self.bytes.drain(..mem::take(&mut self.start));
            self.bytes.shrink_to(2 * self.bytes.len() + SMALLEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut buffer = ReceiveBuffer::new();
        let sizes: Vec<_> = (0..5)
            .map(|_| {
                let len = read(&mut buffer, &[0; 1 << 20]);
                buffer.take(buffer.bytes.len());
                buffer.rest();
                len
            })
            .collect();
        assert_eq!(
            sizes,
            [SMALLEST, 4 * SMALLEST, 16 * SMALLEST, 64 * SMALLEST, LARGEST]
        );
        for _ in 0..10 {
            read(&mut buffer, &[0]);
            buffer.take(buffer.bytes.len());
            buffer.rest();
        }
        assert_eq!((buffer.bytes.capacity(), buffer.target), (0, SMALLEST));
    }

    #[test]
    fn an_announced_length_costs_nothing() {
        let mut buffer = ReceiveBuffer::new();
        read(&mut buffer, &[0xff, 0xff]);
        for arrived in 3..1_000 {
            buffer.rest();
            assert_eq!(read(&mut buffer, &[0]), 1);
            assert_eq!((buffer.announced(), buffer.len()), (Some(0xffff), arrived));
            assert!(buffer.bytes.capacity() <= 2 * SMALLEST + 2 * arrived);
        }
    }

    #[test]
    fn frames_are_found_behind_one_another() {
        let mut buffer = ReceiveBuffer::new();
        buffer.append(&[0, 1, 7, 0, 0, 0, 2, 8]);
        let mut found = Vec::new();
        while let Some(frame) = buffer.frame() {
            buffer.take(frame.end);
            found.push(buffer.at(frame).to_vec());
        }
        assert_eq!(found, [vec![7], vec![]]);
        buffer.room().push(9);
        let frame = buffer.frame().unwrap();
        assert_eq!(buffer.at(frame), [8, 9]);
    }
}
