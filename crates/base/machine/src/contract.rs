//! The contract between a machine whose decisions go across peers and the driver that runs it.

use crate::{CallId, CloseCode, Instant, StreamKey, Token};
use bytes::Bytes;
use sinew_identity::PeerId;
use std::{net::IpAddr, sync::Arc};

/// Decisions of a protocol across peers, without clock, entropy, or input and output.
///
/// The driver calls [`handle`](Self::handle) with one input after the other and carries out the effects in their order;
/// when the [`deadline`](Self::deadline) has come it gives [`Input::Timeout`].
pub trait PeerMachine: Sized + Send + 'static {
    /// What a handle asks.
    type Command: Send + 'static;
    /// What it is answered.
    type Reply: Send + 'static;
    /// What a frame of an inbound stream says.
    type Message: Send + 'static;
    /// News for whoever wants them.
    type Event: Send + 'static;
    /// Work that is no decision: to verify, to validate.
    type Job: Send + 'static;
    /// What a job came to.
    type Output: Send + 'static;

    /// Takes in what happened, and appends to `out` what is to be done.
    fn handle(&mut self, now: Instant, input: InputOf<Self>, out: &mut EffectsOf<Self>);

    /// When it wants to be called again if nothing happens; asked after every [`handle`](Self::handle).
    fn deadline(&self) -> Option<Instant>;
}

/// An input of a machine.
pub type InputOf<M> =
    Input<<M as PeerMachine>::Command, <M as PeerMachine>::Message, <M as PeerMachine>::Output>;

/// The effects of a machine, in order.
pub type EffectsOf<M> =
    Vec<Effect<<M as PeerMachine>::Event, <M as PeerMachine>::Reply, <M as PeerMachine>::Job>>;

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input<C, M, O> {
    /// The deadline has come.
    Timeout,
    /// A handle asks; one [`Effect::Return`] is owed.
    Call {
        /// By which it is answered.
        call: CallId,
        /// What it asks.
        command: C,
    },
    /// How a peer is now. Several changes may come as one. Streams tell of their ends by themselves, before that or after it.
    Peer(PeerState),
    /// Something about a stream.
    Stream(StreamInput<M>),
    /// A job has ended.
    Ran {
        /// That of the job.
        token: Token,
        /// What it came to; `None` if it panicked.
        output: Option<O>,
    },
}

/// How a peer is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerState {
    /// The peer.
    pub peer: PeerId,
    /// Whether there is a connection to it.
    pub connected: bool,
    /// Whether it is known to speak one of the machine's protocols.
    pub speaks: bool,
    /// Whether we opened one of its connections; limited ones do not count.
    pub outbound: bool,
    /// The addresses that its connections come from or go to; limited ones do not count.
    pub ips: Arc<[IpAddr]>,
}

/// What happened to a stream. Inbound ones are read, outbound ones written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamInput<M> {
    /// A stream was opened. An outbound one has room for one frame.
    Opened {
        /// The stream.
        stream: StreamKey,
        /// Who is at the other end.
        peer: PeerId,
        /// Which of the machine's protocols is spoken, by its place in their list.
        protocol: usize,
        /// That of the [`Effect::Open`]; `None` for an inbound stream.
        token: Option<Token>,
    },
    /// An outbound stream was not opened.
    OpenFailed {
        /// That of the [`Effect::Open`].
        token: Token,
        /// Why.
        failure: Failure,
    },
    /// A frame came over an inbound stream.
    Message {
        /// The stream.
        stream: StreamKey,
        /// What it says.
        message: M,
    },
    /// What came over an inbound stream is no frame, or says nothing: it is being reset, and its peer is to blame. `Closed`
    /// still comes.
    Malformed {
        /// The stream.
        stream: StreamKey,
    },
    /// A frame left: there is room for one more.
    Writable {
        /// The stream.
        stream: StreamKey,
    },
    /// The stream has ended: exactly once for each that was opened, and nothing comes after it.
    Closed {
        /// The stream.
        stream: StreamKey,
    },
}

/// Why a stream was not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The peer does not speak any of the protocols.
    Unsupported,
    /// There is no connection, or it failed, or a limit refused the stream: it may work later.
    Failed,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect<E, R, J> {
    /// Open a stream over a connection that exists. Ends in one `Opened` or `OpenFailed`.
    Open {
        /// By which it is known again.
        token: Token,
        /// To whom.
        peer: PeerId,
    },
    /// Write a frame, with its length in front. Only where there is room for it.
    Send {
        /// The stream.
        stream: StreamKey,
        /// The frame.
        frame: Bytes,
    },
    /// Abort a stream. `Closed` still comes.
    Reset {
        /// The stream.
        stream: StreamKey,
        /// What the peer is told. [`PROTOCOL_VIOLATION`](crate::code::stream::PROTOCOL_VIOLATION) blames it for what came over
        /// its stream, and its connection pays for that.
        code: CloseCode,
    },
    /// Do some work beside. Ends in one [`Input::Ran`].
    Run {
        /// By which it is known again.
        token: Token,
        /// The work.
        job: J,
    },
    /// Say what the connections to a peer are worth, in place of what was said under the same tag before. For a peer that is
    /// not connected it counts as soon as it is.
    Keep {
        /// The peer.
        peer: PeerId,
        /// The reason, one name for each.
        tag: &'static str,
        /// How much.
        weight: Weight,
    },
    /// Answer a call.
    Return {
        /// The call.
        call: CallId,
        /// The answer.
        reply: R,
    },
    /// Tell whoever wants to know.
    Emit(E),
}

/// What a reason to keep the connections to a peer is worth, when some have to be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// Nothing: there is no such reason any more.
    None,
    /// So much; the peers whose reasons add up to least lose theirs first.
    Some(u32),
    /// They are not closed to make room, nor for being idle.
    Protect,
}
