//! Message ids: by what a message is known again.

use crate::Message;
use bytes::Bytes;
use std::{borrow::Borrow, fmt, sync::Arc};

/// The longest message id that is read; longer ones are passed over. The default is at most 52 bytes, hashes are 20 to 64.
pub const MAX_MESSAGE_ID: usize = 256;

/// By what a message is known again. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Bytes);

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
        sinew_crypto::sha256(message.data()).to_vec().into()
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its bytes, shared.
    pub(crate) fn shared(&self) -> Bytes {
        self.0.clone()
    }
}

impl From<Vec<u8>> for MessageId {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&[u8]> for MessageId {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl AsRef<[u8]> for MessageId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for MessageId {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}
