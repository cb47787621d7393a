//! What happens, for whoever wants to see every step: the events of go-libp2p's trace.

use bytes::Bytes;
use sinew_floodsub::{Control, Message, MessageId, MessageIdFn, News, Rpc, SignatureError, SubOpts, Topic};
use sinew_identity::PeerId;
use sinew_machine::ProtocolId;
use sinew_wire::varint;

/// What a machine tells besides answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// News of the topics that are followed.
    News(News),
    /// A step, if steps are traced.
    Trace(Box<Trace>),
}

impl From<News> for Notice {
    fn from(news: News) -> Self {
        Self::News(news)
    }
}

/// A step of the protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Trace {
    /// We publish a message.
    PublishMessage {
        /// Its id.
        id: MessageId,
        /// Its topic.
        topic: Topic,
    },
    /// A message goes no further.
    RejectMessage {
        /// Its id.
        id: MessageId,
        /// Its topic.
        topic: Topic,
        /// Who sent it.
        from: PeerId,
        /// Why.
        reason: RejectReason,
    },
    /// A message came that is known.
    DuplicateMessage {
        /// Its id.
        id: MessageId,
        /// Its topic.
        topic: Topic,
        /// Who sent it.
        from: PeerId,
    },
    /// A message was accepted.
    DeliverMessage {
        /// Its id.
        id: MessageId,
        /// Its topic.
        topic: Topic,
        /// Who sent it first.
        from: PeerId,
    },
    /// A peer takes frames from now on.
    AddPeer {
        /// The peer.
        peer: PeerId,
        /// What it speaks.
        protocol: ProtocolId,
    },
    /// A peer takes no more frames.
    RemovePeer {
        /// The peer.
        peer: PeerId,
    },
    /// An RPC came.
    RecvRpc {
        /// From whom.
        from: PeerId,
        /// What it says.
        rpc: RpcTrace,
    },
    /// An RPC is written.
    SendRpc {
        /// To whom.
        to: PeerId,
        /// What it says.
        rpc: RpcTrace,
    },
    /// A message was not sent: too much waits for the peer, or it did not take it in time.
    DropRpc {
        /// To whom.
        to: PeerId,
        /// What it says.
        rpc: RpcTrace,
    },
    /// We follow a topic from now on.
    Join {
        /// The topic.
        topic: Topic,
    },
    /// We follow a topic no more.
    Leave {
        /// The topic.
        topic: Topic,
    },
    /// A peer comes into the mesh of a topic.
    Graft {
        /// The peer.
        peer: PeerId,
        /// The topic.
        topic: Topic,
    },
    /// A peer leaves the mesh of a topic.
    Prune {
        /// The peer.
        peer: PeerId,
        /// The topic.
        topic: Topic,
    },
}

/// What an RPC says, without the data of its messages.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RpcTrace {
    /// Its messages by id and topic.
    pub messages: Vec<(MessageId, String)>,
    /// What its sender joined and left.
    pub subscriptions: Vec<SubOpts>,
    /// The rest.
    pub control: Control,
}

/// Why a message goes no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RejectReason {
    /// Who sent it is blocked.
    BlockedPeer,
    /// Who wrote it is blocked.
    BlockedSource,
    /// It lacks what the policy asks for.
    MissingSignature,
    /// It has what the policy forbids.
    UnexpectedSignature,
    /// Its signature is none.
    InvalidSignature,
    /// Too many wait to be validated.
    QueueFull,
    /// Its sender is refused while too many wait.
    Throttled,
    /// The application rejected it.
    Failed,
    /// The application ignored it, or its number is an old one.
    Ignored,
    /// We wrote it.
    SelfOrigin,
    /// It is longer than its topic allows.
    TooLong,
}

impl RejectReason {
    /// go-libp2p's words, where it has the reason too.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlockedPeer => "blacklisted peer",
            Self::BlockedSource => "blacklisted source",
            Self::MissingSignature => "missing signature",
            Self::UnexpectedSignature => "unexpected signature",
            Self::InvalidSignature => "invalid signature",
            Self::QueueFull => "validation queue full",
            Self::Throttled => "validation throttled",
            Self::Failed => "validation failed",
            Self::Ignored => "validation ignored",
            Self::SelfOrigin => "self originated message",
            Self::TooLong => "message too long",
        }
    }

    pub(super) fn of(error: &SignatureError) -> Self {
        match error {
            SignatureError::Missing(_) => Self::MissingSignature,
            SignatureError::Unexpected(_) => Self::UnexpectedSignature,
            _ => Self::InvalidSignature,
        }
    }
}

/// Collects the steps of one input. Nothing is made if nobody wants them.
pub(super) struct Tracer {
    on: bool,
    message_id: MessageIdFn,
    steps: Vec<Trace>,
}

impl Tracer {
    pub(super) fn new(message_id: MessageIdFn) -> Self {
        Self {
            on: false,
            message_id,
            steps: Vec::new(),
        }
    }

    pub(super) fn start(&mut self) {
        self.on = true;
    }

    pub(super) fn add(&mut self, step: impl FnOnce() -> Trace) {
        if self.on {
            self.steps.push(step());
        }
    }

    /// A message of a known topic goes no further.
    pub(super) fn rejected(&mut self, from: PeerId, message: &Message, reason: RejectReason) {
        if self.on
            && let Ok(topic) = message.topic().parse()
        {
            let id = (self.message_id)(message);
            self.steps.push(Trace::RejectMessage {
                id,
                topic,
                from,
                reason,
            });
        }
    }

    pub(super) fn received(&mut self, from: PeerId, rpc: &Rpc) {
        if self.on {
            let rpc = self.rpc(rpc);
            self.steps.push(Trace::RecvRpc { from, rpc });
        }
    }

    /// A frame leaves.
    pub(super) fn sent(&mut self, to: PeerId, frame: &Bytes) {
        if let Some(rpc) = self.frame(frame) {
            self.steps.push(Trace::SendRpc { to, rpc });
        }
    }

    /// A frame does not leave.
    pub(super) fn dropped(&mut self, to: PeerId, frame: &Bytes) {
        if let Some(rpc) = self.frame(frame) {
            self.steps.push(Trace::DropRpc { to, rpc });
        }
    }

    /// What a frame of ours says, if anybody wants to know.
    fn frame(&self, frame: &Bytes) -> Option<RpcTrace> {
        if !self.on {
            return None;
        }
        let (_, prefix) = varint::decode(frame).ok()??;
        let rpc = Rpc::decode(&frame.slice(prefix..)).ok()?;
        Some(self.rpc(&rpc))
    }

    fn rpc(&self, rpc: &Rpc) -> RpcTrace {
        let messages = rpc.publish.iter();
        RpcTrace {
            messages: messages
                .map(|message| ((self.message_id)(message), message.topic().to_owned()))
                .collect(),
            subscriptions: rpc.subscriptions.clone(),
            control: rpc.control.clone(),
        }
    }

    /// Takes out the steps since it was last asked.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Notice> {
        let steps = std::mem::take(&mut self.steps).into_iter();
        steps.map(|step| Notice::Trace(Box::new(step)))
    }
}
