//! Why a measurement could not be made.

use std::{error::Error, io, iter::successors, process::ExitCode};

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Standard input or output, or the system's part of a node.
    #[error("input or output")]
    Io(#[from] io::Error),
    /// A line that cannot be written as JSON.
    #[error("a line cannot be written")]
    Json(#[from] serde_json::Error),
    /// The library does not have what the stack names.
    #[error("this program has no such stack")]
    Stack,
    /// The library's own error.
    #[error("{what}")]
    Library {
        /// What was tried.
        what: &'static str,
        /// What the library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The other side sent another number of bytes than the case says.
    #[error("{what}: {found} bytes instead of {expected}")]
    Bytes {
        /// What was read.
        what: &'static str,
        /// How much the case says.
        expected: u64,
        /// How much came.
        found: u64,
    },
    /// Messages did not reach everybody before the measurement began, or came twice.
    #[error("{0} messages were lost, or came twice")]
    Lost(u64),
    /// A part of the measurement has ended badly.
    #[error("a part of the measurement panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

impl BenchError {
    /// For `map_err`: the library's error, with what was tried.
    pub fn library<E: Into<Box<dyn Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Library {
            what,
            source: source.into(),
        }
    }
}

/// How a program ends that did this; an error is told on stderr, with all that caused it.
pub fn ended(done: Result<(), BenchError>) -> ExitCode {
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    let causes = successors(error.source(), |&cause| cause.source());
    causes.for_each(|cause| eprintln!("  because: {cause}"));
    ExitCode::FAILURE
}
