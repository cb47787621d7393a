//! yamux as the host meets it: a muxer that lays streams over secured bytes.

use crate::{
    Config,
    machine::{Connection, Memory, Side},
};
use sinew_core::{
    BoxedIo, LimitExceeded, Muxed, MuxerUpgrade, ProtocolId, Reservation, Resource, ResourceScope, Role,
};
use sinew_runtime::now;
use std::sync::Arc;

/// spec: yamux: the protocol string for multistream-select.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/yamux/1.0.0");

/// The yamux muxer.
#[derive(Clone, Default, Debug)]
pub struct Yamux {
    config: Config,
}

impl Yamux {
    /// The muxer with limits and times of your own.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

impl MuxerUpgrade for Yamux {
    fn protocol(&self) -> ProtocolId {
        PROTOCOL
    }

    fn mux(&self, io: BoxedIo, role: Role, scope: Arc<dyn ResourceScope>) -> Muxed {
        let side = match role {
            Role::Dialer => Side::Client,
            Role::Listener => Side::Server,
        };
        let memory = Box::new(Growth {
            scope: scope.clone(),
            reserved: None,
        });
        let machine = Connection::new(self.config.clone(), side, now(), memory);
        sinew_session::mux(io, machine, scope)
    }
}

/// The growth of receive windows, as the connection's scope sees it.
struct Growth {
    scope: Arc<dyn ResourceScope>,
    reserved: Option<Reservation>,
}

impl Memory for Growth {
    fn reserve(&mut self, bytes: u64) -> u64 {
        if bytes == 0 {
            self.reserved = None;
            return 0;
        }
        if let Err(refused) = self.resize(bytes) {
            // What the scope that refuses still has; another scope, or somebody at the same time, may refuse that as well.
            let left = refused.limit.saturating_sub(refused.used);
            let _ = self.resize(bytes.min(self.amount() + left));
        }
        self.amount()
    }
}

impl Growth {
    fn amount(&self) -> u64 {
        self.reserved.as_ref().map_or(0, Reservation::amount)
    }

    fn resize(&mut self, bytes: u64) -> Result<(), LimitExceeded> {
        match &mut self.reserved {
            Some(reserved) => reserved.resize(bytes),
            None => {
                self.reserved = Some(Reservation::new(self.scope.clone(), Resource::Memory, bytes)?);
                Ok(())
            }
        }
    }
}
