//! The sending half: text in, records out.

use std::{collections::VecDeque, io::IoSlice};

use rustls::{AlertDescription, ContentType, Error, crypto::cipher::OutboundChunks};

use super::{Schedule, Sealing};

/// The most text that one record takes (RFC 8446, section 5.1).
const MAX_TEXT: usize = 16 * 1024;
/// So many sealed bytes are worth a call of the operating system; below that they wait for a flush.
const WORTH_SENDING: usize = 64 * 1024;
/// One call seals at most as much text as eight records take.
const MAX_WRITE: usize = 8 * MAX_TEXT;
/// Records that are kept room for when all is sent.
const KEPT: usize = 16;
/// RFC 8446, sections 4 and 4.6.3: the type, a length of one, and that no update is wanted in return.
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

/// Seals what goes to the peer and holds it until it is sent.
#[derive(Debug)]
pub(crate) struct Outbound {
    keys: Sealing,
    records: VecDeque<Vec<u8>>,
    /// Bytes of the first record that are sent.
    sent: usize,
    /// Bytes of all records that are not sent.
    pending: usize,
}

impl Outbound {
    /// Seals with `keys`.
    pub(crate) fn new(keys: Sealing) -> Self {
        Self {
            keys,
            records: VecDeque::new(),
            sent: 0,
            pending: 0,
        }
    }

    /// Whether enough is waiting to be sent before more is sealed.
    pub(crate) fn is_full(&self) -> bool {
        self.pending >= WORTH_SENDING
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether the keys have to be replaced before more is sealed.
    pub(crate) fn is_worn(&self) -> bool {
        self.keys.is_worn()
    }

    /// Seals text of `slices`, in as few records as it takes, and says how much: all of it, or the first 128 KiB.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, Error> {
        let slices: Vec<&[u8]> = slices.iter().map(|slice| &**slice).collect();
        let (mut text, _) = OutboundChunks::new(&slices).split_at(MAX_WRITE);
        let total = text.len();
        while !text.is_empty() {
            let (first, rest) = text.split_at(MAX_TEXT);
            self.seal(ContentType::ApplicationData, first)?;
            text = rest;
        }
        Ok(total)
    }

    /// Tells the peer that something ends, or is over.
    pub(crate) fn alert(&mut self, description: AlertDescription) -> Result<(), Error> {
        // RFC 8446, section 6: the level means nothing, but goodbye is a warning, and errors are fatal.
        let level = if description == AlertDescription::CloseNotify {
            1
        } else {
            2
        };
        let alert = [level, description.into()];
        self.seal(ContentType::Alert, OutboundChunks::Single(&alert))
    }

    /// Tells the peer that the next keys follow, and goes on with them.
    pub(crate) fn update_keys(&mut self, schedule: &mut dyn Schedule) -> Result<(), Error> {
        self.seal(ContentType::Handshake, OutboundChunks::Single(&KEY_UPDATE))?;
        self.keys.replace(schedule.next_sealing()?);
        Ok(())
    }

    /// What waits to be sent, as far as there is room for it in `slices`; says how many of them it took.
    pub(crate) fn pending<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.sent;
        let mut used = 0;
        for (slice, record) in slices.iter_mut().zip(&self.records) {
            *slice = IoSlice::new(&record[skip..]);
            skip = 0;
            used += 1;
        }
        used
    }

    /// Notes that the first `len` bytes of what was waiting are sent.
    pub(crate) fn sent(&mut self, len: usize) {
        self.sent += len;
        self.pending -= len;
        while let Some(first) = self.records.front().filter(|first| first.len() <= self.sent) {
            self.sent -= first.len();
            self.records.pop_front();
        }
    }

    /// Gives back memory when nothing waits.
    pub(crate) fn rest(&mut self) {
        if self.records.is_empty() && self.records.capacity() > KEPT {
            self.records = VecDeque::new();
        }
    }

    fn seal(&mut self, kind: ContentType, text: OutboundChunks<'_>) -> Result<(), Error> {
        let record = self.keys.seal(kind, text)?;
        self.pending += record.len();
        self.records.push_back(record);
        Ok(())
    }
}
