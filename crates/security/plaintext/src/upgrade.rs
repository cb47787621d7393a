//! The upgrade that secures nothing.

use std::io;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::future;
use sinew_core::{BoxedIo, SecureRequest, SecureUpgrade, Secured, SecurityError};
use sinew_identity::PublicKey;
use sinew_machine::ProtocolId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use crate::{
    exchange::{self, ExchangeError, FRAMES},
    resumed::Resumed,
};

/// spec: plaintext, Protocol Id and Version History: the name in multistream-select.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/plaintext/2.0.0");

/// An upgrade that believes whatever the other side says and encrypts nothing. For tests alone.
#[derive(Debug, Clone)]
pub struct InsecurePlaintext {
    message: Bytes,
}

impl InsecurePlaintext {
    /// Claims to be the owner of `key`.
    #[must_use]
    pub fn new(key: &PublicKey) -> Self {
        let mut message = BytesMut::new();
        FRAMES
            .encode(&exchange::encode(key), &mut message)
            .expect("every identity fits into a message");
        Self {
            message: message.freeze(),
        }
    }
}

#[async_trait]
impl SecureUpgrade for InsecurePlaintext {
    fn protocol(&self) -> ProtocolId {
        PROTOCOL
    }

    async fn secure(&self, io: BoxedIo, request: SecureRequest) -> Result<Secured, SecurityError> {
        let (mut reader, mut writer) = split(io);
        // spec: plaintext, Exchange: both sides send at once, so neither may wait with reading until it has sent.
        let ((), (key, early)) =
            future::try_join(send(&mut writer, &self.message), receive(&mut reader)).await?;
        let peer = key.peer_id();
        if let Some(expected) = request.expected.filter(|&expected| expected != peer) {
            return Err(SecurityError::WrongPeer {
                expected,
                actual: peer,
            });
        }
        let io = reader.unsplit(writer);
        let io: BoxedIo = if early.is_empty() {
            io
        } else {
            Box::new(Resumed::new(early, io))
        };
        Ok(Secured::new(io, key, None))
    }
}

async fn send(io: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> Result<(), SecurityError> {
    io.write_all(message).await?;
    Ok(io.flush().await?)
}

/// The key that the other side claims, and what it sent behind its message.
async fn receive(io: &mut (impl AsyncRead + Unpin)) -> Result<(PublicKey, BytesMut), SecurityError> {
    let mut received = BytesMut::with_capacity(256);
    loop {
        if let Some(message) = FRAMES.decode(&mut received).map_err(refused)? {
            return Ok((exchange::decode(message).map_err(refused)?, received));
        }
        if io.read_buf(&mut received).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

fn refused(error: impl Into<ExchangeError>) -> SecurityError {
    SecurityError::Handshake(Box::new(error.into()))
}
