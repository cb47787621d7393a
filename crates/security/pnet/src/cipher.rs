//! XSalsa20, the cipher of version 1.

use crate::PreSharedKey;
use salsa20::{
    XSalsa20,
    cipher::{KeyIvInit, StreamCipher},
};
use std::{fmt, io};

/// Bytes of a nonce. spec: pnet, Choosing stream ciphers: 192 bits, so that random ones do not meet.
pub const NONCE: usize = 24;

/// One direction of a connection; sealing and opening are the same.
pub(crate) struct Cipher(XSalsa20);

impl Cipher {
    pub(crate) fn new(key: &PreSharedKey, nonce: &[u8; NONCE]) -> Self {
        Self(XSalsa20::new(key.bytes().into(), nonce.into()))
    }

    /// Seals or opens the next bytes in their place.
    ///
    /// # Errors
    /// After 2^70 bytes, which no connection lives to see.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let applied = self.0.try_apply_keystream(bytes);
        applied.map_err(|_| io::ErrorKind::FileTooLarge.into())
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}
