//! One peer, as gossipsub knows it beyond its streams.

use super::{outbox::Outbox, partials::Inbox};
use crate::PartialMode;
use sinew_floodsub::{Extensions, MessageId, Topic};
use sinew_machine::{Budget, Instant};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// What a peer speaks; each can do what those before it can.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Version {
    /// Messages and topics, and no mesh.
    Floodsub,
    /// A mesh and gossip.
    V10,
    /// Back-off and exchanged peers.
    V11,
    /// IDONTWANT.
    V12,
    /// Extensions.
    V13,
}

impl Version {
    /// By the place in [`PROTOCOLS`](crate::PROTOCOLS).
    pub(super) fn of(protocol: usize) -> Self {
        [Self::V13, Self::V12, Self::V11, Self::V10]
            .get(protocol)
            .copied()
            .unwrap_or(Self::Floodsub)
    }
}

#[derive(Debug)]
pub(super) struct Peer {
    /// By the stream that we write; `None` while there is none.
    pub(super) version: Option<Version>,
    /// Whether we dialled it.
    pub(super) outbound: bool,
    pub(super) ips: Arc<[IpAddr]>,
    pub(super) outbox: Outbox,
    /// What it says it can, once it has sent an RPC.
    pub(super) extensions: Option<Extensions>,
    /// What it wants of our topics in which there are partial messages.
    pub(super) partial_modes: BTreeMap<Topic, PartialMode>,
    pub(super) inbox: Inbox,
    /// For what it sends in vain.
    pub(super) budget: Budget,
    pub(super) heartbeat: Heartbeat,
    /// What it does not want to be sent, and for how many heartbeats more.
    pub(super) unwanted: BTreeMap<MessageId, u32>,
}

/// What a peer did since the last heartbeat.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Heartbeat {
    /// Times it announced messages.
    pub(super) ihaves: usize,
    /// Messages that it was asked for.
    pub(super) asked: usize,
    /// Ids that it does not want.
    pub(super) idontwants: usize,
}

impl Peer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            version: None,
            outbound: false,
            ips: Arc::default(),
            outbox: Outbox::default(),
            extensions: None,
            partial_modes: BTreeMap::new(),
            inbox: Inbox::default(),
            budget: Budget::new(now),
            heartbeat: Heartbeat::default(),
            unwanted: BTreeMap::new(),
        }
    }

    /// Whether it can be in a mesh.
    pub(super) fn has_mesh(&self) -> bool {
        self.version >= Some(Version::V10)
    }

    /// Whether it says that it knows partial messages.
    pub(super) fn speaks_partial(&self) -> bool {
        self.extensions.is_some_and(|theirs| theirs.partial_messages)
    }

    /// A heartbeat is over.
    pub(super) fn tick(&mut self) {
        self.heartbeat = Heartbeat::default();
        self.unwanted.retain(|_, left| {
            *left = left.saturating_sub(1);
            *left > 0
        });
    }
}
