//! The private network as the host meets it: a wrapper below security.

use crate::{NONCE, PreSharedKey, cipher::Cipher, stream::Protected};
use async_trait::async_trait;
use sinew_core::{BoxedIo, RawUpgrade, SecurityError};
use sinew_crypto::random;
use tokio::io::AsyncWriteExt;

/// Wraps every byte of a connection with the key of a private network.
#[derive(Clone, Debug)]
pub struct PrivateNetwork {
    key: PreSharedKey,
}

impl PrivateNetwork {
    /// The network of those who know `key`.
    #[must_use]
    pub fn new(key: PreSharedKey) -> Self {
        Self { key }
    }
}

#[async_trait]
impl RawUpgrade for PrivateNetwork {
    /// Sends our nonce at once, for js-libp2p says nothing before it has it, and does not wait for theirs, for go-libp2p
    /// sends its own with its first bytes only.
    async fn wrap(&self, mut io: BoxedIo) -> Result<BoxedIo, SecurityError> {
        let mut nonce = [0; NONCE];
        random(&mut nonce);
        // spec: pnet, Algorithm: a new random nonce is sent before anything else.
        io.write_all(&nonce).await?;
        io.flush().await?;
        let writes = Cipher::new(&self.key, &nonce);
        Ok(Box::new(Protected::new(io, self.key.clone(), writes)))
    }
}
