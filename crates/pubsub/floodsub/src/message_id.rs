//! Message ids: by what a message is known again.

use crate::Message;
use bytes::Bytes;
use std::{fmt, sync::Arc};

/// The longest message id that is read; longer ones are passed over. The default is at most 52 bytes, hashes are 20 to 64.
pub const MAX_MESSAGE_ID: usize = 256;

/// By what a message is known again. Cheap to clone.
///
/// The order is none that means anything: by a sum of the bytes first, which lies in the id itself, so that a search through
/// many does not look up the bytes of each that it passes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    sum: u64,
    bytes: Arc<[u8]>,
}

/// Makes the id of a message, for each topic in its way if it looks at [`Message::topic`]. All peers of a topic must make the
/// same, and it must be quick: it is asked once for each copy of a message that arrives.
pub type MessageIdFn = Arc<dyn Fn(&Message) -> MessageId + Send + Sync>;

impl MessageId {
    /// The id by author and sequence number; by content where a message has no author.
    // spec: pubsub, Message Identification: the concatenation of `from` and `seqno` unless the user has another function;
    // for messages without them the specification suggests a hash, and js-libp2p takes this one.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        match (message.from(), message.seqno()) {
            (Some(from), Some(seqno)) => [from, seqno].concat().into(),
            _ => Self::by_content(message),
        }
    }

    /// The SHA-256 of the data.
    #[must_use]
    pub fn by_content(message: &Message) -> Self {
        sinew_crypto::sha256(message.data())[..].into()
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, for the wire.
    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.bytes)
    }
}

/// Of ids that differ the sums differ, unless somebody is at pains to have them equal: the bytes decide then.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
    words.fold(0, |sum: u64, word| {
        // The golden ratio in binary: the bits of a word end up all over the sum.
        (sum.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

impl From<Vec<u8>> for MessageId {
    fn from(bytes: Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl From<&[u8]> for MessageId {
    fn from(bytes: &[u8]) -> Self {
        Self {
            sum: sum(bytes),
            bytes: bytes.into(),
        }
    }
}

impl AsRef<[u8]> for MessageId {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}
