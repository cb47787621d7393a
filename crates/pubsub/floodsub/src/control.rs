//! The control messages of gossipsub, read within bounds.

use crate::{MAX_MESSAGE_ID, MessageId, RpcError, Topic};
use bytes::Bytes;
use sinew_identity::PeerId;
use sinew_wire::protobuf::{self, Value};

/// The most ids that are read of one RPC, over all its control messages; more are passed over. The limit of go-libp2p for
/// one announcement.
pub const MAX_IDS: usize = 5000;

/// The most control messages of each kind that are read of one RPC; more are passed over.
pub const MAX_CONTROL: usize = 4096;

/// The most peers that are read of one RPC, over all its prunes; more are passed over. go and rust send 16 with each.
pub const MAX_PEERS: usize = 256;

/// The field of the test extension.
const TEST_EXTENSION: u32 = 6_492_434;

/// What gossipsub peers tell each other besides messages.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Control {
    /// Messages that the sender has.
    pub ihave: Vec<IHave>,
    /// Messages that it asks for.
    pub iwant: Vec<MessageId>,
    /// Topics whose mesh it takes the reader into.
    pub graft: Vec<Topic>,
    /// Topics whose mesh it takes the reader out of.
    pub prune: Vec<Prune>,
    /// Messages that it does not want to be sent (1.2).
    pub idontwant: Vec<MessageId>,
    /// What it can do beyond the protocol (1.3); absent in all but the first RPC of a stream.
    pub extensions: Option<Extensions>,
}

/// Messages of a topic that the sender has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IHave {
    /// The topic.
    pub topic: Topic,
    /// Their ids.
    pub ids: Vec<MessageId>,
}

/// That the reader was taken out of a mesh.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prune {
    /// The topic.
    pub topic: Topic,
    /// Peers that it may try instead (1.1).
    pub peers: Vec<OtherPeer>,
    /// For how many seconds it is not to come back (1.1).
    pub backoff: Option<u64>,
}

/// A peer that somebody who was pruned may try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherPeer {
    /// The peer.
    pub peer: PeerId,
    /// Its signed peer record, not verified.
    pub record: Option<Bytes>,
}

/// What a peer can do beyond the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Extensions {
    /// Partial messages. Experimental: as go-libp2p-pubsub has them, the specification does not.
    pub partial_messages: bool,
    /// The test extension.
    pub test_extension: bool,
}

/// How much more is read of an RPC.
pub(crate) struct Room {
    ids: usize,
    peers: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            ids: MAX_IDS,
            peers: MAX_PEERS,
        }
    }
}

impl Control {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what a control message says.
    pub(crate) fn merge(&mut self, frame: &Bytes, bytes: &[u8], room: &mut Room) -> Result<(), RpcError> {
        for field in protobuf::fields(bytes) {
            let field = field?;
            let value = match field.value {
                Value::Bytes(value) => value,
                _ if matches!(field.number, 1..=6) => return Err(RpcError::Field(field.number)),
                _ => continue,
            };
            match field.number {
                1 => add(&mut self.ihave, IHave::read(value, room)?),
                2 => self.iwant.extend(read_ids(value, 1, room)?),
                3 => add(&mut self.graft, read_topic(value)?),
                4 => add(&mut self.prune, Prune::read(frame, value, room)?),
                5 => self.idontwant.extend(read_ids(value, 1, room)?),
                6 => self.extensions = Some(Extensions::read(value)?),
                _ => {}
            }
        }
        Ok(())
    }
}

fn add<T>(list: &mut Vec<T>, entry: Option<T>) {
    if list.len() < MAX_CONTROL {
        list.extend(entry);
    }
}

/// The topic in field 1.
fn read_topic(bytes: &[u8]) -> Result<Option<Topic>, RpcError> {
    let mut topic = None;
    for field in protobuf::fields(bytes) {
        let field = field?;
        match (field.number, field.value) {
            (1, Value::Bytes(value)) => topic = Topic::read(value),
            (1, _) => return Err(RpcError::Field(1)),
            _ => {}
        }
    }
    Ok(topic)
}

/// The ids in one field. They are copied: ids are kept, and the frame is not.
fn read_ids(bytes: &[u8], number: u32, room: &mut Room) -> Result<Vec<MessageId>, RpcError> {
    let mut ids = Vec::new();
    for field in protobuf::fields(bytes) {
        let field = field?;
        if field.number != number {
            continue;
        }
        let Value::Bytes(value) = field.value else {
            return Err(RpcError::Field(number));
        };
        if room.ids > 0 && value.len() <= MAX_MESSAGE_ID {
            room.ids -= 1;
            ids.push(value.into());
        }
    }
    Ok(ids)
}

impl IHave {
    fn read(bytes: &[u8], room: &mut Room) -> Result<Option<Self>, RpcError> {
        let ids = read_ids(bytes, 2, room)?;
        Ok(read_topic(bytes)?.map(|topic| Self { topic, ids }))
    }
}

impl Prune {
    fn read(frame: &Bytes, bytes: &[u8], room: &mut Room) -> Result<Option<Self>, RpcError> {
        let (mut peers, mut backoff) = (Vec::new(), None);
        for field in protobuf::fields(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (2, Value::Bytes(_)) if room.peers == 0 => {}
                (2, Value::Bytes(value)) => {
                    room.peers -= 1;
                    peers.extend(OtherPeer::read(frame, value)?);
                }
                (3, Value::Varint(value)) => backoff = Some(value),
                (number @ 2..=3, _) => return Err(RpcError::Field(number)),
                _ => {}
            }
        }
        Ok(read_topic(bytes)?.map(|topic| Self {
            topic,
            peers,
            backoff,
        }))
    }
}

impl OtherPeer {
    /// `None` where the peer id is none.
    fn read(frame: &Bytes, bytes: &[u8]) -> Result<Option<Self>, RpcError> {
        let (mut peer, mut record) = (None, None);
        for field in protobuf::fields(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (1, Value::Bytes(value)) => peer = PeerId::from_bytes(value).ok(),
                (2, Value::Bytes(value)) => record = Some(frame.slice_ref(value)),
                (number @ 1..=2, _) => return Err(RpcError::Field(number)),
                _ => {}
            }
        }
        Ok(peer.map(|peer| Self { peer, record }))
    }
}

impl Extensions {
    fn read(bytes: &[u8]) -> Result<Self, RpcError> {
        let mut extensions = Self::default();
        for field in protobuf::fields(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (10, Value::Varint(value)) => extensions.partial_messages = value != 0,
                (TEST_EXTENSION, Value::Varint(value)) => extensions.test_extension = value != 0,
                (number @ (10 | TEST_EXTENSION), _) => return Err(RpcError::Field(number)),
                // spec: gossipsub 1.3, The Extensions Control Message: unknown extensions are ignored.
                _ => {}
            }
        }
        Ok(extensions)
    }
}
