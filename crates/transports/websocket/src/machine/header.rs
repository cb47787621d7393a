//! The header of a frame (RFC 6455, 5.2): written, and read byte by byte.

use sinew_core::Role;

use super::FrameError;

/// The most bytes that a frame may announce. Peers send messages of at most some 64 KiB, one of Noise's or two of yamux'; the
/// rest is room for those that gather more.
pub const MAX_FRAME: u64 = 1024 * 1024;

/// spec: RFC 6455, 5.5: the most bytes of a ping, pong or close.
pub const MAX_CONTROL: usize = 125;

/// Flags and kind, length in its longest form, mask.
pub(super) const MAX_HEADER: usize = 14;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// The length follows in two bytes.
const TWO: u8 = 126;
/// The length follows in eight bytes.
const EIGHT: u8 = 127;

/// spec: RFC 6455, 11.8: the kinds of frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Continuation,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Kind {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn read(code: u8) -> Result<Self, FrameError> {
        Ok(match code {
            0x0 => Self::Continuation,
            0x1 => return Err(FrameError::Text),
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            other => return Err(FrameError::UnknownKind(other)),
        })
    }

    fn code(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

/// What is known of a frame before its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) last: bool,
    pub(super) len: u64,
    pub(super) mask: Option<[u8; 4]>,
}

impl Header {
    /// Appends the bytes of a whole message's or control frame's header.
    pub(super) fn write(kind: Kind, len: usize, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
        let masked = if mask.is_some() { MASKED } else { 0 };
        out.push(FIN | kind.code());
        match (u8::try_from(len), u16::try_from(len)) {
            (Ok(len), _) if len < TWO => out.push(masked | len),
            (_, Ok(len)) => {
                out.push(masked | TWO);
                out.extend_from_slice(&len.to_be_bytes());
            }
            _ => {
                out.push(masked | EIGHT);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(mask.as_ref().map_or(&[][..], |key| key));
    }
}

/// A header that arrives in pieces. What is wrong is told at the first byte that shows it.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Partial {
    bytes: [u8; MAX_HEADER],
    len: usize,
}

impl Partial {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the next byte; the header, if that was its last one. `from` is who sends it.
    pub(super) fn push(&mut self, byte: u8, from: Role) -> Result<Option<Header>, FrameError> {
        self.bytes[self.len] = byte;
        self.len += 1;
        match self.len {
            1 => self.first().map(|_| None),
            2 => {
                self.second(from)?;
                self.whole()
            }
            _ => self.whole(),
        }
    }

    fn first(&self) -> Result<Kind, FrameError> {
        let first = self.bytes[0];
        let kind = Kind::read(first & 0x0f)?;
        if first & RESERVED != 0 {
            return Err(FrameError::ReservedBit);
        }
        if kind.is_control() && first & FIN == 0 {
            return Err(FrameError::FragmentedControl);
        }
        Ok(kind)
    }

    fn second(&self, from: Role) -> Result<(), FrameError> {
        let second = self.bytes[1];
        match (from, second & MASKED != 0) {
            // spec: RFC 6455, 5.1: what a client sends is masked, what a server sends is not.
            (Role::Dialer, false) => return Err(FrameError::Unmasked),
            (Role::Listener, true) => return Err(FrameError::Masked),
            _ => {}
        }
        if self.first()?.is_control() && second & !MASKED >= TWO {
            return Err(FrameError::LongControl);
        }
        Ok(())
    }

    /// Bytes of the length behind the first two.
    fn length_bytes(&self) -> usize {
        match self.bytes[1] & !MASKED {
            TWO => 2,
            EIGHT => 8,
            _ => 0,
        }
    }

    fn whole(&mut self) -> Result<Option<Header>, FrameError> {
        let masked = self.bytes[1] & MASKED != 0;
        let mask_at = 2 + self.length_bytes();
        if self.len == mask_at {
            self.length()?;
        }
        if self.len < mask_at + if masked { 4 } else { 0 } {
            return Ok(None);
        }
        let key: [u8; 4] = std::array::from_fn(|at| self.bytes[(mask_at + at).min(MAX_HEADER - 1)]);
        let header = Header {
            kind: self.first()?,
            last: self.bytes[0] & FIN != 0,
            len: self.length()?,
            mask: masked.then_some(key),
        };
        *self = Self::default();
        Ok(Some(header))
    }

    fn length(&self) -> Result<u64, FrameError> {
        let more = &self.bytes[2..2 + self.length_bytes()];
        let len = match more.len() {
            0 => return Ok(u64::from(self.bytes[1] & !MASKED)),
            _ => more.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
        };
        let shortest = if more.len() == 2 { u64::from(TWO) } else { 1 << 16 };
        if len < shortest {
            return Err(FrameError::Length);
        }
        if len > MAX_FRAME {
            return Err(FrameError::TooLong(len));
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], from: Role) -> Result<Option<Header>, FrameError> {
        let mut partial = Partial::default();
        for (at, byte) in bytes.iter().enumerate() {
            if let Some(header) = partial.push(*byte, from)? {
                assert_eq!(at + 1, bytes.len(), "done before the end");
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    #[test]
    fn what_is_written_is_read() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 1024 * 1024] {
            for (from, mask) in [(Role::Dialer, Some([1, 2, 3, 4])), (Role::Listener, None)] {
                let mut bytes = Vec::new();
                Header::write(Kind::Binary, len, mask, &mut bytes);
                assert!(bytes.len() <= MAX_HEADER);
                let header = read(&bytes, from).unwrap().unwrap();
                assert_eq!(
                    (header.kind, header.last, header.mask),
                    (Kind::Binary, true, mask)
                );
                assert_eq!(header.len, len as u64);
                assert_eq!(read(&bytes[..bytes.len() - 1], from), Ok(None));
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_the_first_byte_that_shows_it() {
        let table: [(&[u8], Role, FrameError); 13] = [
            (&[0x81], Role::Dialer, FrameError::Text),
            (&[0x83], Role::Dialer, FrameError::UnknownKind(3)),
            (&[0x8b], Role::Dialer, FrameError::UnknownKind(0xb)),
            (&[0xc2], Role::Dialer, FrameError::ReservedBit),
            (&[0x92], Role::Listener, FrameError::ReservedBit),
            (&[0x09], Role::Dialer, FrameError::FragmentedControl),
            (&[0x82, 0x01], Role::Dialer, FrameError::Unmasked),
            (&[0x82, 0x81], Role::Listener, FrameError::Masked),
            (&[0x89, 0xfe], Role::Dialer, FrameError::LongControl),
            (&[0x82, 0x7e, 0, 125], Role::Listener, FrameError::Length),
            (
                &[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
                Role::Listener,
                FrameError::Length,
            ),
            (
                &[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1],
                Role::Dialer,
                FrameError::TooLong(MAX_FRAME + 1),
            ),
            (
                &[0x82, 0x7f, 255, 255, 255, 255, 255, 255, 255, 255],
                Role::Listener,
                FrameError::TooLong(u64::MAX),
            ),
        ];
        for (bytes, from, error) in table {
            assert_eq!(read(bytes, from), Err(error), "{bytes:x?}");
            assert_eq!(read(&bytes[..bytes.len() - 1], from), Ok(None), "{bytes:x?}");
        }
    }
}
