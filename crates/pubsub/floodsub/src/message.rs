//! A message as it stands on the wire: read once, kept and handed on as the bytes that came.

use crate::{Topic, generated::rpc as wire};
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use sinew_identity::{Signer, SigningError};
use sinew_machine::{Blame, Culpable};
use sinew_wire::{
    protobuf::{self, Value, WireError},
    varint,
};
use std::{fmt, ops::Range};
use thiserror::Error;

/// Fields with a meaning: `from`, `data`, `seqno`, `topic`, `signature`, `key`.
const FIELDS: usize = 6;

/// The field of an RPC that holds messages.
const PUBLISH: u32 = 2;

/// What precedes a message where it is signed.
// spec: pubsub, Message Signing: the protobuf is prefixed with this text before signing
const DOMAIN: &[u8] = b"libp2p-pubsub:";

/// A message of somebody. Cheap to clone: clones share the bytes.
///
/// It is the bytes that were received, or that were made for it, and where its fields lie in them: nothing is lost that
/// its author signed, and it goes on to others as it came.
#[derive(Clone)]
pub struct Message {
    /// The RPC at whose end `wire` lies, if it was made already.
    rpc: Option<Bytes>,
    wire: Bytes,
    /// Where the value of each field lies; of several the last one counts.
    fields: [Option<Range<usize>>; FIELDS],
}

/// Why bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// They are not made of protobuf fields.
    #[error("pubsub message: {0}")]
    Wire(#[from] WireError),
    /// A field has a value of the wrong kind.
    #[error("field {0} of a pubsub message is of the wrong kind")]
    Field(u32),
    /// The topic is not UTF-8.
    #[error("the topic of a pubsub message is no text")]
    Topic,
}

impl Culpable for MessageError {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

impl Message {
    /// Reads a message. It shares the memory of `wire`, unless fields come again in it: of those the last alone is kept.
    ///
    /// # Errors
    /// [`MessageError`] when the bytes are something else. Whether the message is signed and complete is another question:
    /// see [`SignaturePolicy`](crate::SignaturePolicy).
    pub fn decode(wire: Bytes) -> Result<Self, MessageError> {
        let mut fields = [const { None }; FIELDS];
        let mut is_repeated = false;
        let mut rest = protobuf::fields(&wire);
        while let Some(field) = rest.next() {
            let field = field?;
            let Some(index) = index(field.number) else {
                continue;
            };
            let Value::Bytes(value) = field.value else {
                return Err(MessageError::Field(field.number));
            };
            let end = wire.len() - rest.rest().len();
            is_repeated |= fields[index].replace(end - value.len()..end).is_some();
        }
        let rpc = None;
        let message = Self { rpc, wire, fields };
        if is_repeated {
            return Self::decode(message.without_repetitions());
        }
        match std::str::from_utf8(message.field(4).unwrap_or_default()) {
            Ok(_) => Ok(message),
            Err(_) => Err(MessageError::Topic),
        }
    }

    /// A message with its author, a sequence number and a signature.
    ///
    /// # Errors
    /// When the signer cannot sign.
    // spec: pubsub, Signature Policy Options: `Sign` stamps the origin and signs; the key is left out where `from` holds it.
    pub fn signed(
        signer: &dyn Signer,
        seqno: u64,
        topic: &Topic,
        data: impl Into<Bytes>,
    ) -> Result<Self, SigningError> {
        let key = signer.public();
        let author = key.peer_id();
        let mut message = wire::Message {
            from: Some(author.to_bytes().into()),
            seqno: Some(seqno.to_be_bytes().to_vec().into()),
            ..anonymous(topic, data.into())
        };
        let mut signed = DOMAIN.to_vec();
        message.encode_raw(&mut signed);
        message.signature = Some(signer.sign(&signed)?.into());
        message.key = author.public_key().is_none().then(|| key.to_protobuf().into());
        Ok(Self::made(&message))
    }

    /// A message of nobody: topic and data, and nothing else.
    // spec: pubsub, Signature Policy Options: under `NoSign` the other fields are absent, not empty.
    #[must_use]
    pub fn anonymous(topic: &Topic, data: impl Into<Bytes>) -> Self {
        Self::made(&anonymous(topic, data.into()))
    }

    fn made(message: &wire::Message) -> Self {
        let message = Self::decode(message.encode_to_vec().into());
        message.expect("what was encoded can be read").detached()
    }

    /// Its bytes, as they came and as they go on.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.wire
    }

