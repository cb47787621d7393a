//! What can go wrong with lists in a file.

use std::{io, path::PathBuf};

/// A line of a list that cannot be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
#[non_exhaustive]
pub struct Malformed {
    /// Which line, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Malformed {
    pub(super) fn new(line: usize, problem: &'static str) -> Self {
        Self { line, problem }
    }
}

/// Why the lists were not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The file was not read or written.
    #[error("access list {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The file is no access list. It is left as it is, for somebody to mend.
    #[error("access list {}: {error}; the file is left as it is: mend it, until then it is not used", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: Malformed,
    },
    /// There are as many rules as there may be.
    #[error("the access list is full: {max} rules")]
    Full {
        /// How many there may be.
        max: usize,
    },
}
