//! Whose fault an error is.

use std::fmt;

/// Whose fault an error is: decides what is logged, retried and held against a peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Blame {
    /// The remote peer broke a rule of a protocol.
    Peer,
    /// The network lost, refused or delayed something.
    Network,
    /// This node: its configuration, its application or its operating system.
    Local,
    /// A limit of this node refused it.
    Limit,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peer => "peer",
            Self::Network => "network",
            Self::Local => "local",
            Self::Limit => "limit",
        })
    }
}

/// An error that knows whose fault it is.
pub trait Culpable: std::error::Error + Send + Sync + 'static {
    /// Whose fault it is.
    fn blame(&self) -> Blame;

    /// Whether the same attempt may succeed later without anything being changed.
    fn is_retryable(&self) -> bool {
        matches!(self.blame(), Blame::Network | Blame::Limit)
    }
}

impl std::error::Error for Box<dyn Culpable> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        (**self).source()
    }
}
