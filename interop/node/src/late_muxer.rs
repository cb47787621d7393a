//! A peer that negotiates its muxer after the handshake of the security.

use async_trait::async_trait;
use sinew::{
    ProtocolId,
    sinew_core::{BoxedIo, SecureRequest, SecureUpgrade, Secured, SecurityError},
};

/// A security protocol that names no muxers in its handshake, as of peers that know nothing of that.
#[derive(Debug)]
pub(crate) struct LateMuxer<S>(pub(crate) S);

#[async_trait]
impl<S: SecureUpgrade> SecureUpgrade for LateMuxer<S> {
    fn protocol(&self) -> ProtocolId {
        self.0.protocol()
    }

    async fn secure(&self, io: BoxedIo, mut request: SecureRequest) -> Result<Secured, SecurityError> {
        request.muxers.clear();
        self.0.secure(io, request).await
    }
}
