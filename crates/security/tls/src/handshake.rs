//! The handshake over a byte stream: rustls decides, records go in one by one.

mod connection;
mod error;
mod outgoing;

use std::{future::poll_fn, io, pin::Pin, task::Poll};

use outgoing::Outgoing;
use rustls::{
    Error,
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus},
};
use sinew_core::{BoxedIo, SecurityError};
use sinew_identity::PublicKey;
use sinew_machine::Culpable;
use sinew_wire::Buffer;
use tokio_util::io::poll_read_buf;

pub(crate) use connection::Connection;
pub use error::HandshakeError;

use crate::{
    certificate::peer_key,
    record::{self, Inbound, Opening, Outbound, ROOM, Schedule, Sealing},
    verifier::Verifier,
};

/// Bytes of handshake records that rustls is shown and cannot use up. The largest honest flight, with an RSA identity and an RSA
/// certificate of 8,192 bits each, takes 8 KiB.
const MAX_FLIGHT: usize = 32 * 1024;

/// What a handshake leads to.
pub(crate) struct Outcome {
    pub(crate) key: PublicKey,
    /// The application protocol that was agreed on.
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
    pub(crate) schedule: Box<dyn Schedule>,
}

/// What has to be done for a handshake to go on.
enum Next {
    Again,
    Receive,
    Done,
}

/// Runs a handshake to its end.
pub(crate) async fn run<C: Connection>(
    mut tls: C,
    verifier: &Verifier,
    io: &mut BoxedIo,
) -> Result<Outcome, SecurityError> {
    let mut incoming = Buffer::new();
    // How much of what came rustls has been shown: whole records and no more, so that it opens none with text.
    let mut shown = 0;
    let mut outgoing = Outgoing::default();
    loop {
        let (used, next) = step(&mut tls, &mut incoming.unread_mut()[..shown], &mut outgoing);
        incoming.take(used);
        shown -= used;
        match next {
            Ok(Next::Again) => {}
            Ok(Next::Receive) => {
                let sealed = tls.state().negotiated_key_exchange_group().is_some();
                shown = loop {
                    match record::end_of_record(incoming.unread(), shown, sealed).map_err(broken)? {
                        Some(end) if end > MAX_FLIGHT => return Err(broken(HandshakeError::TooLong)),
                        Some(end) => break end,
                        None => receive(io, &mut incoming, &mut outgoing).await?,
                    }
                };
            }
            Ok(Next::Done) => {
                outgoing.send(io).await?;
                return finish(tls, incoming);
            }
            Err(error) => {
                tell(&mut tls, io, outgoing).await;
                return Err(refused(verifier, error));
            }
        }
    }
}

/// One step of rustls over the bytes of whole records; says how many of them are used up.
fn step<C: Connection>(
    tls: &mut C,
    records: &mut [u8],
    outgoing: &mut Outgoing,
) -> (usize, Result<Next, Error>) {
    let UnbufferedStatus { discard, state } = tls.process(records);
    let next = state.map(|state| match state {
        ConnectionState::EncodeTlsData(mut data) => {
            encode(&mut data, outgoing);
            Next::Again
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done(); // sent while we wait for the answer
            Next::Again
        }
        ConnectionState::BlockedHandshake => Next::Receive,
        // Only whole handshake records are shown, so nothing else is ahead of the first text.
        _ => Next::Done,
    });
    (discard, next)
}

fn encode<D>(data: &mut EncodeTlsData<'_, D>, outgoing: &mut Outgoing) {
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        let room = outgoing.room(size.required_size);
        data.encode(room).expect("there is as much room as it asked for");
    }
}

/// Reads, and meanwhile sends what waits: the other side may read nothing before it is rid of its own bytes.
async fn receive(
    io: &mut BoxedIo,
    incoming: &mut Buffer,
    outgoing: &mut Outgoing,
) -> Result<(), SecurityError> {
    let received = poll_fn(|cx| {
        let sent = outgoing.poll_send(io, cx);
        // What the other side said last tells more than that it does not listen any more.
        if let received @ Poll::Ready(_) = poll_read_buf(Pin::new(&mut *io), cx, incoming.room(ROOM)) {
            return received;
        }
        incoming.rest();
        match sent {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Pending,
        }
    });
    match received.await? {
        0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        _ => Ok(()),
    }
}

/// Tells the other side why the handshake ends, as well as that goes.
async fn tell<C: Connection>(tls: &mut C, io: &mut BoxedIo, mut outgoing: Outgoing) {
    // rustls gives out what it has before it looks at records again.
    while tls.state().wants_write() {
        let _ = step(tls, &mut [], &mut outgoing);
    }
    let _ = outgoing.send(io).await;
}

fn finish<C: Connection>(tls: C, incoming: Buffer) -> Result<Outcome, SecurityError> {
    let local = |error: Error| SecurityError::Local(Box::new(error));
    let state = tls.state();
    let key = peer_key(state.peer_certificates().unwrap_or_default())?;
    let alpn = state.alpn_protocol().map(<[u8]>::to_vec);
    let suite = state.negotiated_cipher_suite().and_then(|suite| suite.tls13());
    let suite = suite.ok_or(Error::HandshakeNotComplete).map_err(local)?;
    let (secrets, schedule) = tls.into_keys().map_err(local)?;
    Ok(Outcome {
        key,
        alpn,
        inbound: Inbound::new(Opening::new(secrets.rx), incoming),
        outbound: Outbound::new(Sealing::new(suite, secrets.tx)),
        schedule,
    })
}

fn refused(verifier: &Verifier, error: Error) -> SecurityError {
    match (verifier.refusal(), error) {
        (Some(refusal), _) => refusal.into(),
        (None, Error::AlertReceived(alert)) => {
            let refused = HandshakeError::Refused(alert);
            io::Error::new(io::ErrorKind::ConnectionAborted, refused).into()
        }
        (None, error @ (Error::FailedToGetRandomBytes | Error::FailedToGetCurrentTime)) => {
            SecurityError::Local(Box::new(error))
        }
        (None, error) => broken(HandshakeError::Tls(error)),
    }
}

fn broken(error: impl Culpable) -> SecurityError {
    SecurityError::Handshake(Box::new(error))
}
