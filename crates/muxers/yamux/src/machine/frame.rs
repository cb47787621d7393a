//! Frame headers: twelve bytes, big endian.

use crate::Fault;

/// Bytes of a frame header.
pub const HEADER: usize = 12;

/// What a frame is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Payload of a stream.
    Data,
    /// Credit for a stream.
    WindowUpdate,
    /// A question whether the other side is there, or its answer.
    Ping,
    /// The end of the session.
    GoAway,
}

/// The flags of a frame. Bits that the specification does not name are kept and mean nothing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(pub u16);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Opens a stream; a ping that asks.
    pub const SYN: Self = Self(1);
    /// Accepts a stream; a ping that answers.
    pub const ACK: Self = Self(2);
    /// The sender will send no more payload.
    pub const FIN: Self = Self(4);
    /// Both directions end at once.
    pub const RST: Self = Self(8);

    const KNOWN: u16 = 15;

    /// Whether all flags of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and those of `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether no flag that the specification names is set.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.0 & Self::KNOWN == 0
    }
}

/// The header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the frame is for.
    pub kind: Kind,
    /// Its flags.
    pub flags: Flags,
    /// The stream it belongs to, 0 for the session.
    pub stream: u32,
    /// Length of the payload, credit, opaque value or code: as the kind says.
    pub length: u32,
}

impl Header {
    /// A header.
    #[must_use]
    pub fn new(kind: Kind, flags: Flags, stream: u32, length: u32) -> Self {
        Self {
            kind,
            flags,
            stream,
            length,
        }
    }

    /// The twelve bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER] {
        // spec: yamux, Framing: version, type, flags, stream id and length, all in network order.
        let mut bytes = [0; HEADER];
        bytes[1] = match self.kind {
            Kind::Data => 0,
            Kind::WindowUpdate => 1,
            Kind::Ping => 2,
            Kind::GoAway => 3,
        };
        bytes[2..4].copy_from_slice(&self.flags.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.stream.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`Fault::Version`] and [`Fault::Type`] for values that the specification does not know.
    pub fn decode(bytes: &[u8; HEADER]) -> Result<Self, Fault> {
        // spec: yamux, Version Field: the version is always 0.
        if bytes[0] != 0 {
            return Err(Fault::Version(bytes[0]));
        }
        let kind = match bytes[1] {
            0 => Kind::Data,
            1 => Kind::WindowUpdate,
            2 => Kind::Ping,
            3 => Kind::GoAway,
            other => return Err(Fault::Type(other)),
        };
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let flags = Flags(u16::from_be_bytes([bytes[2], bytes[3]]));
        Ok(Self {
            kind,
            flags,
            stream: word(4),
            length: word(8),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Flags, HEADER, Header, Kind};
    use crate::Fault;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn headers_survive_the_wire(kind in 0u8..4, flags: u16, stream: u32, length: u32) {
            let kind = [Kind::Data, Kind::WindowUpdate, Kind::Ping, Kind::GoAway][usize::from(kind)];
            let header = Header::new(kind, Flags(flags), stream, length);
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }

        #[test]
        fn twelve_bytes_are_a_header_or_a_fault(bytes: [u8; HEADER]) {
            match Header::decode(&bytes) {
                Ok(header) => prop_assert_eq!(header.encode(), bytes),
                Err(Fault::Version(version)) => prop_assert!(version != 0 && version == bytes[0]),
                Err(Fault::Type(kind)) => prop_assert!(kind > 3 && kind == bytes[1]),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }

    #[test]
    fn the_words_stand_where_the_specification_puts_them() {
        let header = Header::new(
            Kind::WindowUpdate,
            Flags::SYN.with(Flags::FIN),
            0x0102_0304,
            0x0a0b_0c0d,
        );
        assert_eq!(header.encode(), [0, 1, 0, 5, 1, 2, 3, 4, 0x0a, 0x0b, 0x0c, 0x0d]);
    }
}
