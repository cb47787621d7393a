//! News of a topic.

use crate::Received;
use sinew_core::PeerId;
use std::sync::Arc;

/// What happened on a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A message that was verified and accepted. Our own are not among them. Those of one author come in no order: many are verified and
    /// judged at once, here and on their way; the sequence number says which is later.
    Message(Arc<Received>),
    /// A connected peer follows the topic. Those who were there before are told at the first subscription.
    Joined(PeerId),
    /// It does not any more, or is gone.
    Left(PeerId),
}
