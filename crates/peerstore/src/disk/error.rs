//! Why a peerstore on disk could not be opened or written.

use sinew_machine::{Blame, Culpable};
use std::{io, path::PathBuf};

/// Why a peerstore on disk could not be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// Another process has it open.
    #[error("{}: another process uses this peerstore; stop it, or give each node a file of its own", .0.display())]
    InUse(PathBuf),
    /// The system refused the file.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is something else than a peerstore. It stays where and as it is.
    #[error("{}: this file is no peerstore; name another one", .0.display())]
    Foreign(PathBuf),
    /// The file is damaged. For a node that is no error: it is kept aside.
    #[error("{}: a damaged peerstore: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<redb::Error>,
    },
    /// The store did not take it.
    #[error("{}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<redb::Error>,
    },
}

impl DiskError {
    pub(super) fn new(path: PathBuf, error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse(path),
            redb::Error::TableDoesNotExist(_) => Self::Foreign(path),
            redb::Error::Io(source) => Self::File { path, source },
            source => Self::Store {
                path,
                source: Box::new(source),
            },
        }
    }
}

impl Culpable for DiskError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}
