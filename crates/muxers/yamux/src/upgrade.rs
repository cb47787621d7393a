//! yamux as the host meets it: a muxer that lays streams over secured bytes.

use crate::{
    Config, Fault,
    driver::Driver,
    handle::{Accept, Handle},
    machine::{Connection, Memory, Side},
    shared::Shared,
};
use sinew_core::{
    BoxedIo, CloseReason, Muxed, MuxerUpgrade, ProtocolId, Reservation, Resource, ResourceScope, Role,
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
            scope,
            reserved: None,
        });
        let shared = Shared::new(Connection::new(self.config.clone(), side, now(), memory));
        let driver = Driver::new(io, shared.clone());
        Muxed::new(
            Arc::new(Handle(shared.clone())),
            Box::new(Accept(shared)),
            Box::pin(driver),
        )
    }
}

/// The growth of receive windows, as the connection's scope sees it.
struct Growth {
    scope: Arc<dyn ResourceScope>,
    reserved: Option<Reservation>,
}

impl Memory for Growth {
    fn reserve(&mut self, bytes: u64) -> bool {
        if bytes == 0 {
            self.reserved = None;
            return true;
        }
        match &mut self.reserved {
            Some(reserved) => reserved.resize(bytes).is_ok(),
            None => {
                self.reserved = Reservation::new(self.scope.clone(), Resource::Memory, bytes).ok();
                self.reserved.is_some()
            }
        }
    }
}

impl Fault {
    /// The fault as the reason of a closed connection.
    pub(crate) fn reason(self) -> CloseReason {
        match self {
            Self::Version(_) => CloseReason::Violation("yamux: unknown version"),
            Self::Type(_) => CloseReason::Violation("yamux: unknown frame type"),
            Self::Parity(_) => CloseReason::Violation("yamux: stream id of the wrong side"),
            Self::Duplicate(_) => CloseReason::Violation("yamux: stream opened twice"),
            Self::Overrun { .. } => CloseReason::Violation("yamux: more payload than the window allows"),
            Self::Overflow(_) => CloseReason::Violation("yamux: window overflow"),
            Self::TooLong { .. } => CloseReason::Violation("yamux: frame longer than any window"),
            Self::Flood => CloseReason::Violation("yamux: too many useless frames"),
            Self::Silent => CloseReason::TimedOut("yamux: pings are not answered"),
            Self::Stuck => CloseReason::TimedOut("yamux: the connection takes no bytes"),
        }
    }
}
