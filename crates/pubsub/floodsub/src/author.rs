//! Making our own messages.

use crate::{Message, MessageId, MessageIdFn, PublishError, Sequence, SignaturePolicies, Topic};
use bytes::Bytes;
use sinew_core::Host;
use sinew_runtime::wall_now;
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

/// Makes our own messages, by a policy.
pub struct Author {
    host: Host,
    policy: SignaturePolicies,
    message_id: MessageIdFn,
    max_rpc: usize,
    sequence: Mutex<Sequence>,
}

impl Author {
    /// Makes messages of `host`, whose RPCs have at most `max_rpc` bytes.
    #[must_use]
    pub fn new(host: Host, policy: SignaturePolicies, message_id: MessageIdFn, max_rpc: usize) -> Self {
        Self {
            host,
            policy,
            message_id,
            max_rpc,
            sequence: Mutex::default(),
        }
    }

    /// A message, signed if the policy wants it so, and its id.
    ///
    /// # Errors
    /// [`PublishError`] when the node's key cannot sign, or the message is too long.
    pub fn message(&self, topic: &Topic, data: Bytes) -> Result<(MessageId, Message), PublishError> {
        let message = if self.policy.of(topic.as_str()).signs() {
            Message::signed(&**self.host.signer(), self.seqno(), topic, data)?
        } else {
            Message::anonymous(topic, data)
        };
        let (len, max) = (message.rpc_len(), self.max_rpc);
        if len > max {
            return Err(PublishError::TooLong { len, max });
        }
        Ok(((self.message_id)(&message), message))
    }

    fn seqno(&self) -> u64 {
        let mut sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        sequence.next(wall_now())
    }
}

impl fmt::Debug for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Author")
            .field("host", &self.host)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
