//! Asking peers who they are, on demand.

use crate::{IdentifyError, Info, shared::Shared};
use sinew_core::{Connection, DialOptions, PeerId};
use std::{fmt, sync::Arc};

/// Asks peers who they are. Not needed for that to happen: each connection is asked once when it begins. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Asks `peer` who it is, over a connection that exists or a new one. The host learns what it says as well.
    ///
    /// # Errors
    /// [`IdentifyError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up the exchange; a dial that others wait for goes on.
    pub async fn identify(&self, peer: PeerId) -> Result<Arc<Info>, IdentifyError> {
        let connection = self.shared.host.dial(peer, DialOptions::default()).await?;
        self.identify_on(&connection).await
    }

    /// As [`Handle::identify`], over this very connection.
    ///
    /// # Errors
    /// [`IdentifyError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up the exchange.
    pub async fn identify_on(&self, connection: &Connection) -> Result<Arc<Info>, IdentifyError> {
        self.shared.identify(connection).await
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("host", &self.shared.host)
            .finish_non_exhaustive()
    }
}
