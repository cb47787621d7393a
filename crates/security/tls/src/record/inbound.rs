//! The receiving half: records in, text out.

use std::ops::Range;

use rustls::{AlertDescription, ContentType};

use sinew_wire::ReceiveBuffer;

use super::{Opening, RecordError, incoming::sealed_record, keys::Secrets};

/// Records without text that a peer may send ahead of useful ones.
const PATIENCE: u32 = 1_000;
/// So many bytes of text earn a peer one more record without any.
const TEXT_A_RECORD: usize = 256;
/// The most that is kept of a handshake message that came in part. A ticket takes some hundred bytes.
const MAX_MESSAGE: usize = 16 * 1024;
/// RFC 8446, section 4.6.1. We offer no resumption, but some servers send tickets whatever is offered.
const NEW_SESSION_TICKET: u8 = 4;
/// RFC 8446, section 4.6.3.
const KEY_UPDATE: u8 = 24;

/// What the peer sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Received {
    /// Text, which [`Inbound::text`] has.
    Text,
    /// The peer goes on with new keys, and may want us to do the same.
    KeyUpdate {
        /// Whether our keys are to change too.
        requested: bool,
    },
    /// The peer is done: all that it said was received.
    End,
    /// Not a whole record.
    Nothing,
}

/// Opens what the peer sent.
#[derive(Debug)]
pub(crate) struct Inbound {
    keys: Opening,
    buffer: ReceiveBuffer,
    /// Text that was opened where it lay, and was not taken.
    text: Range<usize>,
    /// A handshake message of which not all has come.
    message: Vec<u8>,
    /// How many more records without text are borne.
    patience: u32,
    ended: bool,
    failed: Option<RecordError>,
}

impl Inbound {
    /// Opens with `keys`, beginning with what `buffer` already holds.
    pub(crate) fn new(keys: Opening, buffer: ReceiveBuffer) -> Self {
        Self {
            keys,
            buffer,
            text: 0..0,
            message: Vec::new(),
            patience: PATIENCE,
            ended: false,
            failed: None,
        }
    }

    /// What comes next. After a key update the keys have to be replaced before the next call.
    ///
    /// # Errors
    /// [`RecordError`], then and ever after.
    pub(crate) fn next(&mut self) -> Result<Received, RecordError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while !self.ended && self.text.is_empty() {
            match self.open_record() {
                Ok(None) => {}
                Ok(Some(received)) => return Ok(received),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(if self.ended { Received::End } else { Received::Text })
    }

    /// The text that was opened last and not taken.
    pub(crate) fn text(&mut self) -> &[u8] {
        self.buffer.at(self.text.clone())
    }

    /// Takes the first `len` bytes of the text.
    pub(crate) fn take_text(&mut self, len: usize) {
        self.text.start += len;
    }

    /// Continues with the next keys.
    pub(crate) fn replace_keys(&mut self, secrets: Secrets) {
        self.keys.replace(secrets);
    }

    /// The bytes below have ended.
    ///
    /// # Errors
    /// [`RecordError::Truncated`]: the peer says goodbye before an end that is meant.
    pub(crate) fn cut(&mut self) -> RecordError {
        self.failed.insert(RecordError::Truncated).clone()
    }

    /// The buffer to read into, once [`Inbound::next`] has nothing left to give.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.buffer.room()
    }

    /// Notes that a read brought `read` bytes.
    pub(crate) fn received(&mut self, read: usize) {
        self.buffer.received(read);
    }

    /// Gives back memory while nothing arrives. Called like [`Inbound::room`].
    pub(crate) fn rest(&mut self) {
        self.buffer.rest();
    }

    /// Opens the next record; `None` if it brought nothing that anybody waits for, or text.
    fn open_record(&mut self) -> Result<Option<Received>, RecordError> {
        let Some(record) = sealed_record(self.buffer.unread())? else {
            return Ok(Some(Received::Nothing));
        };
        let opened = self.keys.open(&mut self.buffer.unread_mut()[record.clone()]);
        let opened = opened.map_err(RecordError::Refused)?;
        let (kind, len) = (opened.typ, opened.payload.len());
        let text = self.buffer.place(record.start..record.start + len);
        self.buffer.take(record.end);
        self.charge(kind, len)?;
        match kind {
            // RFC 8446, section 5.1: nothing stands between the parts of a handshake message.
            _ if kind != ContentType::Handshake && !self.message.is_empty() => {
                Err(RecordError::Message(self.message[0]))
            }
            ContentType::ApplicationData => {
                self.text = text;
                Ok(None)
            }
            ContentType::Handshake => self.handshake(text),
            ContentType::Alert => self.alert(text),
            kind => Err(RecordError::Type(kind.into())),
        }
    }

    /// Text earns patience, and everything else costs it.
    fn charge(&mut self, kind: ContentType, len: usize) -> Result<(), RecordError> {
        if kind == ContentType::ApplicationData && len > 0 {
            let earned = u32::try_from(len / TEXT_A_RECORD).unwrap_or(u32::MAX);
            self.patience = self.patience.saturating_add(earned).min(PATIENCE);
            return Ok(());
        }
        self.patience = self.patience.checked_sub(1).ok_or(RecordError::Flood)?;
        Ok(())
    }

    fn alert(&mut self, content: Range<usize>) -> Result<Option<Received>, RecordError> {
        // RFC 8446, section 6: level and description; all but two kinds end the connection, whatever their level.
        match *self.buffer.at(content) {
            [_, description] => match AlertDescription::from(description) {
                AlertDescription::CloseNotify => {
                    self.ended = true;
                    Ok(None)
                }
                AlertDescription::UserCanceled => Ok(None),
                description => Err(RecordError::Alert(description)),
            },
            _ => Err(RecordError::Type(ContentType::Alert.into())),
        }
    }

    /// Handles the handshake messages that may come after the handshake.
    fn handshake(&mut self, content: Range<usize>) -> Result<Option<Received>, RecordError> {
        if content.is_empty() {
            // RFC 8446, section 5.1: no empty fragments of handshake messages.
            return Err(RecordError::Type(ContentType::Handshake.into()));
        }
        self.message.extend_from_slice(self.buffer.at(content));
        let received = self.handshake_messages();
        if self.message.is_empty() {
            self.message = Vec::new();
        }
        received
    }

    fn handshake_messages(&mut self) -> Result<Option<Received>, RecordError> {
        while let Some((kind, end)) = message_header(&self.message) {
            if end > MAX_MESSAGE {
                return Err(RecordError::Message(kind));
            }
            if self.message.len() < end {
                break;
            }
            let body = &self.message[4..end];
            let key_update = match (kind, body) {
                (NEW_SESSION_TICKET, _) => None,
                // RFC 8446, section 5.1: nothing under the old keys comes behind it.
                (KEY_UPDATE, &[requested @ (0 | 1)]) if self.message.len() == end => Some(requested == 1),
                _ => return Err(RecordError::Message(kind)),
            };
            self.message.drain(..end);
            if let Some(requested) = key_update {
                return Ok(Some(Received::KeyUpdate { requested }));
            }
        }
        Ok(None)
    }
}

/// The type of a handshake message and where it ends (RFC 8446, section 4).
fn message_header(message: &[u8]) -> Option<(u8, usize)> {
    let [kind, high, middle, low] = *message.first_chunk::<4>()?;
    let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
    Some((kind, 4 + length))
}

#[cfg(test)]
mod tests;
