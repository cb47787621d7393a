//! `/sinew/test/echo/1.0.0`: served on every inbound stream, and driven by the echo, streams and reset commands.

use std::{
    convert::Infallible,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    AsyncReadExt, AsyncWriteExt, StreamExt, future,
    stream::{self, TryStreamExt},
};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, transport::PortUse, upgrade::ReadyUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, THandlerInEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedInbound},
    },
};
use libp2p_stream::Control;
use serde_json::{Value, json};

use crate::{
    data::{self, Digested},
    journal::Journal,
};

/// The protocol's name.
pub const ECHO: StreamProtocol = StreamProtocol::new("/sinew/test/echo/1.0.0");

/// Bytes read or written at once.
const CHUNK: usize = 16 * 1024;

/// Serves echo. `libp2p_stream` accepts streams too, but drops all but one of those that arrive together.
pub struct Behaviour {
    journal: Arc<Journal>,
}

impl Behaviour {
    /// A server that reports to this journal.
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler {
            journal: self.journal.clone(),
        })
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler {
            journal: self.journal.clone(),
        })
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// One connection's server.
pub struct Handler {
    journal: Arc<Journal>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(ECHO), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Infallible>> {
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) =
            event
        {
            tokio::spawn(serve(stream, self.journal.clone()));
        }
    }
}

async fn serve(mut stream: Stream, journal: Arc<Journal>) {
    let mut bytes = 0;
    match copy_back(&mut stream, &mut bytes).await {
        Ok(()) => journal.record("served", json!({ "bytes": bytes })),
        Err(error) => journal.record("reset", json!({ "bytes": bytes, "error": error.to_string() })),
    }
}

/// Echoes until the end. The library reads a reset as an end, and only a write tells them apart: so the last byte
/// is held back until the end was seen.
async fn copy_back(stream: &mut Stream, bytes: &mut u64) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut held = None;
    loop {
        let read = stream.read(&mut buffer).await?;
        *bytes += read as u64;
        if let Some(byte) = held.take() {
            stream.write_all(&[byte]).await?;
        }
        let Some((last, before)) = buffer[..read].split_last() else {
            break;
        };
        stream.write_all(before).await?;
        stream.flush().await?;
        held = Some(*last);
    }
    stream.close().await
}

async fn open(control: &mut Control, peer: PeerId) -> Result<Stream, String> {
    control
        .open_stream(peer, ECHO)
        .await
        .map_err(|e| format!("open: {e}"))
}

/// Sends `bytes` bytes, half-closes, and reads back until the end; begins to read after `pause`.
pub async fn echo(mut control: Control, peer: PeerId, bytes: u64, pause: Duration) -> Result<Value, String> {
    let stream = open(&mut control, peer).await?;
    let digested = exchange(stream, 0, bytes, pause)
        .await
        .map_err(|e| format!("echo: {e}"))?;
    Ok(json!({ "bytes": digested.bytes, "sha256": digested.hex() }))
}

/// Opens `count` streams, at most `at_once` at a time, and echoes `bytes` on each with a seed of its own.
pub async fn streams(
    control: Control,
    peer: PeerId,
    count: u64,
    at_once: usize,
    bytes: u64,
) -> Result<Value, String> {
    let one = |i: u64| {
        let mut control = control.clone();
        async move {
            let stream = open(&mut control, peer)
                .await
                .map_err(|e| format!("stream {i}: {e}"))?;
            let seed = i as u8;
            let digested = exchange(stream, seed, bytes, Duration::ZERO)
                .await
                .map_err(|e| format!("stream {i}: {e}"))?;
            if digested.bytes == bytes {
                Ok(())
            } else {
                Err(format!("stream {i}: {} bytes", digested.bytes))
            }
        }
    };
    stream::iter((0..count).map(one))
        .buffer_unordered(at_once)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(json!({ "streams": count }))
}

/// Opens `count` streams at once, has a byte echoed on each, and keeps those on which that went well until all are settled.
pub async fn crowd(control: Control, peer: PeerId, count: usize) -> Value {
    let settled = future::join_all((0..count).map(|_| held(control.clone(), peer))).await;
    let served = settled.iter().filter(|stream| stream.is_ok()).count();
    json!({ "served": served, "refused": count - served })
}

/// A stream that the other side serves until it ends. Some hold back the last byte, so there are two.
async fn held(mut control: Control, peer: PeerId) -> Result<Stream, String> {
    let mut stream = open(&mut control, peer).await?;
    let first = async {
        send(&mut stream, 0, 2).await?;
        stream.read_exact(&mut [0; 1]).await
    };
    first.await.map_err(|e| format!("held: {e}"))?;
    Ok(stream)
}

async fn exchange(stream: Stream, seed: u8, bytes: u64, pause: Duration) -> io::Result<Digested> {
    let (mut reader, mut writer) = stream.split();
    let send = async {
        send(&mut writer, seed, bytes).await?;
        writer.close().await
    };
    let receive = async {
        let mut digested = Digested::default();
        let mut buffer = vec![0; CHUNK];
        tokio::time::sleep(pause).await;
        loop {
            let read = reader.read(&mut buffer).await?;
            if read == 0 {
                return Ok(digested);
            }
            if !data::matches(seed, digested.bytes, &buffer[..read]) {
                return Err(io::Error::other(format!("wrong bytes after {}", digested.bytes)));
            }
            digested.update(&buffer[..read]);
        }
    };
    future::try_join(send, receive)
        .await
        .map(|((), digested)| digested)
}

async fn send(writer: &mut (impl AsyncWriteExt + Unpin), seed: u8, bytes: u64) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut sent = 0;
    while sent < bytes {
        let length = CHUNK.min(usize::try_from(bytes - sent).unwrap_or(CHUNK));
        data::fill(seed, sent, &mut buffer[..length]);
        writer.write_all(&buffer[..length]).await?;
        sent += length as u64;
    }
    writer.flush().await
}

/// Sends `bytes` bytes, reads half of them back, and drops the stream, which the library turns into a reset.
pub async fn reset(mut control: Control, peer: PeerId, bytes: u64) -> Result<Value, String> {
    let mut stream = open(&mut control, peer).await?;
    let mut half = vec![0; usize::try_from(bytes / 2).map_err(|e| e.to_string())?];
    let done = async {
        send(&mut stream, 0, bytes).await?;
        stream.read_exact(&mut half).await
    };
    done.await.map_err(|e| format!("before the reset: {e}"))?;
    drop(stream);
    Ok(json!({ "sent": bytes, "read": half.len() }))
}
