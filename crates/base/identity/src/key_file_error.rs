//! What can be wrong with a key file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{KeyError, PemError};

/// The most that is read of a key file. An RSA key of 8192 bits takes 6.5 KB as PEM.
pub(crate) const MAX_FILE: usize = 64 * 1024;
/// A key file that could not be read or written, and which.
#[derive(Debug, Error)]
#[error("key file {}", path.display())]
pub struct KeyFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: KeyFileFault,
}

impl KeyFileError {
    pub(crate) fn new(path: &Path, fault: KeyFileFault) -> Self {
        let path = path.to_owned();
        Self { path, fault }
    }
}

/// What is wrong with a key file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileFault {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// The file cannot be written.
    #[error("it cannot be written")]
    Write(#[source] io::Error),
    /// There is a file already.
    #[error("it exists already, and is not overwritten")]
    Exists,
    /// A directory, a pipe, a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file is empty.
    #[error("it is empty")]
    Empty,
    /// The file is longer than any key.
    #[error("it is longer than {MAX_FILE} bytes, more than any key")]
    TooLong,
    /// The file begins like PEM and goes on with bytes that are no text.
    #[error("it begins like PEM but is not text")]
    NotText,
    /// The file begins like PEM and holds no key that is accepted.
    #[error("it holds no usable PEM key")]
    Pem(#[source] PemError),
    /// The file is not PEM, and no protobuf message of a key either.
    #[error("it holds no PEM key and no libp2p private key")]
    Protobuf(#[source] KeyError),
}
