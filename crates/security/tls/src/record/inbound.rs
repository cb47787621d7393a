//! The receiving half: records in, text out.

use std::ops::Range;

use rustls::{AlertDescription, ContentType};

use sinew_crypto::aead::TAG;
use sinew_wire::Buffer;

use super::{
    Opening, RecordError,
    incoming::{HEADER, ROOM, sealed_record},
    keys::Secrets,
};

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
    /// So many bytes of text.
    Text(usize),
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
    buffer: Buffer,
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
    pub(crate) fn new(keys: Opening, buffer: Buffer) -> Self {
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

    /// What comes next; text goes into `out`. After a key update the keys have to be replaced before the next call.
    ///
    /// A record that fits is opened straight into `out`, so that decryption is the only copy.
    ///
    /// # Errors
    /// [`RecordError`], then and ever after.
    pub(crate) fn next(&mut self, out: &mut [u8]) -> Result<Received, RecordError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if !self.text.is_empty() {
            return Ok(Received::Text(self.take_text(out)));
        }
        while !self.ended {
            match self.open_record(out) {
                Ok(None) => {}
                Ok(Some(received)) => return Ok(received),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(Received::End)
    }

    /// The most text that [`Inbound::next`] could give now.
    pub(crate) fn available(&self) -> usize {
        self.text.len() + self.buffer.unread().len()
    }

    /// Continues with the next keys.
    pub(crate) fn replace_keys(&mut self, secrets: Secrets) {
        self.keys = Opening::new(secrets);
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
        self.buffer.room(ROOM)
    }

    /// Gives back memory while nothing arrives. Called like [`Inbound::room`].
    pub(crate) fn rest(&mut self) {
        self.buffer.rest();
    }

    /// Opens the next record; `None` if it brought nothing that anybody waits for.
    fn open_record(&mut self, out: &mut [u8]) -> Result<Option<Received>, RecordError> {
        let Some(end) = sealed_record(self.buffer.unread())? else {
            return Ok(Some(Received::Nothing));
        };
        let record = &mut self.buffer.unread_mut()[..end];
        // Type and padding stand behind the text.
        let inner = end.saturating_sub(HEADER + TAG);
        let fits = inner <= out.len();
        let opened = if fits {
            self.keys.open_into(record, &mut out[..inner])
        } else {
            self.keys.open(record)
        };
        let (kind, len) = opened.map_err(RecordError::Refused)?;
        let text = self.buffer.place(HEADER..HEADER + len);
        self.buffer.take(end);
        self.charge(kind, len)?;
        // RFC 8446, section 5.1: nothing stands between the parts of a handshake message.
        if kind != ContentType::Handshake && !self.message.is_empty() {
            return Err(RecordError::Message(self.message[0]));
        }
        if kind == ContentType::ApplicationData {
            let len = if fits { len } else { self.keep(text, out) };
            return Ok((len > 0).then_some(Received::Text(len)));
        }
        let content = if fits { &out[..len] } else { self.buffer.at(text) };
        let content = content.to_vec();
        match kind {
            ContentType::Handshake => self.handshake(&content),
            ContentType::Alert => self.alert(&content),
            kind => Err(RecordError::Type(kind.into())),
        }
    }

    /// Hands out as much of the text as `out` takes, and keeps the rest where it lies.
    fn keep(&mut self, text: Range<usize>, out: &mut [u8]) -> usize {
        self.text = text;
        self.take_text(out)
    }

    fn take_text(&mut self, out: &mut [u8]) -> usize {
        let len = self.text.len().min(out.len());
        let from = self.text.start;
        out[..len].copy_from_slice(self.buffer.at(from..from + len));
        self.text.start += len;
        len
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

    fn alert(&mut self, content: &[u8]) -> Result<Option<Received>, RecordError> {
        // RFC 8446, section 6: level and description; all but two kinds end the connection, whatever their level.
        match *content {
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
    fn handshake(&mut self, content: &[u8]) -> Result<Option<Received>, RecordError> {
        if content.is_empty() {
            // RFC 8446, section 5.1: no empty fragments of handshake messages.
            return Err(RecordError::Type(ContentType::Handshake.into()));
        }
        self.message.extend_from_slice(content);
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
