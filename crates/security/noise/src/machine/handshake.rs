//! The libp2p handshake: XX, with the identities proven and a muxer agreed on.
//!
//! ```text
//! initiator:  Hello ──send──▶ Answer ──receive──▶ Closing ──send──▶ Done
//! responder:  Hello ─receive─▶ Answer ──send───▶ Closing ─receive─▶ Done
//! ```

use std::{fmt, sync::Arc};

use bytes::Bytes;
use sinew_crypto::x25519::Secret;
use sinew_identity::{PeerId, PublicKey, Signer, SigningError};
use sinew_machine::ProtocolId;

use super::{HandshakeError, Keys, Payload, Proof, Xx, muxer, payload};

/// The first message is a bare ephemeral key of 32 bytes; older peers may put a little beside it.
const MAX_HELLO: usize = 1024;
/// A payload, and the keys and tags around it.
const MAX_MESSAGE: usize = payload::MAX + 96;

/// A static Noise key with the identity's signature: made once, used for many handshakes.
#[derive(Clone)]
pub struct StaticKey {
    secret: Arc<Secret>,
    proof: Proof,
}

impl StaticKey {
    /// Binds `secret` to the identity.
    ///
    /// # Errors
    /// When the signer cannot sign.
    pub fn new(secret: Secret, signer: &dyn Signer) -> Result<Self, SigningError> {
        let proof = Proof::sign(signer, &secret.public())?;
        Ok(Self {
            secret: Arc::new(secret),
            proof,
        })
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKey").finish_non_exhaustive()
    }
}

/// One side of a handshake, without any input or output of its own.
#[derive(Debug)]
pub struct Handshake {
    xx: Xx,
    initiator: bool,
    step: Step,
    proof: Proof,
    expected: Option<PeerId>,
    muxers: Vec<ProtocolId>,
    remote: Option<Remote>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Hello,
    Answer,
    Closing,
    Done,
}

/// What the other side has proven.
#[derive(Debug)]
struct Remote {
    key: PublicKey,
    peer: PeerId,
    muxer: Option<ProtocolId>,
    certhashes: Vec<Bytes>,
}

/// What a handshake wants next.
#[derive(Debug)]
pub enum Next {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Hand the next message to [`Handshake::receive`]; one that announces more than `max` bytes is refused unread.
    Receive {
        /// The most bytes that the message may have.
        max: usize,
    },
    /// It is done.
    Done(Box<Outcome>),
}

/// What a handshake led to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The identity at the other end.
    pub key: PublicKey,
    /// Its peer id.
    pub peer: PeerId,
    /// The muxer that was agreed on, if both sides offered any.
    pub muxer: Option<ProtocolId>,
    /// Multihashes of the certificates that the other side uses for WebTransport.
    pub certhashes: Vec<Bytes>,
    /// The keys of the transport phase.
    pub keys: Keys,
}

impl Handshake {
    /// A handshake with a fresh `ephemeral` key, with the `expected` peer or with any. `muxers` are those that we
    /// speak, best first.
    #[must_use]
    pub fn new(
        initiator: bool,
        local: &StaticKey,
        ephemeral: Secret,
        expected: Option<PeerId>,
        muxers: Vec<ProtocolId>,
    ) -> Self {
        // spec: noise, The Noise Handshake: the prologue is empty.
        Self {
            xx: Xx::new(initiator, &local.secret, ephemeral, b""),
            initiator,
            step: Step::Hello,
            proof: local.proof.clone(),
            expected,
            muxers,
            remote: None,
        }
    }

    /// What to do next: call it until it is done.
    ///
    /// # Errors
    /// When our own message cannot be made.
    pub fn proceed(&mut self) -> Result<Next, HandshakeError> {
        let sends = self.initiator != (self.step == Step::Answer);
        Ok(match self.step {
            Step::Done => return self.outcome(),
            Step::Hello if !sends => Next::Receive { max: MAX_HELLO },
            _ if !sends => Next::Receive { max: MAX_MESSAGE },
            _ => Next::Send(self.send()?),
        })
    }

    /// Takes the message that was asked for, without the length in front.
    ///
    /// # Errors
    /// [`HandshakeError`]; the handshake is over then.
    pub fn receive(&mut self, message: &[u8]) -> Result<(), HandshakeError> {
        let payload = self.xx.read(message)?;
        // spec: noise, The libp2p Handshake Payload: nothing is taken from the first message, it has no secrecy.
        if self.step != Step::Hello {
            let payload = Payload::decode(payload)?;
            let static_key = self.xx.remote_static().ok_or(HandshakeError::Signature)?;
            payload.verify(static_key)?;
            self.remote = Some(self.accept(payload)?);
        }
        self.step = self.step.next();
        Ok(())
    }

    /// Whether a proven payload is one to go on with. An initiator decides before it tells who it is.
    fn accept(&self, payload: Payload) -> Result<Remote, HandshakeError> {
        let actual = payload.key.peer_id();
        if let Some(expected) = self.expected.filter(|&expected| expected != actual) {
            return Err(HandshakeError::WrongPeer { expected, actual });
        }
        let muxer = if self.initiator {
            muxer::choose(&self.muxers, &payload.muxers)?
        } else {
            muxer::chosen(&self.muxers, &payload.muxers)?
        };
        Ok(Remote {
            key: payload.key,
            peer: actual,
            muxer,
            certhashes: payload.certhashes,
        })
    }

    fn send(&mut self) -> Result<Vec<u8>, HandshakeError> {
        let payload = match self.step {
            // spec: noise, The libp2p Handshake Payload: the initiator's first message carries no extensions.
            Step::Hello => Vec::new(),
            Step::Answer => self.proof.payload(muxer::offer(&self.muxers)),
            _ => {
                let muxer = self.remote.as_ref().and_then(|remote| remote.muxer.as_ref());
                self.proof.payload(muxer.map_or(&[], std::slice::from_ref))
            }
        };
        self.step = self.step.next();
        self.xx.write(&payload)
    }

    fn outcome(&mut self) -> Result<Next, HandshakeError> {
        let (Some(remote), Some(keys)) = (self.remote.take(), self.xx.split()) else {
            return Err(snow::Error::State(snow::error::StateProblem::HandshakeAlreadyFinished).into());
        };
        Ok(Next::Done(Box::new(Outcome {
            key: remote.key,
            peer: remote.peer,
            muxer: remote.muxer,
            certhashes: remote.certhashes,
            keys,
        })))
    }
}

impl Step {
    fn next(self) -> Self {
        match self {
            Self::Hello => Self::Answer,
            Self::Answer => Self::Closing,
            Self::Closing | Self::Done => Self::Done,
        }
    }
}
