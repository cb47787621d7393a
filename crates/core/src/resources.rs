//! What a node uses of its limits, and what they refused: a snapshot for metrics and for whoever sizes the limits.

use crate::Resource;
use sinew_machine::{Direction, ProtocolId};
use std::fmt;

/// The kinds of scopes that have limits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum ScopeKind {
    /// The whole node.
    System,
    /// Everything of one peer.
    Peer,
    /// Everything of one protocol, or of one peer in it.
    Protocol,
    /// One connection.
    Connection,
    /// Everything from one address or subnet.
    Source,
}

impl ScopeKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::System,
        Self::Peer,
        Self::Protocol,
        Self::Connection,
        Self::Source,
    ];

    /// A short name for metrics and logs, `peer` for instance.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Peer => "peer",
            Self::Protocol => "protocol",
            Self::Connection => "connection",
            Self::Source => "source",
        }
    }
}

impl fmt::Display for ScopeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a node uses of its limits, and what they refused since it started.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct Resources {
    /// What the whole node uses.
    pub system: Vec<Usage>,
    /// Streams by protocol and direction, of protocols that have any.
    pub protocols: Vec<(ProtocolId, Usage)>,
    /// Peers with a connection.
    pub peers: usize,
    /// What was refused; counts that are zero are left out.
    pub refusals: Vec<Refusals>,
    /// Nothing was refused in truth: the limits only record.
    pub dry_run: bool,
}

/// How much of one resource is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Usage {
    /// The resource.
    pub resource: Resource,
    /// Which direction, where connections and streams are limited by it.
    pub direction: Option<Direction>,
    /// How much is used now.
    pub used: u64,
    /// How much is allowed.
    pub limit: u64,
}

impl Usage {
    /// `used` of `limit`.
    #[must_use]
    pub fn new(resource: Resource, direction: Option<Direction>, used: u64, limit: u64) -> Self {
        Self {
            resource,
            direction,
            used,
            limit,
        }
    }
}

/// How often scopes of one kind refused one resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Refusals {
    /// Whose limit it was.
    pub scope: ScopeKind,
    /// What was asked for.
    pub resource: Resource,
    /// How often it was refused. For [`Resource::Unread`]: how often a connection was over its share.
    pub count: u64,
}

impl Refusals {
    /// `count` refusals.
    #[must_use]
    pub fn new(scope: ScopeKind, resource: Resource, count: u64) -> Self {
        Self {
            scope,
            resource,
            count,
        }
    }
}
