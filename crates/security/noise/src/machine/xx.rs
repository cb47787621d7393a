//! The three messages of the XX pattern, without what libp2p puts into them.
//!
//! ```text
//! -> e                 no payload
//! <- e, ee, s, es      the responder's payload, encrypted
//! -> s, se             the initiator's payload, encrypted
//! ```

use std::{fmt, sync::Arc};

use sinew_crypto::x25519::Secret;
use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use super::{HandshakeError, primitives::Primitives};

/// spec: noise, Noise Protocol Name: the one cipher suite and pattern of libp2p.
const NAME: &str = "Noise_XX_25519_ChaChaPoly_SHA256";
/// What a message holds beside its payload at most: an ephemeral key, a sealed static key and a tag.
const OVERHEAD: usize = 32 + (32 + 16) + 16;

/// One side of an XX handshake.
pub struct Xx {
    state: Box<HandshakeState>,
    initiator: bool,
}

/// The keys of the transport phase, seen from one side.
pub struct Keys {
    /// Seals what this side sends.
    pub send: Zeroizing<[u8; 32]>,
    /// Opens what this side receives.
    pub receive: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Xx {
    /// A handshake with these private keys. Both sides must give the same prologue.
    ///
    /// The ephemeral key must be fresh: it is what makes the keys of this connection unlike those of any other.
    #[must_use]
    pub fn new(initiator: bool, static_key: &Arc<Secret>, ephemeral: Secret, prologue: &[u8]) -> Self {
        let primitives = Primitives {
            static_key: Arc::clone(static_key),
            ephemeral: Arc::new(ephemeral),
        };
        let name = NAME.parse().expect("the name of the protocol is well formed");
        let state = Builder::with_resolver(name, Box::new(primitives))
            .local_private_key(static_key.as_bytes())
            .and_then(|builder| builder.prologue(prologue))
            .and_then(|builder| {
                if initiator {
                    builder.build_initiator()
                } else {
                    builder.build_responder()
                }
            })
            .expect("the resolver knows the suite, and each key is given once");
        Self {
            state: Box::new(state),
            initiator,
        }
    }

    /// The next message with `payload`, behind its length, ready to be sent.
    ///
    /// # Errors
    /// When it is not our turn, or the payload does not fit into a message.
    pub fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let mut frame = vec![0; 2 + OVERHEAD + payload.len()];
        let len = self.state.write_message(payload, &mut frame[2..])?;
        frame.truncate(2 + len);
        let len = u16::try_from(len).map_err(|_| snow::Error::Input)?;
        frame[..2].copy_from_slice(&len.to_be_bytes());
        Ok(frame)
    }

    /// The payload of the message that the other side sent.
    ///
    /// # Errors
    /// When it is not the other side's turn, or the message is not what the pattern asks for.
    pub fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let mut payload = vec![0; message.len()];
        let len = self.state.read_message(message, &mut payload)?;
        payload.truncate(len);
        Ok(payload)
    }

    /// The other side's static key, once its message has brought it.
    #[must_use]
    pub fn remote_static(&self) -> Option<&[u8; 32]> {
        self.state.get_remote_static()?.first_chunk()
    }

    /// The hash of all that was said so far; equal on both sides at the end.
    #[must_use]
    pub fn hash(&self) -> &[u8] {
        self.state.get_handshake_hash()
    }

    /// The keys of the transport phase, once all three messages went by.
    #[must_use]
    pub fn split(&mut self) -> Option<Keys> {
        if !self.state.is_handshake_finished() {
            return None;
        }
        let (first, second) = self.state.dangerously_get_raw_split();
        let (first, second) = (Zeroizing::new(first), Zeroizing::new(second));
        Some(if self.initiator {
            Keys {
                send: first,
                receive: second,
            }
        } else {
            Keys {
                send: second,
                receive: first,
            }
        })
    }
}

impl fmt::Debug for Xx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Xx")
            .field("initiator", &self.initiator)
            .finish_non_exhaustive()
    }
}
