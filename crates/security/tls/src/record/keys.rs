//! One direction's keys, and where the next ones come from.

use std::fmt;

use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion, Tls13CipherSuite,
    crypto::cipher::{
        InboundOpaqueMessage, InboundPlainMessage, MessageDecrypter, MessageEncrypter, OutboundChunks,
        OutboundPlainMessage,
    },
    kernel::KernelConnection,
};

/// So many records before a key is used up, the next one is asked for.
const MARGIN: u64 = 1024;

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
    suite: &'static Tls13CipherSuite,
    cipher: Box<dyn MessageEncrypter>,
    next: u64,
    limit: u64,
}

impl Sealing {
    pub(crate) fn new(suite: &'static Tls13CipherSuite, (next, secrets): Secrets) -> Self {
        let (key, iv) = split(secrets);
        Self {
            suite,
            cipher: suite.aead_alg.encrypter(key, iv),
            next,
            limit: suite.common.confidentiality_limit,
        }
    }

    /// Continues with the next keys.
    pub(crate) fn replace(&mut self, secrets: Secrets) {
        *self = Self::new(self.suite, secrets);
    }

    /// Whether the key has sealed about as many records as it may (RFC 8446, section 5.5).
    pub(crate) fn is_worn(&self) -> bool {
        self.next >= self.limit.saturating_sub(MARGIN)
    }

    /// One record, ready to be sent.
    pub(crate) fn seal(&mut self, kind: ContentType, text: OutboundChunks<'_>) -> Result<Vec<u8>, Error> {
        let message = OutboundPlainMessage {
            typ: kind,
            version: ProtocolVersion::TLSv1_2,
            payload: text,
        };
        let sealed = self.cipher.encrypt(message, self.next)?;
        self.next += 1;
        Ok(sealed.encode())
    }
}

/// Opens records, each with its number.
pub(crate) struct Opening {
    suite: &'static Tls13CipherSuite,
    cipher: Box<dyn MessageDecrypter>,
    next: u64,
}

impl Opening {
    pub(crate) fn new(suite: &'static Tls13CipherSuite, (next, secrets): Secrets) -> Self {
        let (key, iv) = split(secrets);
        Self {
            suite,
            cipher: suite.aead_alg.decrypter(key, iv),
            next,
        }
    }

    /// Continues with the next keys.
    pub(crate) fn replace(&mut self, secrets: Secrets) {
        *self = Self::new(self.suite, secrets);
    }

    /// Opens the content of a record where it lies; the text begins where the content began.
    pub(crate) fn open<'a>(&mut self, content: &'a mut [u8]) -> Result<InboundPlainMessage<'a>, Error> {
        let message =
            InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, content);
        let opened = self.cipher.decrypt(message, self.next)?;
        self.next += 1;
        Ok(opened)
    }
}

fn split(secrets: ConnectionTrafficSecrets) -> (rustls::crypto::cipher::AeadKey, rustls::crypto::cipher::Iv) {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
        _ => unreachable!("the suites of our provider are of these three"),
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
