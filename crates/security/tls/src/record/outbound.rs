//! The sending half: text in, records out.

use std::io::IoSlice;

use rustls::{AlertDescription, ContentType, Error};
use sinew_wire::{Buffer, Gather};

use super::{Schedule, Sealing, incoming::MAX_TEXT, keys::AROUND};

/// So many sealed bytes are worth a call of the operating system; below that they wait for a flush.
const WORTH_SENDING: usize = 64 * 1024;
/// RFC 8446, sections 4 and 4.6.3: the type, a length of one, and that no update is wanted in return.
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

/// Seals what goes to the peer and holds it until it is sent.
#[derive(Debug)]
pub(crate) struct Outbound {
    keys: Sealing,
    buffer: Buffer,
}

impl Outbound {
    /// Seals with `keys`.
    pub(crate) fn new(keys: Sealing) -> Self {
        Self {
            keys,
            buffer: Buffer::new(),
        }
    }

    /// Whether enough is waiting to be sent before more is sealed.
    pub(crate) fn is_full(&self) -> bool {
        self.pending().len() >= WORTH_SENDING
    }

    /// Whether the keys have to be replaced before more is sealed.
    pub(crate) fn is_worn(&self) -> bool {
        self.keys.is_worn()
    }

    /// Seals text of `slices`, in as few records as it takes, and says how much: all of it, or as much as fills the buffer,
    /// which takes eight of the largest records. Something, unless it [is full](Outbound::is_full).
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> usize {
        let mut text = Gather::new(slices);
        let total = text.len().min(self.fits());
        let mut left = total;
        while left > 0 {
            let len = left.min(MAX_TEXT);
            self.seal(ContentType::ApplicationData, &mut text, len);
            left -= len;
        }
        total
    }

    /// Tells the peer that something ends, or is over.
    pub(crate) fn alert(&mut self, description: AlertDescription) {
        // RFC 8446, section 6: the level means nothing, but goodbye is a warning, and errors are fatal.
        let level = if description == AlertDescription::CloseNotify {
            1
        } else {
            2
        };
        self.say(ContentType::Alert, &[level, description.into()]);
    }

    /// Tells the peer that the next keys follow, and goes on with them.
    pub(crate) fn update_keys(&mut self, schedule: &mut dyn Schedule) -> Result<(), Error> {
        let next = schedule.next_sealing()?;
        self.say(ContentType::Handshake, &KEY_UPDATE);
        self.keys.replace(next);
        Ok(())
    }

    /// What waits to be sent.
    pub(crate) fn pending(&self) -> &[u8] {
        self.buffer.unread()
    }

    /// Notes that the first `len` bytes of what was waiting are sent.
    pub(crate) fn sent(&mut self, len: usize) {
        self.buffer.take(len);
    }

    /// Gives back memory while nothing is sent.
    pub(crate) fn rest(&mut self) {
        self.buffer.rest();
    }

    /// How much text there is room for, in records that may be the largest: no short one is made of what does not fit.
    fn fits(&self) -> usize {
        let room = Buffer::SIZE.saturating_sub(self.pending().len());
        room / (AROUND + MAX_TEXT) * MAX_TEXT
    }

    fn say(&mut self, kind: ContentType, content: &[u8]) {
        self.seal(kind, &mut Gather::new(&[IoSlice::new(content)]), content.len());
    }

    fn seal(&mut self, kind: ContentType, text: &mut Gather<'_>, len: usize) {
        self.keys.seal(kind, text, len, self.buffer.room(AROUND + len));
    }
}
