//! Writing RPCs.

use crate::{
    Control, Extensions, IHave, MessageId, OtherPeer, PartialMessage, Prune, Rpc, SubOpts, Topic,
    generated::rpc as wire,
};
use bytes::{Buf, Bytes, BytesMut};
use prost::{
    Message as _,
    encoding::{WireType, encode_key},
};
use sinew_wire::{Frames, varint};

/// The field of an RPC that holds what gossipsub peers tell each other.
const CONTROL: u32 = 3;

impl Rpc {
    /// Writes the RPC behind its length. How long it may be is for the caller to see to.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let control = (!self.control.is_empty()).then(|| control(&self.control));
        let rpc = wire::Rpc {
            subscriptions: self.subscriptions.iter().map(sub_opts).collect(),
            publish: self
                .publish
                .iter()
                .map(|message| message.as_bytes().clone())
                .collect(),
            control,
            partial: self.partial.as_ref().map(partial),
            test_extension: self.test_extension.then(wire::TestExtension::default),
        };
        let mut out = BytesMut::new();
        Frames::new(usize::MAX)
            .encode_message(&rpc, &mut out)
            .expect("no frame is longer");
        out.freeze()
    }
}

/// Puts RPCs behind their lengths together in one: what they repeat adds up. No more than one of them may have control or a
/// partial message.
///
/// # Panics
/// If one of them does not begin with its length.
#[must_use]
pub fn join(mut rpcs: Vec<Bytes>) -> Bytes {
    if rpcs.len() == 1 {
        return rpcs.swap_remove(0);
    }
    for rpc in &mut rpcs {
        let (_, prefix) = varint::decode(rpc).ok().flatten().expect("a length in front");
        rpc.advance(prefix);
    }
    let len: usize = rpcs.iter().map(Bytes::len).sum();
    let mut joined = BytesMut::with_capacity(varint::len(len as u64) + len);
    varint::encode(len as u64, &mut joined);
    rpcs.iter().for_each(|rpc| joined.extend_from_slice(rpc));
    joined.freeze()
}

/// Ids of messages of one topic that are announced: written once, and sent to as many peers as are told. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Announcement {
    ids: usize,
    /// The field of a control message.
    bytes: Bytes,
}

impl Announcement {
    /// Writes an announcement. How long it may be is for the caller to see to.
    #[must_use]
    pub fn new(announced: &IHave) -> Self {
        let control = wire::ControlMessage {
            ihave: vec![ihave(announced)],
            ..wire::ControlMessage::default()
        };
        Self {
            ids: announced.ids.len(),
            bytes: control.encode_to_vec().into(),
        }
    }

    /// How many ids there are.
    #[must_use]
    pub fn ids(&self) -> usize {
        self.ids
    }

    /// Its bytes, as they stand in a control message.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// An RPC behind its length that asks for messages and announces others.
#[must_use]
pub fn gossip(iwant: &[MessageId], announced: &[Announcement]) -> Bytes {
    let asked = wire::ControlMessage {
        iwant: wanted(iwant),
        ..wire::ControlMessage::default()
    };
    let len = announced.iter().map(|one| one.bytes.len()).sum::<usize>() + asked.encoded_len();
    let prefix = prost::encoding::key_len(CONTROL) + varint::len(len as u64);
    let mut rpc = BytesMut::with_capacity(varint::MAX_LEN + prefix + len);
    varint::encode((prefix + len) as u64, &mut rpc);
    encode_key(CONTROL, WireType::LengthDelimited, &mut rpc);
    varint::encode(len as u64, &mut rpc);
    announced.iter().for_each(|one| rpc.extend_from_slice(&one.bytes));
    asked.encode_raw(&mut rpc);
    rpc.freeze()
}

fn text(topic: &Topic) -> Option<String> {
    Some(topic.as_str().to_owned())
}

fn sub_opts(sub: &SubOpts) -> wire::rpc::SubOpts {
    wire::rpc::SubOpts {
        subscribe: Some(sub.subscribe),
        topicid: text(&sub.topic),
        requests_partial: sub.requests_partial.then_some(true),
        supports_sending_partial: sub.supports_sending_partial.then_some(true),
    }
}

fn control(control: &Control) -> wire::ControlMessage {
    let idontwant = |message_ids| wire::ControlIDontWant { message_ids };
    let graft = |topic: &Topic| wire::ControlGraft {
        topic_id: text(topic),
    };
    wire::ControlMessage {
        ihave: control.ihave.iter().map(ihave).collect(),
        iwant: wanted(&control.iwant),
        graft: control.graft.iter().map(graft).collect(),
        prune: control.prune.iter().map(prune).collect(),
        idontwant: ids(&control.idontwant).map(idontwant).into_iter().collect(),
        extensions: control.extensions.as_ref().map(extensions),
    }
}

fn wanted(iwant: &[MessageId]) -> Vec<wire::ControlIWant> {
    let iwant = ids(iwant).map(|message_ids| wire::ControlIWant { message_ids });
    iwant.into_iter().collect()
}

/// `None` if there are none: an empty list is not written.
fn ids(ids: &[MessageId]) -> Option<Vec<Bytes>> {
    (!ids.is_empty()).then(|| ids.iter().map(MessageId::to_bytes).collect())
}

fn ihave(ihave: &IHave) -> wire::ControlIHave {
    wire::ControlIHave {
        topic_id: text(&ihave.topic),
        message_ids: ihave.ids.iter().map(MessageId::to_bytes).collect(),
    }
}

fn prune(prune: &Prune) -> wire::ControlPrune {
    let other = |other: &OtherPeer| wire::PeerInfo {
        peer_id: Some(other.peer.to_bytes().into()),
        signed_peer_record: other.record.clone(),
    };
    wire::ControlPrune {
        topic_id: text(&prune.topic),
        peers: prune.peers.iter().map(other).collect(),
        backoff: prune.backoff,
    }
}

fn extensions(extensions: &Extensions) -> wire::ControlExtensions {
    wire::ControlExtensions {
        partial_messages: extensions.partial_messages.then_some(true),
        test_extension: extensions.test_extension.then_some(true),
    }
}

fn partial(partial: &PartialMessage) -> wire::PartialMessagesExtension {
    wire::PartialMessagesExtension {
        topic_id: text(&partial.topic),
        group_id: Some(partial.group.clone()),
        partial_message: partial.message.clone(),
        parts_metadata: partial.metadata.clone(),
    }
}
