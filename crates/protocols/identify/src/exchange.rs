//! The conversations: asking, answering, pushing, and reading a push.

use crate::{IdentifyError, Message, MessageError, PROTOCOL, PUSH_PROTOCOL, message::Reading};
use bytes::Bytes;
use sinew_core::{Connection, OpenError, OpenOptions, PeerId, Stream, code};
use sinew_runtime::{Elapsed, timeout};
use std::{io, time::Duration};

/// How a conversation on a stream failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Open(OpenError),
    TimedOut,
    Io(io::Error),
    Message(MessageError),
}

impl Failure {
    pub(crate) fn of(self, peer: PeerId, after: Duration) -> IdentifyError {
        match self {
            Self::Open(error) => error.into(),
            Self::TimedOut => IdentifyError::TimedOut { peer, after },
            Self::Io(error) => IdentifyError::Stream { peer, error },
            Self::Message(error) => IdentifyError::Message { peer, error },
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<MessageError> for Failure {
    fn from(error: MessageError) -> Self {
        Self::Message(error)
    }
}

impl From<Elapsed> for Failure {
    fn from(_: Elapsed) -> Self {
        Self::TimedOut
    }
}

/// Asks the remote of a connection who it is.
pub(crate) async fn ask(connection: &Connection, within: Duration) -> Result<Message, Failure> {
    // Nothing is sent but the name, so waiting for the agreement costs no round trip, and a refusal is known as such.
    let options = OpenOptions::default()
        .eager()
        .limited()
        .background()
        .timeout(within);
    let exchange = async {
        let stream = connection.open_with([PROTOCOL], options).await?;
        read(stream).await
    };
    timeout(within, exchange).await?
}

/// Reads what the remote of a push says.
pub(crate) async fn read_push(stream: Stream, within: Duration) -> Result<Message, Failure> {
    timeout(within, read(stream)).await?
}

async fn read(mut stream: Stream) -> Result<Message, Failure> {
    match read_message(&mut stream).await {
        Ok(message) => {
            // All is there; whether our end arrives matters to nobody.
            drop(stream.finish().await);
            Ok(message)
        }
        Err(Failure::Message(error)) => {
            stream.reset(code::stream::PROTOCOL_VIOLATION);
            Err(error.into())
        }
        Err(failure) => Err(failure),
    }
}

async fn read_message(stream: &mut Stream) -> Result<Message, Failure> {
    let mut reading = Reading::default();
    while let Some(chunk) = stream.read_chunk().await? {
        reading.receive(&chunk)?;
    }
    Ok(reading.finish()?)
}

/// Says who we are, and ends.
// spec: identify, identify: the peer that is asked sends its message and closes the stream.
pub(crate) async fn say(mut stream: Stream, message: Bytes, within: Duration) -> Result<(), Failure> {
    let exchange = async {
        stream.write_chunk(message).await?;
        stream.finish().await
    };
    Ok(timeout(within, exchange).await??)
}

/// Tells the remote of a connection what changed.
// spec: identify, identify/push: a stream to each peer that is told, one message, and its end.
pub(crate) async fn push(connection: &Connection, message: Bytes, within: Duration) -> Result<(), Failure> {
    let options = OpenOptions::default().limited().background().timeout(within);
    let exchange = async {
        let mut stream = connection.open_with([PUSH_PROTOCOL], options).await?;
        stream.write_chunk(message).await?;
        stream.finish().await?;
        // Until the remote has agreed and ended: a stream that is dropped earlier refuses its agreement, and over QUIC
        // rust-libp2p then drops the push with it. What it says instead of an end matters to nobody.
        drop(stream.read_to_end(0).await);
        Ok(())
    };
    timeout(within, exchange).await?
}
