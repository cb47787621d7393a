//! Why a file describes no node: where, which key, and what to write instead.

use crate::{
    AddrError, NoAnnounceError,
    access::{NoTarget, Target},
};
use sinew_core::{Blame, Culpable};
use std::{io, path::PathBuf};
use toml::Value;

use super::written::MAX_ADDRS;

/// Why a file describes no node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The text is no TOML, has a key that is not known, or a value of another kind.
    #[error("{}: {error}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Why, with the line.
        #[source]
        error: toml::de::Error,
    },
    /// A value that cannot be.
    #[error("{}, line {line}, {key}: {problem}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// Which line, counted from one.
        line: usize,
        /// The key that has the value.
        key: String,
        /// What is wrong with it.
        #[source]
        problem: Box<Problem>,
    },
}

impl Culpable for ConfigError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}

/// What is wrong with a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not an address.
    #[error("{text:?}: {error}; write an address such as /ip4/192.0.2.1/tcp/4001")]
    Addr {
        /// What stands there.
        text: String,
        /// Why.
        #[source]
        error: AddrError,
    },
    /// Neither an address nor a range of them.
    #[error(
        "{text:?}: {error}; write an address such as /ip4/192.0.2.1/tcp/4001, or a range such as 10.0.0.0/8"
    )]
    NoAnnounce {
        /// What stands there.
        text: String,
        /// Why.
        #[source]
        error: NoAnnounceError,
    },
    /// Not an IP address with a port.
    #[error("{0:?} is no IP address with a port; write 127.0.0.1:9090 for instance")]
    SocketAddr(String),
    /// Nobody whom a rule can be about.
    #[error("{text:?} is {error}")]
    Target {
        /// What stands there.
        text: String,
        /// Why.
        #[source]
        error: NoTarget,
    },
    /// Somebody is on both lists.
    #[error("{0} is allowed and denied; leave it in one of the lists")]
    OnBothLists(Target),
    /// The list is longer than anything useful.
    #[error("more than {MAX_ADDRS} addresses; leave some out")]
    TooMany,
    /// No length of time.
    #[error("{0} is no whole number of seconds; write 20 for instance")]
    Seconds(Value),
    /// Trimming would begin before it ends.
    #[error("{low} is more than the high watermark, {high}; write at most that")]
    LowAboveHigh {
        /// The low watermark.
        low: usize,
        /// The high one.
        high: usize,
    },
    /// A limit that does not exist.
    #[error("there is no such limit; write one of {0}")]
    NoSuchLimit(String),
    /// Not a thing to start from.
    #[error("{0} is nothing to start from; write \"auto\" or \"default\"")]
    Base(Value),
    /// A limit of another kind or range.
    #[error("{}", .0.message())]
    Limit(#[source] Box<toml::de::Error>),
}
