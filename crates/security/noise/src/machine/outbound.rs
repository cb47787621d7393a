//! The sending half of the transport phase: text in, frames out.

use std::io::IoSlice;

use sinew_crypto::chacha20poly1305::TAG;

use super::{FrameError, cipher::Counted};

/// The length in front of each message (noise, Wire Format).
const HEADER: usize = 2;
/// The most text that one frame takes: a noise message has at most 65,535 bytes, the tag among them.
pub const MAX_TEXT: usize = 0xffff - TAG;
/// So many sealed bytes are worth a call of the operating system; below that they wait for a flush.
const WORTH_SENDING: usize = 64 * 1024;
/// One call seals at most two of the largest frames, so that the first is sent while the next are sealed.
const MAX_WRITE: usize = 2 * MAX_TEXT;
/// A buffer of this size is kept when all is sent.
const KEPT: usize = 512;

/// Seals what goes to the peer and holds it until it is sent.
#[derive(Debug)]
pub struct Outbound {
    key: Counted,
    buffer: Vec<u8>,
    sent: usize,
}

impl Outbound {
    /// Seals with `key`.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            key: Counted::new(key),
            buffer: Vec::new(),
            sent: 0,
        }
    }

    /// Whether enough is waiting to be sent before more is sealed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending().len() >= WORTH_SENDING
    }

    /// Seals text of `slices`, in as few frames as it takes, and says how much: all of it, or the first 128 KiB.
    ///
    /// # Errors
    /// [`FrameError::Exhausted`], then and ever after.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, FrameError> {
        let total = slices
            .iter()
            .map(|slice| slice.len())
            .sum::<usize>()
            .min(MAX_WRITE);
        self.reserve(total + total.div_ceil(MAX_TEXT) * (HEADER + TAG));
        let mut text = Text { slices, offset: 0 };
        let mut left = total;
        while left > 0 {
            let len = left.min(MAX_TEXT);
            self.seal_frame(&mut text, len)?;
            left -= len;
        }
        Ok(total)
    }

    /// What waits to be sent.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.buffer[self.sent..]
    }

    /// Notes that the first `len` bytes of what was waiting are sent.
    ///
    /// # Panics
    /// When fewer were waiting.
    pub fn sent(&mut self, len: usize) {
        assert!(len <= self.pending().len(), "no more is sent than was waiting");
        self.sent += len;
        if self.sent == self.buffer.len() {
            self.buffer.clear();
            self.sent = 0;
        }
    }

    /// Gives back memory when nothing waits.
    pub(crate) fn rest(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
    }

    fn reserve(&mut self, more: usize) {
        if self.buffer.capacity() - self.buffer.len() < more {
            self.buffer.drain(..std::mem::take(&mut self.sent));
            self.buffer.reserve(more);
        }
    }

    /// Appends one frame with the next `len` bytes of `text`: one copy, then sealed where it lies.
    fn seal_frame(&mut self, text: &mut Text<'_>, len: usize) -> Result<(), FrameError> {
        let start = self.buffer.len();
        let sealed = u16::try_from(len + TAG).expect("a frame takes at most MAX_TEXT bytes");
        self.buffer.extend_from_slice(&sealed.to_be_bytes());
        text.copy(len, &mut self.buffer);
        let tag = self
            .key
            .seal(&mut self.buffer[start + HEADER..])
            .inspect_err(|_| {
                self.buffer.truncate(start);
            })?;
        self.buffer.extend_from_slice(&tag);
        Ok(())
    }
}

/// A walk through slices.
struct Text<'a> {
    slices: &'a [IoSlice<'a>],
    offset: usize,
}

impl Text<'_> {
    /// Appends the next `len` bytes to `out`.
    fn copy(&mut self, mut len: usize, out: &mut Vec<u8>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_large_as_they_may_be() {
        let mut outbound = Outbound::new(&[7; 32]);
        let text = vec![1; 3 * MAX_TEXT];
        let slices = [
            IoSlice::new(&text[..10]),
            IoSlice::new(&[]),
            IoSlice::new(&text[10..]),
        ];
        assert_eq!(outbound.write(&slices).unwrap(), 2 * MAX_TEXT);
        assert_eq!(outbound.pending().len(), 2 * (HEADER + 0xffff));
        assert_eq!(&outbound.pending()[..2], [0xff, 0xff]);
        assert_eq!(outbound.write(&[]).unwrap(), 0);
        assert!(outbound.is_full());
    }

    #[test]
    fn memory_is_given_back_when_all_is_sent() {
        let mut outbound = Outbound::new(&[7; 32]);
        outbound.write(&[IoSlice::new(&[1; 100_000])]).unwrap();
        outbound.sent(50_000);
        outbound.rest();
        outbound.sent(outbound.pending().len());
        assert!(outbound.buffer.capacity() > 100_000);
        outbound.rest();
        assert_eq!(outbound.buffer.capacity(), 0);
    }

    #[test]
    fn a_slow_socket_does_not_let_the_buffer_grow() {
        let mut outbound = Outbound::new(&[7; 32]);
        for _ in 0..1_000 {
            if !outbound.is_full() {
                outbound.write(&[IoSlice::new(&[1; 64 * 1024])]).unwrap();
            }
            outbound.sent(1_000);
        }
        assert!(
            outbound.buffer.capacity() <= 512 * 1024,
            "{}",
            outbound.buffer.capacity()
        );
    }
}
