//! Membership: who is connected, level-triggered.

use crate::ConnectionInfo;
use sinew_identity::PeerId;
use sinew_machine::ProtocolId;
use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

/// A peer as it is now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerState {
    /// The peer.
    pub peer: PeerId,
    /// Grows when the peer returns after it had no connection: what was known of it before is void.
    pub generation: u32,
    /// Its connections; none when it is gone.
    pub connections: Arc<[Arc<ConnectionInfo>]>,
    /// What it speaks; `None` until it was identified.
    pub protocols: Option<Arc<[ProtocolId]>>,
}

impl PeerState {
    /// A peer with its connections and protocols.
    #[must_use]
    pub fn new(
        peer: PeerId,
        generation: u32,
        connections: Arc<[Arc<ConnectionInfo>]>,
        protocols: Option<Arc<[ProtocolId]>>,
    ) -> Self {
        Self {
            peer,
            generation,
            connections,
            protocols,
        }
    }

    /// Whether it has a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.connections.is_empty()
    }
}

/// What implements a [`Membership`]; the host does.
pub trait WatchPeers: Send + 'static {
    /// The next peer whose state changed since it was last given; `None` when the host has ended.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<PeerState>>;
}

/// Follows who is connected. It begins with every connected peer; after that each change of a peer gives one
/// snapshot of how the peer is then. Changes that were not fetched are merged, so a slow reader is never behind
/// by more than one snapshot a peer and nothing is ever lost.
pub struct Membership {
    source: Box<dyn WatchPeers>,
}

impl Membership {
    /// Wraps what implements it.
    #[must_use]
    pub fn new(source: Box<dyn WatchPeers>) -> Self {
        Self { source }
    }

    /// Waits for the next change. `None` when the host has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<PeerState> {
        poll_fn(|cx| self.source.poll_next(cx)).await
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").finish_non_exhaustive()
    }
}
