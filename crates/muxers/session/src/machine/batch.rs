//! Frames on their way out: headers and the callers' bytes, gathered for vectored writes.

use bytes::{Buf, Bytes};
use std::{collections::VecDeque, io::IoSlice};

/// The longest header of a frame: what fits into the place of a payload's reference.
const MAX_HEADER: usize = 16;

/// Frames that left the machine and wait for the connection to take them. Read it as a [`Buf`].
#[derive(Default, Debug)]
pub struct Batch {
    pieces: VecDeque<Piece>,
    taken: usize,
    len: usize,
}

#[derive(Debug)]
enum Piece {
    Header { bytes: [u8; MAX_HEADER], len: u8 },
    Payload(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Header { bytes, len } => &bytes[..usize::from(*len)],
            Self::Payload(payload) => payload,
        }
    }
}

impl Batch {
    /// Appends the header of a frame.
    ///
    /// # Panics
    /// When it is longer than 16 bytes.
    pub fn header(&mut self, header: &[u8]) {
        let mut bytes = [0; MAX_HEADER];
        bytes[..header.len()].copy_from_slice(header);
        self.len += header.len();
        self.pieces.push_back(Piece::Header {
            bytes,
            len: header.len() as u8,
        });
    }

    /// Appends payload by reference.
    pub fn payload(&mut self, payload: Bytes) {
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
        batch.header(&[1; 12]);
        batch.payload(Bytes::from_static(b"hello"));
        batch.header(&[2; 12]);
        assert_eq!(batch.remaining(), 29);
        batch.advance(13);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(batch.chunks_vectored(&mut slices), 2);
        assert_eq!((&*slices[0], &*slices[1]), (&b"ello"[..], &[2; 12][..]));
        assert_eq!(batch.copy_to_bytes(16), [&b"ello"[..], &[2; 12]].concat());
        assert!(!batch.has_remaining() && batch.chunk().is_empty());
    }
}
