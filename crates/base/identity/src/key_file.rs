//! Key files: a private key on disk, readable by its owner alone.

use std::path::Path;

use crate::secret_file::{self, Existing};
use crate::{KeyFileError, KeyFileFault, Keypair};

/// How a PEM block begins (RFC 7468, section 2).
const PEM_BEGIN: &[u8] = b"-----BEGIN ";

/// The form of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyFormat {
    /// The protobuf message of libp2p, the form that all libp2p implementations read.
    Protobuf,
    /// PKCS#8 in PEM, the form that other tools read.
    Pem,
}

/// A key read from a file, with what there is to say about the file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyFile {
    /// The key.
    pub keypair: Keypair,
    /// The form that it was in.
    pub format: KeyFormat,
    /// The permissions of the file, where they let others than its owner at the key: worth a warning. Always `None`
    /// on systems without such permissions.
    pub loose_mode: Option<u32>,
}

impl KeyFile {
    /// Reads a key file of either form; the content tells which.
    ///
    /// # Errors
    /// [`KeyFileError`] where the file cannot be read, is no regular file, is too long, or holds no key.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        let path = path.as_ref();
        let at = |fault| KeyFileError::new(path, fault);
        let (bytes, loose_mode) = secret_file::read(path)?;
        let (keypair, format) = decode(&bytes).map_err(at)?;
        Ok(Self {
            keypair,
            format,
            loose_mode,
        })
    }
}

impl Keypair {
    /// Reads the key in a file of either form. [`KeyFile::read`] also tells the form, and whether others can read it.
    ///
    /// # Errors
    /// [`KeyFileError`] where the file cannot be read, is no regular file, is too long, or holds no key.
    pub fn from_key_file(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        KeyFile::read(path).map(|file| file.keypair)
    }

    /// Writes the key to a file that only its owner can read (mode 0600, on systems that have modes).
    ///
    /// The file appears whole or not at all, also where the machine stops in the middle: it is written beside its place and then
    /// put there.
    ///
    /// # Errors
    /// [`KeyFileError`] where there is a file already and `existing` says to keep it, or the file cannot be written.
    pub fn write_key_file(
        &self,
        path: impl AsRef<Path>,
        format: KeyFormat,
        existing: Existing,
    ) -> Result<(), KeyFileError> {
        let path = path.as_ref();
        match format {
            KeyFormat::Protobuf => secret_file::write(path, &self.to_protobuf(), existing),
            KeyFormat::Pem => secret_file::write(path, self.to_pem().as_bytes(), existing),
        }
    }
}

fn decode(bytes: &[u8]) -> Result<(Keypair, KeyFormat), KeyFileFault> {
    if bytes.is_empty() {
        return Err(KeyFileFault::Empty);
    }
    if bytes.trim_ascii_start().starts_with(PEM_BEGIN) {
        let text = str::from_utf8(bytes).map_err(|_| KeyFileFault::NotText)?;
        let key = Keypair::from_pem(text.trim_ascii_start());
        Ok((key.map_err(KeyFileFault::Pem)?, KeyFormat::Pem))
    } else {
        let key = Keypair::from_protobuf(bytes);
        Ok((key.map_err(KeyFileFault::Protobuf)?, KeyFormat::Protobuf))
    }
}
