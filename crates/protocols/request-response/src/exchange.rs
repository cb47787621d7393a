//! One message on a stream.

use crate::{
    codec::CodecError,
    config::{Bounds, Framing},
};
use bytes::{Bytes, BytesMut};
use sinew_core::{Blame, Culpable, Stream, StreamReset};
use sinew_wire::{FrameError, Frames};
use std::io;

/// Why a message did not come, or was none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Its length is malformed or beyond the maximum.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It is longer than the maximum of so many bytes.
    #[error("more than the {0} bytes that are allowed")]
    TooLong(usize),
    /// The stream ended before it was whole.
    #[error("the stream ended before the message was whole")]
    Ended,
    /// There were bytes after it.
    #[error("bytes after the message")]
    Trailing,
    /// Its content is not of the format.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The other side reset the stream.
    #[error(transparent)]
    Reset(StreamReset),
    /// The stream failed.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for MessageError {
    fn from(error: io::Error) -> Self {
        let reset = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<StreamReset>());
        reset.copied().map_or(Self::Io(error), Self::Reset)
    }
}

impl Culpable for MessageError {
    fn blame(&self) -> Blame {
        match self {
            Self::Io(_) => Blame::Network,
            _ => Blame::Peer,
        }
    }
}

/// A message of at most `max` bytes from all the bytes of a direction: for tests and fuzzers, which have no stream.
///
/// # Errors
/// [`MessageError`] when the bytes are not exactly one message.
pub fn decode(bytes: &[u8], framing: Framing, max: usize) -> Result<Bytes, MessageError> {
    let mut buffer = BytesMut::from(bytes);
    match framing {
        Framing::LengthPrefixed => {
            let message = Frames::new(max).decode(&mut buffer)?.ok_or(MessageError::Ended)?;
            if buffer.is_empty() {
                Ok(message)
            } else {
                Err(MessageError::Trailing)
            }
        }
        Framing::ToEnd if bytes.len() > max => Err(MessageError::TooLong(max)),
        Framing::ToEnd => Ok(buffer.freeze()),
    }
}

/// Reads a message. What comes after a length-prefixed one is not looked at.
pub(crate) async fn read(stream: &mut Stream, framing: Framing, max: usize) -> Result<Bytes, MessageError> {
    let mut buffer = BytesMut::new();
    loop {
        if framing == Framing::LengthPrefixed
            && let Some(message) = Frames::new(max).decode(&mut buffer)?
        {
            return Ok(message);
        }
        match stream.read_chunk().await? {
            Some(chunk) if framing == Framing::ToEnd && buffer.len() + chunk.len() > max => {
                return Err(MessageError::TooLong(max));
            }
            Some(chunk) => buffer.extend_from_slice(&chunk),
            None if framing == Framing::ToEnd => return Ok(buffer.freeze()),
            None => return Err(MessageError::Ended),
        }
    }
}

/// Writes a message and the end of our direction.
pub(crate) async fn write(stream: &mut Stream, bounds: &Bounds, message: Bytes) -> io::Result<()> {
    if bounds.framing == Framing::LengthPrefixed {
        let mut prefix = BytesMut::with_capacity(10 + message.len().min(SMALL));
        sinew_wire::varint::encode(message.len() as u64, &mut prefix);
        // A small message leaves together with its length, a large one is not copied for it.
        if message.len() <= SMALL {
            prefix.extend_from_slice(&message);
            stream.write_chunk(prefix.freeze()).await?;
            return stream.finish().await;
        }
        stream.write_chunk(prefix.freeze()).await?;
    }
    stream.write_chunk(message).await?;
    stream.finish().await
}

/// Messages up to this length are copied behind their prefix, so that the optimistic negotiation, the length and the
/// message leave in one flight.
const SMALL: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{MessageError, decode};
    use crate::Framing;
    use bytes::BytesMut;
    use proptest::prelude::*;
    use sinew_wire::Frames;

    #[test]
    fn what_is_not_exactly_one_message_is_refused() {
        let decode = |bytes: &[u8]| decode(bytes, Framing::LengthPrefixed, 10);
        assert!(matches!(decode(b""), Err(MessageError::Ended)));
        assert!(matches!(decode(b"\x03ab"), Err(MessageError::Ended)));
        assert!(
            matches!(decode(b"\x0b"), Err(MessageError::Frame(_))),
            "too long is seen at the length"
        );
        assert!(
            matches!(decode(b"\x83\x00abc"), Err(MessageError::Frame(_))),
            "not minimal"
        );
        assert!(matches!(decode(b"\x01ab"), Err(MessageError::Trailing)));
        assert_eq!(decode(b"\x02ab").expect("one message"), "ab");
        assert!(matches!(
            super::decode(&[0; 11], Framing::ToEnd, 10),
            Err(MessageError::TooLong(10))
        ));
    }

    proptest! {
        #[test]
        fn any_message_comes_back(message: Vec<u8>) {
            let mut framed = BytesMut::new();
            Frames::new(1 << 20).encode(&message, &mut framed).expect("short enough");
            prop_assert_eq!(decode(&framed, Framing::LengthPrefixed, 1 << 20).expect("one message"), message);
        }
    }
}
