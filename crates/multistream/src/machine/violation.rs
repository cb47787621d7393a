//! What can be wrong in a negotiation: what a peer sent, or what we were asked to propose.

use sinew_machine::{Blame, Culpable, ProtocolId};
use thiserror::Error;

/// A rule of multistream-select that the remote side broke. The negotiation is over with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Violation {
    /// The first message was something else than `/multistream/1.0.0`.
    #[error("the first message is not the multistream-select header")]
    Header,
    /// A length is zero, or not the shortest encoding of its value.
    #[error("the length of a message is not a minimal varint above zero")]
    Length,
    /// A message is announced that is longer than its receiver takes.
    #[error("a message is announced that is longer than any protocol's name")]
    TooLong,
    /// A message does not end in a newline, or holds one before its end.
    #[error("a message is not ended by its only newline")]
    Newline,
    /// A message is not UTF-8.
    #[error("a message is not valid UTF-8")]
    Utf8,
    /// A proposal was answered by neither itself nor `na`.
    #[error("a proposal was answered by something else")]
    Answer,
    /// A list of protocols does not follow its own lengths, or holds too many names.
    #[error("a list of protocols is malformed")]
    List,
    /// More messages came than one negotiation may take: [`MAX_MESSAGES`](super::MAX_MESSAGES).
    #[error("more messages came than one negotiation may take")]
    TooManyMessages,
    /// More bytes were exchanged than one negotiation may take: [`MAX_BYTES`](super::MAX_BYTES).
    #[error("more bytes were exchanged than one negotiation may take")]
    TooManyBytes,
}

impl Culpable for Violation {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// Why a dialler cannot propose what it was told to.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Unsendable {
    /// There is nothing to propose.
    #[error("there is no protocol to propose")]
    Nothing,
    /// A name that multistream-select cannot carry: it is longer than [`MAX_MESSAGE`](super::MAX_MESSAGE) with its newline,
    /// holds a newline, or does not begin with a slash (rust-libp2p reads no other, and `na` and `ls` mean something).
    #[error("{0:?} cannot be proposed")]
    Name(ProtocolId),
}

impl Culpable for Unsendable {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}
