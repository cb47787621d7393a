//! The bytes that came from the peer and are not used up: whole records, and at the end perhaps a part of one.

use std::{mem, ops::Range};

use super::RecordError;

/// Type, version and length in front of each record (RFC 8446, section 5.1).
pub(crate) const HEADER: usize = 5;
/// The most that a sealed record carries: 16 KiB of text, and 256 bytes for what sealing adds (RFC 8446, section 5.2).
const MAX_PAYLOAD: usize = 16 * 1024 + 256;
/// The type of a record with handshake messages that are not sealed (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// The type of a sealed record (RFC 8446, section 5.2).
const APPLICATION_DATA: u8 = 23;
/// What every record says instead of a version. RFC 8446, section 5.1, ignores it; Go's TLS does not, and so everybody
/// sends it, and garbage shows at once.
const VERSION: [u8; 2] = [3, 3];
/// The first record of a client may say TLS 1.0 (RFC 8446, section 5.1).
const HANDSHAKE_VERSIONS: [[u8; 2]; 2] = [[3, 1], VERSION];
/// The first read of a connection: a handshake message or a small request fits.
const SMALLEST: usize = 2 * 1024;
/// The largest read: four of the largest records.
const LARGEST: usize = 4 * (HEADER + MAX_PAYLOAD);

/// A buffer that reads grow into, and that is given back when nothing is in it.
///
/// It grows only after a read has filled it, so a peer that announces much and sends little costs little.
#[derive(Debug)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    /// What is before this was taken.
    start: usize,
    /// How much room the next read gets.
    target: usize,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            target: SMALLEST,
        }
    }

    /// Where the first record that begins at `offset` ends, counted from the first byte that is here, if all of it
    /// has arrived. A header that cannot be one counts as a whole record: whoever reads it will say so. Once the
    /// sides have agreed on keys (`sealed`), no handshake message is open.
    ///
    /// # Errors
    /// [`RecordError::Version`] and [`RecordError::Type`], of which nobody else would say anything.
    pub(crate) fn end_of_record(&self, offset: usize, sealed: bool) -> Result<Option<usize>, RecordError> {
        let here = &self.bytes[self.start + offset..];
        let Some(&[kind, major, minor, high, low]) = here.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // RFC 8446, section 5.1: the four types of records are 20 to 23.
        if !(20..=23).contains(&kind) || length > MAX_PAYLOAD {
            return Ok(Some(offset + HEADER));
        }
        if !HANDSHAKE_VERSIONS.contains(&[major, minor]) {
            return Err(RecordError::Version([major, minor]));
        }
        if sealed && kind == HANDSHAKE {
            return Err(RecordError::Type(kind));
        }
        Ok((HEADER + length <= here.len()).then_some(offset + HEADER + length))
    }

    /// Where the content of the first sealed record lies, if all of it has arrived.
    pub(crate) fn sealed(&self) -> Result<Option<Range<usize>>, RecordError> {
        let here = &self.bytes[self.start..];
        // The type is looked at as soon as it is there.
        if let Some(&kind) = here.first().filter(|&&kind| kind != APPLICATION_DATA) {
            return Err(RecordError::Type(kind));
        }
        let Some(&[_, major, minor, high, low]) = here.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        if [major, minor] != VERSION {
            return Err(RecordError::Version([major, minor]));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_PAYLOAD {
            return Err(RecordError::TooLong(length));
        }
        let from = self.start + HEADER;
        Ok((from + length <= self.bytes.len()).then_some(from..from + length))
    }

    /// The first `len` bytes.
    pub(crate) fn first(&mut self, len: usize) -> &mut [u8] {
        &mut self.bytes[self.start..][..len]
    }

    /// The bytes at a place that [`Incoming::sealed`] gave.
    pub(crate) fn at(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[range]
    }

    /// Takes the first `len` bytes. They stay where they are until the next read.
    pub(crate) fn take(&mut self, len: usize) {
        self.start += len;
    }

    /// How many bytes are here and were not taken.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The buffer with room for a read behind its bytes. Moves what was not taken to the front.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..mem::take(&mut self.start));
        let wanted = self.target.max(self.bytes.len() + SMALLEST);
        if self.bytes.capacity() < wanted {
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        &mut self.bytes
    }

    /// Notes that a read brought `read` bytes: the next one gets more room, or less.
    pub(crate) fn received(&mut self, read: usize) {
        if self.bytes.len() == self.bytes.capacity() {
            self.target = (self.target * 4).min(LARGEST);
        } else if read < self.target / 4 {
            self.target = (self.target / 2).max(SMALLEST);
        }
    }

    /// Gives back the memory that is not needed while nothing arrives.
    pub(crate) fn rest(&mut self) {
        if self.len() == 0 {
            self.bytes = Vec::new();
            self.start = 0;
        } else if self.bytes.capacity() > 4 * self.len() + SMALLEST {
            self.bytes.drain(..mem::take(&mut self.start));
            self.bytes.shrink_to(2 * self.bytes.len() + SMALLEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(bytes: &[u8]) -> Incoming {
        let mut incoming = Incoming::new();
        incoming.room().extend_from_slice(bytes);
        incoming
    }

    #[test]
    fn records_are_found_behind_one_another() {
        let mut incoming = holding(&[23, 3, 3, 0, 1, 7, 23, 3, 3, 0, 0, 23, 3, 3, 0, 2, 8]);
        let mut found = Vec::new();
        while let Some(record) = incoming.sealed().unwrap() {
            found.push(incoming.at(record.clone()).to_vec());
            incoming.take(HEADER + record.len());
        }
        assert_eq!(found, [vec![7], vec![]]);
        assert_eq!(incoming.end_of_record(0, true), Ok(None));
        incoming.room().push(9);
        assert_eq!(incoming.end_of_record(0, true), Ok(Some(7)));
    }

    #[test]
    fn what_is_no_record_shows_at_once() {
        assert_eq!(holding(&[22]).sealed(), Err(RecordError::Type(22)));
        assert_eq!(holding(&[23]).sealed(), Ok(None));
        let longest = u16::try_from(MAX_PAYLOAD).unwrap();
        let [high, low] = longest.to_be_bytes();
        assert_eq!(holding(&[23, 3, 3, high, low]).sealed(), Ok(None));
        let [high, low] = (longest + 1).to_be_bytes();
        let too_long = holding(&[23, 3, 3, high, low]);
        assert_eq!(too_long.sealed(), Err(RecordError::TooLong(MAX_PAYLOAD + 1)));
        assert_eq!(too_long.end_of_record(0, true), Ok(Some(HEADER)));
        let version = RecordError::Version([3, 2]);
        assert_eq!(holding(&[23, 3, 2, 0, 1]).sealed(), Err(version.clone()));
        assert_eq!(holding(&[22, 3, 2, 0, 1]).end_of_record(0, true), Err(version));
        let open = holding(&[22, 3, 3, 0, 0]);
        assert_eq!(open.end_of_record(0, false), Ok(Some(HEADER)));
        assert_eq!(open.end_of_record(0, true), Err(RecordError::Type(22)));
    }

    #[test]
    fn room_follows_use() {
        let mut incoming = Incoming::new();
        let sizes: Vec<_> = (0..5)
            .map(|_| {
                let room = incoming.room();
                let len = room.capacity();
                room.resize(len, 0);
                incoming.received(len);
                incoming.take(len);
                incoming.rest();
                len
            })
            .collect();
        assert_eq!(sizes, [SMALLEST, 4 * SMALLEST, 16 * SMALLEST, LARGEST, LARGEST]);
        assert_eq!(incoming.bytes.capacity(), 0);
    }
}
