//! Making our own messages.

use crate::{Message, Sequence, SignaturePolicy, Topic};
use bytes::Bytes;
use sinew_core::Host;
use sinew_identity::SigningError;
use sinew_runtime::wall_now;
use std::sync::{Mutex, PoisonError};

/// Makes our own messages, by a policy.
#[derive(Debug)]
pub struct Author {
    host: Host,
    policy: SignaturePolicy,
    sequence: Mutex<Sequence>,
}

impl Author {
    /// Makes messages of `host`.
    #[must_use]
    pub fn new(host: Host, policy: SignaturePolicy) -> Self {
        Self {
            host,
            policy,
            sequence: Mutex::default(),
        }
    }

    /// A message, signed if the policy wants it so.
    ///
    /// # Errors
    /// When the node's key cannot sign.
    pub fn message(&self, topic: &Topic, data: Bytes) -> Result<Message, SigningError> {
        if !self.policy.signs() {
            return Ok(Message::anonymous(topic, data));
        }
        let mut sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        let seqno = sequence.next(wall_now());
        drop(sequence);
        Message::signed(&**self.host.signer(), seqno, topic, data)
    }
}
