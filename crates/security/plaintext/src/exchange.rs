//! The one message of the protocol: who the sender says it is.

use bytes::Bytes;
use prost::Message;
use sinew_identity::{KeyError, PeerId, PeerIdError, PublicKey};
use sinew_machine::{Blame, Culpable};
use sinew_wire::{
    FrameError, Frames,
    protobuf::{self, DecodeError, required},
};
use thiserror::Error;

use crate::generated::plaintext::Exchange;

/// The longest message taken: an RSA key of 8,192 bits and its peer id take 1.1 KiB.
pub const MAX: usize = 4 * 1024;
/// spec: plaintext, Message Framing: behind its length as an unsigned varint.
pub(crate) const FRAMES: Frames = Frames::new(MAX);

/// Why the other side's message is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The length in front is malformed, or more than [`MAX`].
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The bytes are not the message, or one of its two fields is missing.
    #[error(transparent)]
    Message(#[from] DecodeError),
    /// The key is none, or none that is accepted.
    #[error("identity key: {0}")]
    Key(#[from] KeyError),
    /// The peer id is none.
    #[error("peer id: {0}")]
    Id(#[from] PeerIdError),
    /// The peer id is not that of the key.
    #[error("the peer id is {claimed}, but the key is that of {actual}")]
    NotItsKey {
        /// The peer id in the message.
        claimed: PeerId,
        /// The peer id of the key in the message.
        actual: PeerId,
    },
}

impl Culpable for ExchangeError {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// Reads a message, without the length in front, and gives the key that the sender claims.
///
/// # Errors
/// [`ExchangeError`].
pub fn decode(bytes: impl Into<Bytes>) -> Result<PublicKey, ExchangeError> {
    let message: Exchange = protobuf::decode(bytes.into(), MAX)?;
    let key = PublicKey::from_protobuf(&required(message.pubkey, "pubkey")?)?;
    let claimed = PeerId::from_bytes(&required(message.id, "id")?)?;
    let actual = key.peer_id();
    // spec: plaintext, Exchange: the id must be the one that follows from the key.
    if claimed == actual {
        Ok(key)
    } else {
        Err(ExchangeError::NotItsKey { claimed, actual })
    }
}

/// The message of the owner of `key`, without the length in front.
#[must_use]
pub fn encode(key: &PublicKey) -> Vec<u8> {
    let message = Exchange {
        id: Some(key.peer_id().to_bytes().into()),
        pubkey: Some(key.to_protobuf().into()),
    };
    message.encode_to_vec()
}
