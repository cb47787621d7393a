//! Connection gaters: who may connect, asked at each step of a connection.

use crate::ConnectionInfo;
use multiaddr::Multiaddr;
use sinew_identity::PeerId;
use sinew_machine::Direction;
use std::fmt;
use tokio::sync::watch;

/// What a gater says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Refuse.
    Deny,
    /// Go on, and let no limit of the source (its address, its subnet, how often it comes) stand in the way. Such a
    /// connection does not make room for others.
    Exempt,
}

/// Decides who may connect. Synchronous and quick: it is asked for every connection, before anything is paid
/// for where possible. Each step allows unless it is overridden.
pub trait ConnectionGater: Send + Sync + fmt::Debug + 'static {
    /// Before `addr` is dialled; `peer` is who is expected there, if anybody.
    fn on_dial(&self, peer: Option<&PeerId>, addr: &Multiaddr) -> Verdict {
        let _ = (peer, addr);
        Verdict::Allow
    }

    /// When somebody connected, before any handshake.
    fn on_accept(&self, local: &Multiaddr, remote: &Multiaddr) -> Verdict {
        let _ = (local, remote);
        Verdict::Allow
    }

    /// When the peer proved who it is.
    fn on_secured(&self, direction: Direction, peer: &PeerId, remote: &Multiaddr) -> Verdict {
        let _ = (direction, peer, remote);
        Verdict::Allow
    }

    /// When the connection is complete, before anybody can use it; and again whenever [`ConnectionGater::changes`] says
    /// so. The last verdict on a connection counts.
    fn on_established(&self, connection: &ConnectionInfo) -> Verdict {
        let _ = connection;
        Verdict::Allow
    }

    /// Says when verdicts change: every connection is then judged again, and closed if it is denied. A gater that never
    /// changes has none.
    fn changes(&self) -> Option<watch::Receiver<()>> {
        None
    }
}

/// The gater that allows everything.
#[derive(Clone, Copy, Default, Debug)]
pub struct AllowAll;

impl ConnectionGater for AllowAll {}
