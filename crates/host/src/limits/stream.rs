//! The place of one stream: its connection's, and its protocol's once that is known.

use super::{
    connection::ConnectionScope, meter::Meter, protocol::ProtocolScope, refusals::Refused, whose::Whose,
};
use sinew_core::LimitExceeded;
use sinew_identity::PeerId;
use sinew_machine::{Direction, ProtocolId};
use std::sync::Arc;

/// The place of a stream; dropping it frees it.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    connection: Arc<ConnectionScope>,
    direction: Direction,
    protocol: Option<ProtocolScope>,
}

impl StreamPlace {
    /// A stream that its connection has counted.
    pub(super) fn new(connection: Arc<ConnectionScope>, direction: Direction) -> Self {
        Self {
            connection,
            direction,
            protocol: None,
        }
    }

    /// The stream has its protocol, and counts as one of it. An inbound one is refused if its peer has
    /// `max_per_peer` already, or the protocol has none left for anybody.
    pub(crate) fn join(&mut self, protocol: &ProtocolId, max_per_peer: usize) -> Result<(), LimitExceeded> {
        debug_assert!(self.protocol.is_none(), "a stream has one protocol");
        let scope = self.connection.system.protocols.of(protocol);
        self.connection
            .system
            .attempt(|force| self.try_join(&scope, max_per_peer as u64, force))?;
        self.protocol = Some(scope);
        Ok(())
    }

    fn try_join(&self, scope: &ProtocolScope, max_per_peer: u64, force: bool) -> Result<(), Refused> {
        let limit = match self.direction {
            _ if force => u64::MAX,
            direction => self.connection.system.protocol_limit(direction),
        };
        let has_room = |peer: Option<PeerId>, used, limit| {
            let whose = || Whose::Protocol(scope.key.clone(), peer);
            Refused::unless_fits(whose, Meter::Streams(Direction::Inbound), 1, used, limit)
        };
        let add = || {
            let added = scope.streams(self.direction).add(1, limit);
            added.or_else(|used| has_room(None, used, limit))
        };
        if self.direction == Direction::Outbound {
            return add();
        }
        let state = self.connection.lock();
        let Some(peer) = state.peer() else { return add() };
        let mut used = peer.lock();
        let of_peer = used.protocols.get(&scope.key).copied().unwrap_or_default();
        if !force {
            has_room(Some(peer.key), of_peer, max_per_peer)?;
        }
        add()?;
        used.protocols.insert(scope.key.clone(), of_peer + 1);
        Ok(())
    }

    fn leave(&self, scope: &ProtocolScope) {
        scope.streams(self.direction).subtract(1);
        let state = self.connection.lock();
        let Some(peer) = state.peer().filter(|_| self.direction == Direction::Inbound) else {
            return;
        };
        let mut used = peer.lock();
        if let Some(count) = used.protocols.get_mut(&scope.key) {
            *count -= 1;
            if *count == 0 {
                used.protocols.remove(&scope.key);
            }
        }
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        if let Some(scope) = self.protocol.take() {
            self.leave(&scope);
        }
        self.connection.give_back(Meter::Streams(self.direction), 1);
    }
}
