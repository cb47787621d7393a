//! What can go wrong with a command, what to do next, and the exit code.

use sinew::{Blame, Culpable};
use std::{fmt, io, process::ExitCode};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CliError {
    doing: String,
    why: Option<Box<dyn std::error::Error + Send + Sync>>,
    hint: Option<&'static str>,
    kind: Kind,
}

/// The exit codes that `--help` lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The network or the other side failed.
    Remote = 1,
    /// Something on this machine failed.
    Local = 3,
    /// The other side, or a limit, refused.
    Refused = 4,
    /// Ctrl-C cut it short: 128 and the number of the signal, as shells have it.
    Interrupted = 130,
    /// SIGTERM cut it short.
    Terminated = 143,
}

impl CliError {
    /// Something failed while `doing`.
    pub(crate) fn new(kind: Kind, doing: impl Into<String>) -> Self {
        Self {
            doing: doing.into(),
            why: None,
            hint: None,
            kind,
        }
    }

    /// This machine failed.
    pub(crate) fn io(doing: impl Into<String>, why: io::Error) -> Self {
        Self::new(Kind::Local, doing).because(why)
    }

    /// Something of the stack failed, which knows whose fault it was.
    pub(crate) fn stack(doing: impl Into<String>, why: impl Culpable) -> Self {
        let kind = match why.blame() {
            Blame::Local => Kind::Local,
            Blame::Limit => Kind::Refused,
            _ => Kind::Remote,
        };
        Self::new(kind, doing).because(why)
    }

    /// With the cause.
    pub(crate) fn because(mut self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// With what to do next.
    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(crate) fn next_step(&self) -> Option<&'static str> {
        self.hint
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => write!(f, "{}: {}", self.doing, with_causes(why.as_ref())),
            None => f.write_str(&self.doing),
        }
    }
}

impl std::error::Error for CliError {}

/// An error and what caused it; a cause that is already told of is not repeated.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            text += &format!(": {told}");
        }
        cause = inner.source();
    }
    text
}
