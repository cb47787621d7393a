//! Two nodes that secure one connection.

use std::{future::Future, sync::Arc};

use sinew_core::{BoxedIo, ProtocolId, Role, SecureRequest, SecureUpgrade, Secured, SecurityError};
use sinew_identity::{Keypair, PeerId};

use super::Subject;
use crate::fault::{During, Fault};

/// A node that upgrades.
pub(super) struct Node {
    upgrade: Arc<dyn SecureUpgrade>,
    pub(super) peer: PeerId,
    pub(super) muxers: Vec<ProtocolId>,
}

impl Node {
    pub(super) fn new(subject: &Subject) -> Self {
        let key = Keypair::generate();
        let peer = key.public().peer_id();
        Self {
            upgrade: (subject.make)(key),
            peer,
            muxers: Vec::new(),
        }
    }

    pub(super) fn with_muxers(mut self, muxers: &[&str]) -> Self {
        self.muxers = muxers.iter().map(|name| ProtocolId::from(*name)).collect();
        self
    }

    pub(super) fn protocol(&self) -> ProtocolId {
        self.upgrade.protocol()
    }

    /// Secures `io` in the given role.
    pub(super) fn secure(
        &self,
        io: BoxedIo,
        role: Role,
        expected: Option<PeerId>,
    ) -> impl Future<Output = Result<Secured, SecurityError>> + use<> {
        let upgrade = self.upgrade.clone();
        let request = SecureRequest::new(role, expected, self.muxers.clone());
        async move { upgrade.secure(io, request).await }
    }
}

/// A dialler and a listener.
pub(super) struct Nodes {
    pub(super) dialer: Node,
    pub(super) listener: Node,
}

/// What both ends of a handshake came to.
pub(super) type Outcomes = (Result<Secured, SecurityError>, Result<Secured, SecurityError>);

impl Nodes {
    pub(super) fn new(subject: &Subject) -> Self {
        Self {
            dialer: Node::new(subject),
            listener: Node::new(subject),
        }
    }

    /// Runs both ends; the dialler expects the listener. What a side yields is dropped when its handshake fails, as
    /// by a host.
    pub(super) async fn outcomes(&self, (left, right): (BoxedIo, BoxedIo)) -> Outcomes {
        tokio::join!(
            self.dialer.secure(left, Role::Dialer, Some(self.listener.peer)),
            self.listener.secure(right, Role::Listener, None),
        )
    }

    /// Runs both ends, which must succeed.
    pub(super) async fn secured(&self, ios: (BoxedIo, BoxedIo)) -> Result<(Secured, Secured), Fault> {
        let (dialer, listener) = self.outcomes(ios).await;
        Ok((dialer.during("the dialler")?, listener.during("the listener")?))
    }
}
