//! The sending half: content in, frames out.

use std::io::IoSlice;

use sinew_wire::{Buffer, Gather};

use super::{
    header::{Header, Kind, MAX_HEADER},
    mask,
};

/// The most content of one message: a whole message of Noise with its length, so that each travels in one of ours.
pub const MAX_MESSAGE: usize = 2 + 0xffff;

/// So many bytes are worth a call of the operating system; more is not gathered.
const WORTH_SENDING: usize = 64 * 1024;

/// spec: RFC 6455, 7.4.1: a normal closure.
const NORMAL: u16 = 1000;

/// Writes our frames and holds them until they are sent. A client gives a fresh mask with each, a server none.
#[derive(Debug, Default)]
pub struct Outbound {
    buffer: Buffer,
}

impl Outbound {
    /// With nothing to send.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether enough waits to be sent before more is written.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending().len() >= WORTH_SENDING
    }

    /// Makes one message of the first [`MAX_MESSAGE`] bytes of `slices`, and says how many it took. No message is made of
    /// nothing.
    pub fn write(&mut self, slices: &[IoSlice<'_>], mask: Option<[u8; 4]>) -> usize {
        let content = Gather::new(slices);
        let len = content.len().min(MAX_MESSAGE);
        if len > 0 {
            self.frame(Kind::Binary, content, len, mask);
        }
        len
    }

    /// Answers a ping.
    pub fn pong(&mut self, content: &[u8], mask: Option<[u8; 4]>) {
        self.control(Kind::Pong, content, mask);
    }

    /// Says that nothing more will be sent.
    pub fn close(&mut self, mask: Option<[u8; 4]>) {
        self.control(Kind::Close, &NORMAL.to_be_bytes(), mask);
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
    pub fn rest(&mut self) {
        self.buffer.rest();
    }

    fn control(&mut self, kind: Kind, content: &[u8], mask: Option<[u8; 4]>) {
        let slices = [IoSlice::new(content)];
        self.frame(kind, Gather::new(&slices), content.len(), mask);
    }

    /// Appends a frame with the first `len` bytes of `content`.
    fn frame(&mut self, kind: Kind, mut content: Gather<'_>, len: usize, mask: Option<[u8; 4]>) {
        let buffer = self.buffer.room(MAX_HEADER + len);
        Header::write(kind, len, mask, buffer);
        let start = buffer.len();
        content.copy(len, buffer);
        if let Some(key) = mask {
            mask::apply(&mut buffer[start..], key, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_large_as_one_of_noise() {
        let mut outbound = Outbound::new();
        let text = vec![1; 3 * MAX_MESSAGE];
        let slices = [
            IoSlice::new(&text[..10]),
            IoSlice::new(&[]),
            IoSlice::new(&text[10..]),
        ];
        assert_eq!(outbound.write(&slices, None), MAX_MESSAGE);
        assert_eq!(outbound.pending().len(), 10 + MAX_MESSAGE);
        assert!(outbound.is_full());
        assert_eq!(outbound.write(&[], None), 0);
        assert_eq!(outbound.pending().len(), 10 + MAX_MESSAGE);
    }

    #[test]
    fn a_slow_socket_does_not_let_the_buffer_grow() {
        let mut outbound = Outbound::new();
        for _ in 0..1_000 {
            if !outbound.is_full() {
                outbound.write(&[IoSlice::new(&[1; 100_000])], Some([1; 4]));
            }
            assert!(outbound.pending().len() <= Buffer::SIZE);
            outbound.sent(1_000);
        }
    }

    #[test]
    fn control_frames() {
        let mut outbound = Outbound::new();
        outbound.pong(b"hi", None);
        outbound.close(Some([1, 2, 3, 4]));
        assert_eq!(
            outbound.pending(),
            [0x8a, 2, b'h', b'i', 0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2]
        );
    }
}
