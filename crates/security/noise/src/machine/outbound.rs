//! The sending half of the transport phase: text in, frames out.

use std::io::IoSlice;

use sinew_crypto::aead::TAG;
use sinew_wire::{Buffer, Gather};

use super::{FrameError, cipher::Counted};

/// The length in front of each message (noise, Wire Format).
const HEADER: usize = 2;
/// The most text that one frame takes: a noise message has at most 65,535 bytes, the tag among them.
pub const MAX_TEXT: usize = 0xffff - TAG;
/// So many sealed bytes are worth a call of the operating system; below that they wait for a flush.
const WORTH_SENDING: usize = 64 * 1024;
/// The largest frame.
const FRAME: usize = HEADER + MAX_TEXT + TAG;

/// Seals what goes to the peer and holds it until it is sent.
#[derive(Debug)]
pub struct Outbound {
    key: Counted,
    buffer: Buffer,
}

impl Outbound {
    /// Seals with `key`.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            key: Counted::new(key),
            buffer: Buffer::new(),
        }
    }

    /// Whether enough is waiting to be sent before more is sealed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending().len() >= WORTH_SENDING
    }

    /// Seals text of `slices`, in as few frames as it takes, and says how much: all of it, or as much as fills the buffer,
    /// which takes two of the largest frames. Something, unless it [is full](Outbound::is_full).
    ///
    /// # Errors
    /// [`FrameError::Exhausted`], then and ever after.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, FrameError> {
        let mut text = Gather::new(slices);
        let total = text.len().min(self.fits());
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
        self.buffer.unread()
    }

    /// Notes that the first `len` bytes of what was waiting are sent.
    ///
    /// # Panics
    /// When fewer were waiting.
    pub fn sent(&mut self, len: usize) {
        self.buffer.take(len);
    }

    /// Gives back memory while nothing is sent.
    pub(crate) fn rest(&mut self) {
        self.buffer.rest();
    }

    /// How much text there is room for, in frames that may be the largest: no short one is made of what does not fit.
    fn fits(&self) -> usize {
        let room = Buffer::SIZE.saturating_sub(self.pending().len());
        room / FRAME * MAX_TEXT
    }

    /// Appends one frame with the next `len` bytes of `text`: one copy, then sealed where it lies.
    fn seal_frame(&mut self, text: &mut Gather<'_>, len: usize) -> Result<(), FrameError> {
        let buffer = self.buffer.room(HEADER + len + TAG);
        let start = buffer.len();
        let sealed = u16::try_from(len + TAG).expect("a frame takes at most MAX_TEXT bytes");
        buffer.extend_from_slice(&sealed.to_be_bytes());
        text.copy(len, buffer);
        let tag = self.key.seal(&mut buffer[start + HEADER..]);
        let tag = tag.inspect_err(|_| buffer.truncate(start))?;
        buffer.extend_from_slice(&tag);
        Ok(())
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
    fn a_slow_socket_does_not_let_the_buffer_grow() {
        let mut outbound = Outbound::new(&[7; 32]);
        for _ in 0..1_000 {
            if !outbound.is_full() {
                assert!(outbound.write(&[IoSlice::new(&[1; 200_000])]).unwrap() >= MAX_TEXT);
            }
            assert!(outbound.pending().len() <= Buffer::SIZE);
            outbound.sent(1_000);
        }
    }
}
