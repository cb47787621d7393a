//! The RPC: what peers of pubsub send each other, read within bounds.

use crate::{Control, Message, Topic, control::Room};
use bytes::Bytes;
use sinew_machine::{Blame, Culpable};
use sinew_wire::protobuf::{self, Value, WireError};
use thiserror::Error;

/// The longest RPC that is sent, and read unless told: the limit of go-libp2p.
pub const MAX_RPC: usize = 1 << 20;

/// The most subscriptions that are read of one RPC; more are passed over.
pub const MAX_SUBSCRIPTIONS: usize = 4096;

/// The most messages that are read of one RPC; more are passed over. As many as a peer may be asked for at once: the limit
/// of go-libp2p for the ids of one announcement.
pub const MAX_MESSAGES: usize = 5000;

/// The longest group of partial messages, in bytes; those of longer ones are passed over. No text has a bound; hashes are 20
/// to 64.
pub const MAX_GROUP: usize = 256;

/// The longest metadata of the parts of a message, in bytes; partial messages with longer ones are passed over. Enough for 8,192
/// parts with a bit for each.
pub const MAX_METADATA: usize = 1024;

/// The field of the test extension.
const TEST_EXTENSION: u32 = 6_492_434;

/// What one peer tells another: any of its parts may be empty.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Rpc {
    /// Topics that the sender joined or left.
    pub subscriptions: Vec<SubOpts>,
    /// Messages, of the sender or of others.
    pub publish: Vec<Message>,
    /// How many messages more it carries that are none. They are passed over, since who hands a message on need not have seen
    /// what is wrong with it: go-libp2p takes unknown fields that others cannot read.
    pub malformed: usize,
    /// What gossipsub peers tell each other.
    pub control: Control,
    /// A part of a message. Experimental: as go-libp2p-pubsub has it, the specification does not.
    pub partial: Option<PartialMessage>,
    /// Whether it carries the message of the test extension.
    pub test_extension: bool,
}

/// A topic that the sender joined or left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubOpts {
    /// The topic.
    pub topic: Topic,
    /// Joined, or left.
    pub subscribe: bool,
    /// Whether the sender prefers partial messages. Experimental.
    pub requests_partial: bool,
    /// Whether the sender can send partial messages. Experimental.
    pub supports_sending_partial: bool,
}

/// A part of a message. Experimental: as go-libp2p-pubsub has it, the specification does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartialMessage {
    /// The topic.
    pub topic: Topic,
    /// Of which message it holds parts; at most [`MAX_GROUP`] bytes.
    pub group: Bytes,
    /// The parts.
    pub message: Option<Bytes>,
    /// Which parts the sender has and wants; at most [`MAX_METADATA`] bytes.
    pub metadata: Option<Bytes>,
}

/// Why bytes are no RPC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RpcError {
    /// They are not made of protobuf fields.
    #[error("pubsub RPC: {0}")]
    Wire(#[from] WireError),
    /// A field has a value of the wrong kind.
    #[error("field {0} of a pubsub RPC is of the wrong kind")]
    Field(u32),
}

impl Culpable for RpcError {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

impl SubOpts {
    /// That the sender joined or left a topic.
    #[must_use]
    pub fn new(topic: Topic, subscribe: bool) -> Self {
        Self {
            topic,
            subscribe,
            requests_partial: false,
            supports_sending_partial: false,
        }
    }
}

impl Rpc {
    /// Reads an RPC without the length in front of it. Messages and ids share the memory of `frame`.
    ///
    /// Unknown fields are passed over, and so are messages that are malformed, topics and ids that are too long or no text, and
    /// what exceeds [`MAX_SUBSCRIPTIONS`], [`MAX_MESSAGES`] and the bounds of [`Control`].
    ///
    /// # Errors
    /// [`RpcError`] when the bytes are something else.
    pub fn decode(frame: &Bytes) -> Result<Self, RpcError> {
        let mut rpc = Self::default();
        let mut room = Room::default();
        for field in protobuf::fields(frame) {
            let field = field?;
            match (field.number, field.value) {
                (1, Value::Bytes(value)) => rpc.subscription(value)?,
                (2, Value::Bytes(value)) if rpc.publish.len() + rpc.malformed < MAX_MESSAGES => {
                    match Message::decode(frame.slice_ref(value)) {
                        Ok(message) => rpc.publish.push(message),
                        Err(_) => rpc.malformed += 1,
                    }
                }
                (2, Value::Bytes(_)) => {}
                (3, Value::Bytes(value)) => rpc.control.merge(frame, value, &mut room)?,
                (10, Value::Bytes(value)) => rpc.partial = PartialMessage::read(frame, value)?,
                (TEST_EXTENSION, Value::Bytes(_)) => rpc.test_extension = true,
                (number @ (1..=3 | 10 | TEST_EXTENSION), _) => return Err(RpcError::Field(number)),
                _ => {}
            }
        }
        Ok(rpc)
    }

    fn subscription(&mut self, bytes: &[u8]) -> Result<(), RpcError> {
        let mut topic = None;
        let mut flags = [false; 3];
        for field in protobuf::fields(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (1, Value::Varint(value)) => flags[0] = value != 0,
                (2, Value::Bytes(value)) => topic = Topic::read(value),
                (3, Value::Varint(value)) => flags[1] = value != 0,
                (4, Value::Varint(value)) => flags[2] = value != 0,
                (number @ 1..=4, _) => return Err(RpcError::Field(number)),
                _ => {}
            }
        }
        let [subscribe, requests_partial, supports_sending_partial] = flags;
        if self.subscriptions.len() < MAX_SUBSCRIPTIONS {
            self.subscriptions.extend(topic.map(|topic| SubOpts {
                topic,
                subscribe,
                requests_partial,
                supports_sending_partial,
            }));
        }
        Ok(())
    }
}

impl PartialMessage {
    /// The same in memory of its own. For what is kept: it would hold all that arrived together with it.
    #[must_use]
    pub fn detached(self) -> Self {
        let copy = |bytes: Bytes| Bytes::copy_from_slice(&bytes);
        Self {
            topic: self.topic,
            group: copy(self.group),
            message: self.message.map(copy),
            metadata: self.metadata.map(copy),
        }
    }

    /// `None` where the topic is none, or the group or the metadata is too long.
    fn read(frame: &Bytes, bytes: &[u8]) -> Result<Option<Self>, RpcError> {
        let mut topic = None;
        let (mut group, mut message, mut metadata) = (Bytes::new(), None, None);
        for field in protobuf::fields(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (1, Value::Bytes(value)) => topic = Topic::read(value),
                (2, Value::Bytes(value)) => group = frame.slice_ref(value),
                // Empty and absent are the same to go and rust.
                (3 | 4, Value::Bytes([])) => {}
                (3, Value::Bytes(value)) => message = Some(frame.slice_ref(value)),
                (4, Value::Bytes(value)) => metadata = Some(frame.slice_ref(value)),
                (number @ 1..=4, _) => return Err(RpcError::Field(number)),
                _ => {}
            }
        }
        let is_long = group.len() > MAX_GROUP || metadata.as_ref().is_some_and(|it| it.len() > MAX_METADATA);
        Ok(topic.filter(|_| !is_long).map(|topic| Self {
            topic,
            group,
            message,
            metadata,
        }))
    }
}
