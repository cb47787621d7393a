//! Whose limit it is, as refusals name it.

use crate::machine::source::{Source, Subnet};
use sinew_core::ScopeKind;
use sinew_identity::PeerId;
use sinew_machine::{ConnectionId, ProtocolId};
use std::{fmt, time::Duration};

/// Whose limit it is.
#[derive(Clone, Debug)]
pub(crate) enum Whose {
    Node,
    Peer(PeerId),
    /// A protocol, or one peer's part of it.
    Protocol(ProtocolId, Option<PeerId>),
    /// A pending connection has neither id nor peer.
    Connection(Option<(ConnectionId, PeerId)>),
    Address(Source),
    Subnet(Subnet),
    /// How often it may come: one more each time this has passed.
    Rate(Box<Self>, Duration),
}

impl Whose {
    pub(crate) fn kind(&self) -> ScopeKind {
        match self {
            Self::Node => ScopeKind::System,
            Self::Peer(_) => ScopeKind::Peer,
            Self::Protocol(..) => ScopeKind::Protocol,
            Self::Connection(_) => ScopeKind::Connection,
            Self::Address(_) | Self::Subnet(_) | Self::Rate(..) => ScopeKind::Source,
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("the node"),
            Self::Peer(peer) => write!(f, "peer {peer}"),
            Self::Protocol(protocol, None) => write!(f, "protocol {protocol}"),
            Self::Protocol(protocol, Some(peer)) => write!(f, "protocol {protocol} of peer {peer}"),
            Self::Connection(Some((id, peer))) => write!(f, "connection {id} of peer {peer}"),
            Self::Connection(None) => f.write_str("a pending connection"),
            Self::Address(source) => source.fmt(f),
            Self::Subnet(subnet) => subnet.fmt(f),
            Self::Rate(whose, refill) => write!(f, "{whose} at once, with one more each {refill:?},"),
        }
    }
}
