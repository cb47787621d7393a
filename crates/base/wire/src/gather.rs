//! Slices as one run of bytes.

use std::io::IoSlice;

/// A walk through slices that are written together.
///
/// ```
/// use std::io::IoSlice;
/// use sinew_wire::Gather;
///
/// let slices = [IoSlice::new(b"hel"), IoSlice::new(b""), IoSlice::new(b"lo world")];
/// let mut gather = Gather::new(&slices);
/// assert_eq!(gather.len(), 11);
/// let mut out = Vec::new();
/// gather.copy(5, &mut out);
/// assert_eq!((&out[..], gather.len()), (&b"hello"[..], 6));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gather<'a> {
    slices: &'a [IoSlice<'a>],
    offset: usize,
    len: usize,
}

impl<'a> Gather<'a> {
    /// From the first byte of `slices` on.
    #[must_use]
    pub fn new(slices: &'a [IoSlice<'a>]) -> Self {
        Self {
            slices,
            offset: 0,
            len: slices.iter().map(|slice| slice.len()).sum(),
        }
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none are left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends the next `len` bytes to `out`, or all if there are fewer.
    pub fn copy(&mut self, len: usize, out: &mut Vec<u8>) {
        let mut len = len.min(self.len);
        self.len -= len;
        while let (1.., [first, rest @ ..]) = (len, self.slices) {
            let piece = &first[self.offset..];
            let taken = piece.len().min(len);
            out.extend_from_slice(&piece[..taken]);
            len -= taken;
            self.offset += taken;
            if self.offset == first.len() {
                (self.slices, self.offset) = (rest, 0);
            }
        }
    }
}