    /// Its author, as bytes of a peer id. Nobody vouches for it before the signature is verified.
    #[must_use]
    pub fn from(&self) -> Option<&[u8]> {
        self.field(1)
    }

    /// What it says. Absent data and empty data are the same here.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.field(2).unwrap_or_default()
    }

    /// What it says, sharing the message's memory.
    #[must_use]
    pub fn data_bytes(&self) -> Bytes {
        self.wire.slice_ref(self.data())
    }

    /// Its number among those of its author.
    #[must_use]
    pub fn seqno(&self) -> Option<&[u8]> {
        self.field(3)
    }

    /// What it is about; empty where that is absent.
    #[must_use]
    pub fn topic(&self) -> &str {
        std::str::from_utf8(self.field(4).unwrap_or_default()).expect("checked when it was read")
    }

    /// Its signature.
    #[must_use]
    pub fn signature(&self) -> Option<&[u8]> {
        self.field(5)
    }

    /// The key that its author says it signed with.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.field(6)
    }

    /// The message in memory of its own. For what is kept: a message would hold all that arrived together with it. The RPC with
    /// which it goes on lies there as well.
    #[must_use]
    pub fn detached(mut self) -> Self {
        let rpc = self.rpc();
        self.wire = rpc.slice(rpc.len() - self.wire.len()..);
        self.rpc = Some(rpc);
        self
    }

    /// Its bytes without fields that do not count because they come again: anybody can repeat the fields of a message of somebody
    /// else, and make it longer for all to whom it goes.
    fn without_repetitions(&self) -> Bytes {
        let mut kept = Vec::with_capacity(self.wire.len());
        for (number, span) in self.spans() {
            let value = index(number).and_then(|index| self.fields[index].as_ref());
            if value.is_none_or(|value| value.end == span.end) {
                kept.extend_from_slice(&self.wire[span]);
            }
        }
        kept.into()
    }

    /// Number and place of each field, as they stand.
    fn spans(&self) -> impl Iterator<Item = (u32, Range<usize>)> {
        let mut rest = protobuf::fields(&self.wire);
        let mut end = 0;
        std::iter::from_fn(move || {
            let field = rest.next()?.ok()?;
            let start = std::mem::replace(&mut end, self.wire.len() - rest.rest().len());
            Some((field.number, start..end))
        })
    }

    /// An RPC with this message alone, behind its length: made once, and sent to as many as want it.
    #[must_use]
    pub fn rpc(&self) -> Bytes {
        self.rpc.clone().unwrap_or_else(|| {
            let mut rpc = BytesMut::with_capacity(self.wire.len() + 2 * varint::MAX_LEN);
            varint::encode(self.rpc_len() as u64, &mut rpc);
            prost::encoding::bytes::encode(PUBLISH, &self.wire, &mut rpc);
            rpc.freeze()
        })
    }

    /// How long that RPC is, without the length in front of it.
    #[must_use]
    pub fn rpc_len(&self) -> usize {
        prost::encoding::bytes::encoded_len(PUBLISH, &self.wire)
    }

    /// The bytes that its author signed: the values as they were received, in the order of their numbers, then the fields
    /// that nobody here knows as they stand.
    // spec: pubsub, Message Signing: over the marshalled message without the signature, unknown fields included. All
    // implementations leave out the key as well, and marshal in the order of the numbers.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut signed = Vec::with_capacity(DOMAIN.len() + self.wire.len() + FIELDS);
        signed.extend_from_slice(DOMAIN);
        for number in 1..=4 {
            if let Some(value) = self.field(number) {
                prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut signed);
                varint::encode(value.len() as u64, &mut signed);
                signed.extend_from_slice(value);
            }
        }
        for (number, span) in self.spans() {
            if index(number).is_none() {
                signed.extend_from_slice(&self.wire[span]);
            }
        }
        signed
    }

    fn field(&self, number: u32) -> Option<&[u8]> {
        let range = self.fields[index(number)?].clone()?;
        Some(&self.wire[range])
    }
}

fn index(number: u32) -> Option<usize> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    (index < FIELDS).then_some(index)
}

fn anonymous(topic: &Topic, data: Bytes) -> wire::Message {
    wire::Message {
        data: Some(data),
        topic: Some(topic.as_str().to_owned()),
        ..wire::Message::default()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.wire == other.wire
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic())
            .field("bytes", &self.wire.len())
            .finish_non_exhaustive()
    }
}
