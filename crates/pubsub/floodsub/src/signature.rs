//! Who signs, who has to have signed, and whether a signature is one.

use crate::Message;
use sinew_identity::{KeyError, PeerId, PeerIdError, PublicKey};
use sinew_machine::{Blame, Culpable};
use thiserror::Error;

/// Whether messages are signed, and what is asked of those of others.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SignaturePolicy {
    /// Sign, and take signed messages only.
    #[default]
    StrictSign,
    /// Publish without author and signature, and take such messages only.
    StrictNoSign,
    /// Sign, and take unsigned messages too. For old networks: anybody can write in anybody's name.
    LaxSign,
    /// Publish without author and signature, and take signed messages too, if they are signed well. For old networks.
    LaxNoSign,
}

/// Why a message is not taken.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// A field is absent that the policy asks for.
    #[error("a message without {0}")]
    Missing(&'static str),
    /// A field is there that the policy forbids.
    #[error("a message with {0}, where none are signed")]
    Unexpected(&'static str),
    /// The sequence number has a length other than eight.
    #[error("a sequence number of {0} bytes, not 8")]
    Seqno(usize),
    /// The author is no peer id.
    #[error("author of a message: {0}")]
    Author(#[source] PeerIdError),
    /// The key is none.
    #[error("key of a message: {0}")]
    Key(#[source] KeyError),
    /// There is no key, and the author's id holds none.
    #[error("a message of {0} without the key of its author")]
    NoKey(PeerId),
    /// The key is not that of the author.
    #[error("a message of {0} with another peer's key")]
    ForeignKey(PeerId),
    /// The signature is not one of the author over this message.
    #[error("{0} did not sign this")]
    Invalid(PeerId),
}

impl Culpable for SignatureError {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

impl SignaturePolicy {
    /// Whether messages are published with author and signature.
    #[must_use]
    pub fn signs(self) -> bool {
        matches!(self, Self::StrictSign | Self::LaxSign)
    }

    /// Whether a message of somebody has the fields that it must have, and none that it must not. Cheap: no signature is
    /// looked at.
    ///
    /// # Errors
    /// [`SignatureError`] where it has not.
    pub fn admit(self, message: &Message) -> Result<(), SignatureError> {
        match self {
            Self::StrictSign => all_present(message),
            Self::StrictNoSign => all_absent(message),
            Self::LaxSign | Self::LaxNoSign => Ok(()),
        }
    }

    /// Whether a message of somebody may go on: it has the right fields, and is signed well where it is signed at all.
    ///
    /// # Errors
    /// [`SignatureError`] where it may not.
    pub fn check(self, message: &Message) -> Result<(), SignatureError> {
        self.admit(message)?;
        // spec: pubsub, Signature Policy Options: under the lax ones a signature is verified if there is one.
        match message.signature() {
            Some(signature) => verify(message, signature),
            None => Ok(()),
        }
    }
}

// spec: pubsub, `StrictSign`: the fields have to be present. The key may be absent where `from` holds it.
fn all_present(message: &Message) -> Result<(), SignatureError> {
    message.signature().ok_or(SignatureError::Missing("signature"))?;
    message.from().ok_or(SignatureError::Missing("author"))?;
    let seqno = message
        .seqno()
        .ok_or(SignatureError::Missing("sequence number"))?;
    // spec: pubsub, The Message: a big-endian number of 64 bits. rust and js refuse others, and would hold against us
    // that we hand them on.
    if seqno.len() == 8 {
        Ok(())
    } else {
        Err(SignatureError::Seqno(seqno.len()))
    }
}

// spec: pubsub, `StrictNoSign`: the fields have to be absent.
fn all_absent(message: &Message) -> Result<(), SignatureError> {
    let fields = [
        (message.signature(), "a signature"),
        (message.key(), "a key"),
        (message.from(), "an author"),
        (message.seqno(), "a sequence number"),
    ];
    match fields.iter().find(|(value, _)| value.is_some()) {
        Some((_, name)) => Err(SignatureError::Unexpected(name)),
        None => Ok(()),
    }
}

fn verify(message: &Message, signature: &[u8]) -> Result<(), SignatureError> {
    let from = message.from().ok_or(SignatureError::Missing("author"))?;
    let author = PeerId::from_bytes(from).map_err(SignatureError::Author)?;
    let key = author_key(message, author)?;
    if key.verify(&message.signed_bytes(), signature) {
        Ok(())
    } else {
        Err(SignatureError::Invalid(author))
    }
}

// spec: pubsub, Message Signing: a key that is present has to match the author.
fn author_key(message: &Message, author: PeerId) -> Result<PublicKey, SignatureError> {
    let Some(key) = message.key() else {
        return author.public_key().ok_or(SignatureError::NoKey(author));
    };
    let key = PublicKey::from_protobuf(key).map_err(SignatureError::Key)?;
    if key.peer_id() == author {
        Ok(key)
    } else {
        Err(SignatureError::ForeignKey(author))
    }
}
