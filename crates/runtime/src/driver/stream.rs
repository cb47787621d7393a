//! The task of a stream: reads frames of an inbound one, writes those of an outbound one.

use super::{CloseCode, Ended, Failure, Malformed, OpenError, OpenOptions, PeerId, Shared, Shell};
use crate::timeout;
use bytes::{Bytes, BytesMut};
use sinew_core::{Host, Stream, code};
use sinew_machine::{PeerMachine, StreamInput, StreamKey, Token};
use sinew_wire::Frames;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How long a peer has to take the rest of a stream that ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long a peer has to make room for a frame, as in go-libp2p: who reads nothing is not one to wait for.
const ROOM: Duration = Duration::from_secs(30);

/// What a stream is told to do.
pub(super) enum Order {
    Send(Bytes),
    Reset(CloseCode),
}

/// A stream that the machine knows of, as its task holds it.
pub(super) struct Ends {
    pub(super) stream: StreamKey,
    pub(super) orders: mpsc::Receiver<Order>,
}

/// Room for one frame, and for a reset behind it.
pub(super) fn orders() -> (mpsc::Sender<Order>, mpsc::Receiver<Order>) {
    mpsc::channel(2)
}

/// Serves an inbound stream until it ends.
pub(super) async fn read<M: PeerMachine, S: Shell<M>>(
    shared: Arc<Shared<M, S>>,
    mut stream: Stream,
    protocol: usize,
) {
    let Ok(mut ends) = shared.opened(stream.peer(), protocol, None).await else {
        return;
    };
    let ended = tokio::select! {
        ended = frames(&shared, &mut stream, ends.stream) => ended,
        code = reset(&mut ends.orders) => Err(code),
    };
    match ended {
        // The other side has said all; nothing was to be said by us.
        Ok(()) => finish(stream).await,
        Err(code) => stream.reset(code),
    }
    let closed = StreamInput::Closed { stream: ends.stream };
    let _ = shared.bring_stream(closed).await;
}

/// Brings the frames of a stream, until its end or an error, which has a code.
async fn frames<M: PeerMachine, S: Shell<M>>(
    shared: &Shared<M, S>,
    stream: &mut Stream,
    key: StreamKey,
) -> Result<(), CloseCode> {
    let frames = Frames::new(shared.shell.max_frame());
    let mut buffer = BytesMut::new();
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        // A chunk that begins a frame is taken as it is, so that what fits into one is not copied.
        if buffer.is_empty() {
            buffer = BytesMut::from(chunk);
        } else {
            buffer.extend_from_slice(&chunk);
        }
        loop {
            let frame = frames.decode(&mut buffer);
            let frame = frame.map_err(|_| code::stream::PROTOCOL_VIOLATION)?;
            let Some(frame) = frame else { break };
            let message = shared.shell.decode(frame);
            let message = message.map_err(|Malformed| code::stream::PROTOCOL_VIOLATION)?;
            let input = StreamInput::Message { stream: key, message };
            let brought = shared.bring_stream(input).await;
            brought.map_err(|Ended| code::stream::SHUTDOWN)?;
        }
        if buffer.is_empty() {
            // Nothing is held while nothing comes.
            buffer = BytesMut::new();
        }
    }
    Ok(())
}

/// Ends our direction, if the peer takes that within a while.
async fn finish(mut stream: Stream) {
    // Whether it arrives matters to nobody.
    let _ = timeout(GOODBYE, stream.finish()).await;
}

/// Waits until the stream is to be reset.
async fn reset(orders: &mut mpsc::Receiver<Order>) -> CloseCode {
    loop {
        match orders.recv().await {
            Some(Order::Reset(code)) => return code,
            Some(Order::Send(_)) => tracing::error!("a machine writes to an inbound stream"),
            None => return code::stream::SHUTDOWN,
        }
    }
}

/// Opens an outbound stream, and writes what it is told until it ends.
pub(super) async fn open<M: PeerMachine, S: Shell<M>>(
    shared: Arc<Shared<M, S>>,
    host: Host,
    peer: PeerId,
    token: Token,
) {
    let (stream, protocol) = match try_open(&shared, &host, peer).await {
        Ok(opened) => opened,
        Err(failure) => {
            let failed = StreamInput::OpenFailed { token, failure };
            let _ = shared.bring_stream(failed).await;
            return;
        }
    };
    let Ok(mut ends) = shared.opened(peer, protocol, Some(token)).await else {
        return;
    };
    write(&shared, stream, &mut ends).await;
    let closed = StreamInput::Closed { stream: ends.stream };
    let _ = shared.bring_stream(closed).await;
}

async fn try_open<M: PeerMachine, S: Shell<M>>(
    shared: &Shared<M, S>,
    host: &Host,
    peer: PeerId,
) -> Result<(Stream, usize), Failure> {
    let connection = host.connection(&peer).ok_or(Failure::Failed)?;
    // Waits for the agreement, so that a refusal is known as such.
    let options = OpenOptions::default().eager();
    let opened = connection.open_with(shared.protocols.clone(), options).await;
    let stream = opened.map_err(|error| {
        tracing::debug!(%peer, %error, service = shared.shell.name(), "no stream");
        match error {
            OpenError::Negotiation { .. } => Failure::Unsupported,
            _ => Failure::Failed,
        }
    })?;
    let spoken = shared
        .protocols
        .iter()
        .position(|protocol| protocol == stream.protocol());
    Ok((stream, spoken.ok_or(Failure::Unsupported)?))
}

async fn write<M: PeerMachine, S: Shell<M>>(shared: &Shared<M, S>, mut stream: Stream, ends: &mut Ends) {
    loop {
        let order = tokio::select! {
            order = ends.orders.recv() => order,
            // Others end their direction at once, or never; what counts is whether they still read.
            _ = stream.reset_by_peer() => return,
        };
        match order {
            Some(Order::Send(frame)) => {
                let written = tokio::select! {
                    biased;
                    written = timeout(ROOM, stream.write_chunk(frame)) => written,
                    // Who does not read holds up neither a reset nor the end.
                    order = ends.orders.recv() => match order {
                        Some(Order::Reset(code)) => return stream.reset(code),
                        Some(Order::Send(_)) | None => return,
                    },
                };
                let writable = StreamInput::Writable { stream: ends.stream };
                if !matches!(written, Ok(Ok(()))) || shared.bring_stream(writable).await.is_err() {
                    return;
                }
            }
            Some(Order::Reset(code)) => return stream.reset(code),
            None => return finish(stream).await,
        }
    }
}
