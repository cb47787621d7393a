//! Frames on their way out: headers and the callers' bytes, gathered for vectored writes.

use super::frame::HEADER;
use bytes::{Buf, Bytes};
use std::{collections::VecDeque, io::IoSlice};

/// Frames that left the machine and wait for the connection to take them. Read it as a [`Buf`].
#[derive(Default, Debug)]
pub struct Batch {
    pieces: VecDeque<Piece>,
    taken: usize,
    len: usize,
}

#[derive(Debug)]
enum Piece {
    Header([u8; HEADER]),
    Payload(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Header(header) => header,
            Self::Payload(payload) => payload,
        }
    }
}

impl Batch {
    pub(crate) fn header(&mut self, header: [u8; HEADER]) {
        self.len += HEADER;
        self.pieces.push_back(Piece::Header(header));
    }

    pub(crate) fn payload(&mut self, payload: Bytes) {
        self.len += payload.len();
        self.pieces.push_back(Piece::Payload(payload));
    }

    /// Gives back the memory that an empty batch holds.
    pub fn shrink(&mut self) {
        self.pieces.shrink_to_fit();
    }
}

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.pieces
            .front()
            .map_or(&[], |piece| &piece.bytes()[self.taken..])
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.taken;
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(&piece.bytes()[skip..]);
            skip = 0;
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.len, "advanced beyond the end of the batch");
        self.len -= count;
        self.taken += count;
        while let Some(first) = self.pieces.front().map(|piece| piece.bytes().len()) {
            if self.taken < first {
                break;
            }
            self.taken -= first;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;
    use bytes::{Buf, Bytes};
    use std::io::IoSlice;

    #[test]
    fn pieces_come_out_in_order_however_they_are_taken() {
        let mut batch = Batch::default();
        batch.header([1; 12]);
        batch.payload(Bytes::from_static(b"hello"));
        batch.header([2; 12]);
        assert_eq!(batch.remaining(), 29);
        batch.advance(13);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(batch.chunks_vectored(&mut slices), 2);
        assert_eq!((&*slices[0], &*slices[1]), (&b"ello"[..], &[2; 12][..]));
        assert_eq!(batch.copy_to_bytes(16), [&b"ello"[..], &[2; 12]].concat());
        assert!(!batch.has_remaining() && batch.chunk().is_empty());
    }
}
