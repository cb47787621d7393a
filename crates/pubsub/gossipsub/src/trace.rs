//! Where the steps of the protocol go that somebody wants to see, and how they are written.

use crate::{RpcTrace, Trace};
use data_encoding::BASE64;
use serde_json::{Value, json};
use sinew_core::PeerId;
use sinew_floodsub::MessageId;
use sinew_machine::WallTime;

/// A step of the protocol, where and when it happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TraceEvent {
    /// This node.
    pub peer: PeerId,
    /// When the step was told.
    pub at: WallTime,
    /// What happened.
    pub step: Trace,
}

/// Is told of every step. Called on the task of the protocol: it must be quick and must not wait. Every closure that takes a
/// [`TraceEvent`] is a sink.
pub trait TraceSink: Send + Sync + 'static {
    /// A step happened.
    fn trace(&self, event: &TraceEvent);
}

impl<F: Fn(&TraceEvent) + Send + Sync + 'static> TraceSink for F {
    fn trace(&self, event: &TraceEvent) {
        self(event);
    }
}

impl TraceEvent {
    pub(crate) fn new(peer: PeerId, at: WallTime, step: Trace) -> Self {
        Self { peer, at, step }
    }

    /// As JSON, by the names of go-libp2p's `TraceEvent`, so that its tools read it: bytes are base64, the time is in
    /// nanoseconds since 1970.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (kind, field, mut body) = step(&self.step);
        if let Trace::RecvRpc { rpc, .. } | Trace::SendRpc { rpc, .. } | Trace::DropRpc { rpc, .. } =
            &self.step
        {
            body["meta"] = meta(rpc);
        }
        json!({"type": kind, "peerID": peer(&self.peer), "timestamp": self.at.0, field: body})
    }
}

/// The name of a kind of steps, the field that its body stands in, and the body.
fn step(step: &Trace) -> (&'static str, &'static str, Value) {
    match step {
        Trace::PublishMessage { id, topic } => (
            "PUBLISH_MESSAGE",
            "publishMessage",
            json!({"messageID": message(id), "topic": topic.as_str()}),
        ),
        Trace::RejectMessage {
            id,
            topic,
            from,
            reason,
        } => {
            let mut body = received(id, topic.as_str(), from);
            body["reason"] = reason.as_str().into();
            ("REJECT_MESSAGE", "rejectMessage", body)
        }
        Trace::DuplicateMessage { id, topic, from } => (
            "DUPLICATE_MESSAGE",
            "duplicateMessage",
            received(id, topic.as_str(), from),
        ),
        Trace::DeliverMessage { id, topic, from } => (
            "DELIVER_MESSAGE",
            "deliverMessage",
            received(id, topic.as_str(), from),
        ),
        Trace::AddPeer { peer: id, protocol } => (
            "ADD_PEER",
            "addPeer",
            json!({"peerID": peer(id), "proto": protocol.as_str()}),
        ),
        Trace::RemovePeer { peer: id } => ("REMOVE_PEER", "removePeer", json!({"peerID": peer(id)})),
        Trace::RecvRpc { from, .. } => ("RECV_RPC", "recvRPC", json!({"receivedFrom": peer(from)})),
        Trace::SendRpc { to, .. } => ("SEND_RPC", "sendRPC", json!({"sendTo": peer(to)})),
        Trace::DropRpc { to, .. } => ("DROP_RPC", "dropRPC", json!({"sendTo": peer(to)})),
        Trace::Join { topic } => ("JOIN", "join", json!({"topic": topic.as_str()})),
        Trace::Leave { topic } => ("LEAVE", "leave", json!({"topic": topic.as_str()})),
        Trace::Graft { peer, topic } => ("GRAFT", "graft", link(peer, topic.as_str())),
        Trace::Prune { peer, topic } => ("PRUNE", "prune", link(peer, topic.as_str())),
    }
}

fn peer(peer: &PeerId) -> String {
    BASE64.encode(peer.as_bytes())
}

fn message(id: &MessageId) -> String {
    BASE64.encode(id.as_bytes())
}

fn messages(ids: &[MessageId]) -> Vec<String> {
    ids.iter().map(message).collect()
}

fn received(id: &MessageId, topic: &str, from: &PeerId) -> Value {
    json!({"messageID": message(id), "topic": topic, "receivedFrom": peer(from)})
}

fn link(id: &PeerId, topic: &str) -> Value {
    json!({"peerID": peer(id), "topic": topic})
}

fn meta(rpc: &RpcTrace) -> Value {
    let published = rpc.messages.iter();
    let published = published.map(|(id, topic)| json!({"messageID": message(id), "topic": topic}));
    let told = rpc.subscriptions.iter();
    let told = told.map(|sub| json!({"subscribe": sub.subscribe, "topic": sub.topic.as_str()}));
    let mut meta = json!({
        "messages": published.collect::<Vec<_>>(),
        "subscription": told.collect::<Vec<_>>(),
    });
    if !rpc.control.is_empty() {
        meta["control"] = control(rpc);
    }
    meta
}

fn control(rpc: &RpcTrace) -> Value {
    let control = &rpc.control;
    let ihave = control.ihave.iter();
    let ihave = ihave.map(|ihave| json!({"topic": ihave.topic.as_str(), "messageIDs": messages(&ihave.ids)}));
    let graft = control.graft.iter();
    let graft = graft.map(|topic| json!({"topic": topic.as_str()}));
    let prune = control.prune.iter().map(|prune| {
        let peers: Vec<_> = prune.peers.iter().map(|other| peer(&other.peer)).collect();
        json!({"topic": prune.topic.as_str(), "peers": peers})
    });
    // go lists the messages that carry ids, each with its ids; of ours there is one.
    let ids = |ids: &[MessageId]| match ids {
        [] => Vec::new(),
        ids => vec![json!({"messageIDs": messages(ids)})],
    };
    json!({
        "ihave": ihave.collect::<Vec<_>>(),
        "iwant": ids(&control.iwant),
        "graft": graft.collect::<Vec<_>>(),
        "prune": prune.collect::<Vec<_>>(),
        "idontwant": ids(&control.idontwant),
    })
}
