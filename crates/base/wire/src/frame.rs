//! Frames: bytes behind their length as an unsigned varint, with a maximum.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use thiserror::Error;

use crate::varint::{self, VarintError};

/// Cuts frames out of a buffer and writes them into one, none of them longer than a maximum.
///
/// It holds no state but the maximum: what has arrived stays in the caller's buffer until a whole frame is
/// there. The caller reads as the transport delivers and never makes room for a length that was only announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    max: usize,
}

/// Why a frame cannot be read or written. The stream is of no use afterwards: its borders are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length in front of the frame is no unsigned varint.
    #[error("length of a frame: {0}")]
    Length(#[from] VarintError),
    /// The frame is, or announces itself to be, longer than the maximum.
    #[error("frame of {len} bytes where at most {max} are allowed")]
    TooLong {
        /// The length of the frame.
        len: u64,
        /// The maximum.
        max: usize,
    },
}

impl Frames {
    /// Frames of at most `max` bytes, not counting the length in front.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max }
    }

    /// The length of the longest frame.
    #[must_use]
    pub const fn max(self) -> usize {
        self.max
    }

    /// Takes the first frame out of `buffer`, or leaves the buffer as it is and gives `None` when the frame
    /// is not there in full.
    ///
    /// The frame shares the buffer's memory. Copy what is kept for long, so that it does not hold the rest.
    ///
    /// # Errors
    ///
    /// When the length is malformed or beyond the maximum, which is seen as soon as the length is there.
    pub fn decode(self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some((len, prefix)) = varint::decode(buffer)? else {
            return Ok(None);
        };
        let len = self.admit(len)?;
        if buffer.len() - prefix < len {
            return Ok(None);
        }
        buffer.advance(prefix);
        Ok(Some(buffer.split_to(len).freeze()))
    }

    /// Appends `frame` behind its length to `out`.
    ///
    /// # Errors
    ///
    /// When the frame is longer than the maximum; nothing is written then.
    pub fn encode(self, frame: &[u8], out: &mut BytesMut) -> Result<(), FrameError> {
        self.begin(frame.len(), out)?;
        out.put_slice(frame);
        Ok(())
    }

    /// Appends a protobuf message behind its length to `out`, without a buffer in between.
    ///
    /// # Errors
    ///
    /// When the message is longer than the maximum; nothing is written then.
    pub fn encode_message(self, message: &impl Message, out: &mut BytesMut) -> Result<(), FrameError> {
        self.begin(message.encoded_len(), out)?;
        message.encode_raw(out);
        Ok(())
    }

    fn begin(self, len: usize, out: &mut BytesMut) -> Result<(), FrameError> {
        self.admit(len as u64)?;
        out.reserve(varint::len(len as u64) + len);
        varint::encode(len as u64, out);
        Ok(())
    }

    fn admit(self, len: u64) -> Result<usize, FrameError> {
        usize::try_from(len)
            .ok()
            .filter(|&len| len <= self.max)
            .ok_or(FrameError::TooLong { len, max: self.max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn too_long_is_seen_at_the_length() {
        let frames = Frames::new(300);
        let mut buffer = BytesMut::from(&[0xad, 0x02][..]); // 301, and not one byte of it
        assert_eq!(
            frames.decode(&mut buffer),
            Err(FrameError::TooLong { len: 301, max: 300 })
        );
        assert_eq!(
            frames.encode(&[0; 301], &mut buffer),
            Err(FrameError::TooLong { len: 301, max: 300 })
        );
        assert_eq!(buffer.len(), 2, "an error leaves the buffer alone");
    }

    #[test]
    fn malformed_length() {
        let mut buffer = BytesMut::from(&[0x80, 0x00][..]);
        assert_eq!(
            Frames::new(9).decode(&mut buffer),
            Err(FrameError::Length(VarintError::NonMinimal))
        );
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut buffer = BytesMut::from(&[0xff, 0xff, 0xff, 0x7f][..]);
        let capacity = buffer.capacity();
        assert_eq!(Frames::new(usize::MAX).decode(&mut buffer), Ok(None));
        assert_eq!(buffer.capacity(), capacity);
    }

    proptest! {
        #[test]
        fn round_trip_in_pieces(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            piece in 1usize..64,
        ) {
            let frames = Frames::new(300);
            let mut wire = BytesMut::new();
            for frame in &sent {
                frames.encode(frame, &mut wire).unwrap();
            }
            let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
            for chunk in wire.chunks(piece) {
                buffer.extend_from_slice(chunk);
                while let Some(frame) = frames.decode(&mut buffer).unwrap() {
                    got.push(frame.to_vec());
                }
            }
            prop_assert_eq!(got, sent);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn arbitrary_bytes(bytes: Vec<u8>, max in 0usize..64) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(frame)) = Frames::new(max).decode(&mut buffer) {
                prop_assert!(frame.len() <= max);
            }
        }
    }
}
