//! Headers of frames: one varint for the stream and the flag, one for the length.

use crate::Fault;
use sinew_wire::varint;

/// spec: mplex, Writing to a stream: a message carries at most 1 MiB. Held for all frames, as go-libp2p does.
pub const MAX_DATA: u64 = 1 << 20;

/// The longest name of a stream that is skipped: 1 KiB. Implementations send the number, or a few words.
pub const MAX_NAME: usize = 1024;

/// spec: mplex, Message format: a header has at most nine bytes, three bits of which are the flag.
pub const MAX_ID: u64 = (1 << 60) - 1;

/// Bytes after which it is certain whether a header is right: two of the longest varints.
pub(crate) const CERTAIN: usize = 2 * varint::MAX_LEN;

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Opens a stream; the data is its name.
    NewStream,
    /// Payload.
    Message,
    /// The end of the sender's direction.
    Close,
    /// The end of both directions at once.
    Reset,
}

/// The header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the frame says.
    pub kind: Kind,
    /// The number of the stream.
    pub number: u64,
    /// Whether the sender is who opened the stream; both sides may use one number.
    pub initiator: bool,
    /// Bytes of data that follow.
    pub length: usize,
}

impl Header {
    /// Reads a header from the front of `bytes`, and how many of them it took; `None` while they are too few.
    ///
    /// # Errors
    /// [`Fault::Header`], [`Fault::Flag`] or [`Fault::TooLong`].
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Fault> {
        let Some((head, head_len)) = varint::decode(bytes).map_err(|_| Fault::Header)? else {
            return Ok(None);
        };
        let (kind, initiator) = Kind::from_flag(head & 7)?;
        if head >> 3 > MAX_ID {
            return Err(Fault::Header);
        }
        let length = varint::decode(&bytes[head_len..]).map_err(|_| Fault::Header)?;
        let Some((length, length_len)) = length else {
            return Ok(None);
        };
        if length > MAX_DATA {
            return Err(Fault::TooLong(length));
        }
        let header = Self {
            kind,
            number: head >> 3,
            initiator,
            length: usize::try_from(length).unwrap_or(usize::MAX),
        };
        Ok(Some((header, head_len + length_len)))
    }

    /// Appends the bytes of the header.
    pub fn encode(&self, out: &mut impl bytes::BufMut) {
        varint::encode(self.number << 3 | self.kind.flag(self.initiator), out);
        varint::encode(self.length as u64, out);
    }
}

impl Kind {
    // spec: mplex, Flag Values.
    fn from_flag(flag: u64) -> Result<(Self, bool), Fault> {
        Ok(match flag {
            0 => (Self::NewStream, true),
            1 => (Self::Message, false),
            2 => (Self::Message, true),
            3 => (Self::Close, false),
            4 => (Self::Close, true),
            5 => (Self::Reset, false),
            6 => (Self::Reset, true),
            other => return Err(Fault::Flag(other as u8)),
        })
    }

    fn flag(self, initiator: bool) -> u64 {
        let flag = match self {
            Self::NewStream => return 0,
            Self::Message => 1,
            Self::Close => 3,
            Self::Reset => 5,
        };
        flag + u64::from(initiator)
    }
}

#[cfg(test)]
mod tests {
    use super::{CERTAIN, Header, Kind, MAX_DATA, MAX_ID};
    use crate::Fault;
    use proptest::prelude::*;

    fn encoded(header: Header) -> Vec<u8> {
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        bytes
    }

    #[test]
    fn flags_are_those_of_the_specification() {
        let cases = [
            (Kind::NewStream, true, 0x08),
            (Kind::Message, false, 0x09),
            (Kind::Message, true, 0x0a),
            (Kind::Close, false, 0x0b),
            (Kind::Close, true, 0x0c),
            (Kind::Reset, false, 0x0d),
            (Kind::Reset, true, 0x0e),
        ];
        for (kind, initiator, byte) in cases {
            let header = Header {
                kind,
                number: 1,
                initiator,
                length: 5,
            };
            assert_eq!(encoded(header), [byte, 5]);
            assert_eq!(Header::decode(&[byte, 5, 0]), Ok(Some((header, 2))));
        }
        assert_eq!(Header::decode(&[0x0f]), Err(Fault::Flag(7)));
    }

    #[test]
    fn borders() {
        let largest = Header {
            kind: Kind::Reset,
            number: MAX_ID,
            initiator: true,
            length: MAX_DATA as usize,
        };
        let bytes = encoded(largest);
        assert_eq!(bytes.len(), 9 + 3);
        assert_eq!(Header::decode(&bytes), Ok(Some((largest, 12))));
        let mut beyond = Vec::new();
        sinew_wire::varint::encode((MAX_ID + 1) << 3, &mut beyond);
        assert_eq!(Header::decode(&beyond), Err(Fault::Header));
        assert_eq!(
            Header::decode(&[0x80, 0]),
            Err(Fault::Header),
            "not the shortest form"
        );
        assert_eq!(
            Header::decode(&[1, 0x81, 0x80, 0x40]),
            Err(Fault::TooLong(MAX_DATA + 1))
        );
        assert_eq!(Header::decode(&[1, 0x80, 0]), Err(Fault::Header));
    }

    proptest! {
        #[test]
        fn every_header_is_certain_in_time(bytes in proptest::collection::vec(any::<u8>(), CERTAIN..=CERTAIN)) {
            match Header::decode(&bytes) {
                Ok(Some((header, len))) => prop_assert_eq!(encoded(header), &bytes[..len]),
                Ok(None) => prop_assert!(false, "still unsure"),
                Err(_) => {}
            }
        }
    }
}
