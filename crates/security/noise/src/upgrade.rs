//! The secure upgrade: the handshake over a byte stream.

use std::{
    fmt,
    future::poll_fn,
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use sinew_core::{BoxedIo, Role, SecureRequest, SecureUpgrade, Secured, SecurityError};
use sinew_crypto::x25519::Secret;
use sinew_identity::{Signer, SigningError};
use sinew_machine::ProtocolId;
use sinew_wire::Buffer;
use tokio::io::AsyncWriteExt;
use tokio_util::io::poll_read_buf;

use crate::{
    channel::Channel,
    machine::{Handshake, HandshakeError, Inbound, Next, Outbound, Outcome, StaticKey, receive},
};

/// spec: noise, Negotiation: the name in multistream-select.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/noise");

/// The Noise secure upgrade of one identity.
///
/// The static key and its signature are made once and serve every connection; the ephemeral keys, which make
/// connections independent of each other, are fresh each time.
#[derive(Clone)]
pub struct Noise {
    local: StaticKey,
}

impl Noise {
    /// Makes a static key and has it signed.
    ///
    /// # Errors
    /// When the signer cannot sign.
    pub fn new(signer: &dyn Signer) -> Result<Self, SigningError> {
        let local = StaticKey::new(Secret::generate(), signer)?;
        Ok(Self { local })
    }
}

impl fmt::Debug for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Noise").finish_non_exhaustive()
    }
}

#[async_trait]
impl SecureUpgrade for Noise {
    fn protocol(&self) -> ProtocolId {
        PROTOCOL
    }

    async fn secure(&self, mut io: BoxedIo, request: SecureRequest) -> Result<Secured, SecurityError> {
        let initiator = request.role == Role::Dialer;
        let ephemeral = Secret::generate();
        let handshake = Handshake::new(
            initiator,
            &self.local,
            ephemeral,
            request.expected,
            request.muxers,
        );
        let mut received = Buffer::new();
        let outcome = run(handshake, &mut io, &mut received).await?;
        tracing::debug!(peer = %outcome.peer, muxer = ?outcome.muxer, "noise handshake done");
        let inbound = Inbound::new(&outcome.keys.receive, received);
        let outbound = Outbound::new(&outcome.keys.send);
        let io = Box::new(Channel::new(io, inbound, outbound));
        Ok(Secured::new(io, outcome.key, outcome.muxer))
    }
}

async fn run(
    mut handshake: Handshake,
    io: &mut BoxedIo,
    received: &mut Buffer,
) -> Result<Outcome, SecurityError> {
    loop {
        match handshake.proceed().map_err(refused)? {
            Next::Send(frame) => {
                io.write_all(&frame).await?;
                io.flush().await?;
            }
            Next::Receive { max } => {
                let frame = read_frame(io, received, max).await?;
                let message = &mut received.unread_mut()[frame.clone()];
                handshake.receive(message).map_err(refused)?;
                received.take(frame.end);
            }
            Next::Done(outcome) => return Ok(*outcome),
        }
    }
}

/// Reads until a frame is there. What arrives behind it stays in `received`.
async fn read_frame(
    io: &mut BoxedIo,
    received: &mut Buffer,
    max: usize,
) -> Result<Range<usize>, SecurityError> {
    loop {
        if let Some(len) = receive::announced(received.unread()).filter(|&len| len > max) {
            return Err(refused(HandshakeError::TooLong { len, max }));
        }
        if let Some(frame) = receive::frame(received.unread()) {
            return Ok(frame);
        }
        if poll_fn(|cx| poll_receive(io, received, cx)).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// Reads what there is, and says how much; whoever waits holds no memory.
fn poll_receive(io: &mut BoxedIo, received: &mut Buffer, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let read = poll_read_buf(Pin::new(io), cx, received.room(receive::LARGEST));
    if read.is_pending() {
        received.rest();
    }
    read
}

fn refused(error: HandshakeError) -> SecurityError {
    match error {
        HandshakeError::WrongPeer { expected, actual } => SecurityError::WrongPeer { expected, actual },
        error => SecurityError::Handshake(Box::new(error)),
    }
}
