//! mplex as the host meets it: a muxer that lays streams over secured bytes.

use crate::{Config, machine::Connection};
use sinew_core::{BoxedIo, Muxed, MuxerUpgrade, ProtocolId, ResourceScope, Role};
use sinew_runtime::now;
use std::sync::Arc;

/// The protocol string for multistream-select. The specification names none; all implementations use this one.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/mplex/6.7.0");

/// The mplex muxer.
#[derive(Clone, Default, Debug)]
pub struct Mplex {
    config: Config,
}

impl Mplex {
    /// The muxer with limits and times of your own.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

impl MuxerUpgrade for Mplex {
    fn protocol(&self) -> ProtocolId {
        PROTOCOL
    }

    /// Both sides are alike.
    fn mux(&self, io: BoxedIo, _: Role, scope: Arc<dyn ResourceScope>) -> Muxed {
        sinew_session::mux(io, Connection::new(self.config.clone(), now()), scope)
    }
}
