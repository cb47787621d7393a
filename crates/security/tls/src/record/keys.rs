//! One direction's keys, and where the next ones come from.

use std::fmt;

use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, PeerMisbehaved, Tls13CipherSuite, kernel::KernelConnection,
};
use sinew_crypto::aead::{Key, TAG};
use sinew_wire::Gather;

use super::incoming::{APPLICATION_DATA, HEADER, MAX_TEXT, VERSION};

/// So many records before a key is used up, the next one is asked for.
const MARGIN: u64 = 1024;
/// What a record has beside its text: header, type and tag (RFC 8446, section 5.2).
pub(super) const AROUND: usize = HEADER + 1 + TAG;

/// The secrets of one direction and the number of its next record.
pub(crate) type Secrets = (u64, ConnectionTrafficSecrets);

/// Where the keys come from that follow those of the handshake.
pub(crate) trait Schedule: Send {
    /// The next keys to seal with.
    fn next_sealing(&mut self) -> Result<Secrets, Error>;

    /// The next keys to open with.
    fn next_opening(&mut self) -> Result<Secrets, Error>;
}

impl<Data: Send> Schedule for KernelConnection<Data> {
    fn next_sealing(&mut self) -> Result<Secrets, Error> {
        self.update_tx_secret()
    }

    fn next_opening(&mut self) -> Result<Secrets, Error> {
        self.update_rx_secret()
    }
}

/// Seals records, each with its number.
pub(crate) struct Sealing {
    key: Key,
    next: u64,
    limit: u64,
}

impl Sealing {
    pub(crate) fn new(suite: &Tls13CipherSuite, (next, secrets): Secrets) -> Self {
        Self {
            key: Key::tls(&secrets),
            next,
            limit: suite.common.confidentiality_limit,
        }
    }

    /// Continues with the next keys.
    pub(crate) fn replace(&mut self, (next, secrets): Secrets) {
        self.key = Key::tls(&secrets);
        self.next = next;
    }

    /// Whether the key has sealed about as many records as it may (RFC 8446, section 5.5).
    pub(crate) fn is_worn(&self) -> bool {
        self.next >= self.limit.saturating_sub(MARGIN)
    }

    /// Appends a record with the next `len` bytes of `text`: one copy, then sealed where it lies.
    pub(crate) fn seal(&mut self, kind: ContentType, text: &mut Gather<'_>, len: usize, out: &mut Vec<u8>) {
        let sealed = u16::try_from(len + 1 + TAG).expect("a record takes at most MAX_TEXT bytes");
        let [high, low] = sealed.to_be_bytes();
        let header = [APPLICATION_DATA, VERSION[0], VERSION[1], high, low];
        out.extend_from_slice(&header);
        let start = out.len();
        text.copy(len, out);
        out.push(kind.into());
        let tag = self.key.seal_in_place(self.next, &header, &mut out[start..]);
        out.extend_from_slice(&tag);
        self.next += 1;
    }
}

/// Opens records, each with its number.
pub(crate) struct Opening {
    key: Key,
    next: u64,
}

impl Opening {
    pub(crate) fn new((next, secrets): Secrets) -> Self {
        Self {
            key: Key::tls(&secrets),
            next,
        }
    }

    /// Opens a record into `out`, which has as many bytes as the record without header and tag.
    pub(crate) fn open_into(&mut self, record: &[u8], out: &mut [u8]) -> Result<(ContentType, usize), Error> {
        let (header, sealed) = record.split_at(HEADER);
        let opened = self.key.open_into(self.next, header, sealed, out);
        opened.map_err(|_| Error::DecryptError)?;
        self.next += 1;
        content(out)
    }

    /// Opens a record where it lies; the text begins behind the header.
    pub(crate) fn open(&mut self, record: &mut [u8]) -> Result<(ContentType, usize), Error> {
        let (header, sealed) = record.split_at_mut(HEADER);
        let opened = self.key.open_in_place(self.next, header, sealed);
        let len = opened.map_err(|_| Error::DecryptError)?;
        self.next += 1;
        content(&sealed[..len])
    }
}

/// The type of what was sealed, and the length of the text before it (RFC 8446, section 5.4): padding follows the type.
fn content(inner: &[u8]) -> Result<(ContentType, usize), Error> {
    let Some(len) = inner.iter().rposition(|&byte| byte != 0) else {
        return Err(PeerMisbehaved::IllegalTlsInnerPlaintext.into());
    };
    // RFC 8446, section 5.4: padding does not make a record longer than the longest one.
    if inner.len() > MAX_TEXT + 1 {
        return Err(Error::PeerSentOversizedRecord);
    }
    match ContentType::from(inner[len]) {
        ContentType::ChangeCipherSpec => Err(PeerMisbehaved::IllegalMiddleboxChangeCipherSpec.into()),
        kind => Ok((kind, len)),
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
