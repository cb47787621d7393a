//! `swarm.key` on disk, readable by its owner alone.

use crate::{PreSharedKey, SwarmKeyError};
use sinew_identity::{Existing, KeyFileError, secret_file};
use std::path::{Path, PathBuf};

/// Why a `swarm.key` file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwarmKeyFileError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// What is in it.
    #[error("{} holds no pre-shared key", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: SwarmKeyError,
    },
}

impl PreSharedKey {
    /// Reads a `swarm.key` file. Blocks.
    ///
    /// # Errors
    /// [`SwarmKeyFileError`] where the file cannot be read, is no regular file, is too long, or holds no key.
    pub fn read_file(path: impl AsRef<Path>) -> Result<Self, SwarmKeyFileError> {
        let path = path.as_ref();
        let (content, _) = secret_file::read(path)?;
        Self::from_swarm_key(&content).map_err(|error| SwarmKeyFileError::Content {
            path: path.to_owned(),
            error,
        })
    }

    /// Writes a `swarm.key` file that only its owner can read (mode 0600, on systems that have modes). It appears whole or
    /// not at all. Blocks.
    ///
    /// # Errors
    /// [`KeyFileError`] where there is a file already and `existing` says to keep it, or the file cannot be written.
    pub fn write_file(&self, path: impl AsRef<Path>, existing: Existing) -> Result<(), KeyFileError> {
        secret_file::write(path.as_ref(), &self.to_swarm_key(), existing)
    }
}
