//! `/sinew/test/echo/1.0.0`: served on every inbound stream, and driven by the echo, streams and reset commands.

use std::{error::Error, io, sync::Arc, time::Duration};

use futures_util::{
    StreamExt, TryStreamExt,
    future::{join_all, try_join},
    stream,
};
use serde_json::{Value, json};
use sinew::{CloseCode, CloseReason, Host, OpenError, PeerId, Stream, StreamClosed, StreamReset};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use crate::{
    control::Outcome,
    data::{self, Digested},
    journal::Journal,
};

/// The protocol's name.
pub(crate) const ECHO: &str = "/sinew/test/echo/1.0.0";

/// Bytes read or written at once.
const CHUNK: usize = 16 * 1024;

/// How long a stream of a crowd may take until its byte is back.
const SETTLED: Duration = Duration::from_secs(5);

/// Serves one stream, and says how it ended.
pub(crate) async fn serve(mut stream: Stream, journal: Arc<Journal>) {
    let mut bytes = 0;
    match copy_back(&mut stream, &mut bytes).await {
        Ok(()) => journal.record("served", json!({ "bytes": bytes })),
        Err(error) => {
            let (kind, code) = ending(&error);
            let code = code.map(|code| code.0);
            journal.record(
                kind,
                json!({ "bytes": bytes, "error": error.to_string(), "code": code }),
            );
        }
    }
}

/// Whether the stream was reset or its connection ended, and with which code.
fn ending(error: &io::Error) -> (&'static str, Option<CloseCode>) {
    let cause = error.get_ref();
    if let Some(StreamReset(code)) = cause.and_then(|cause| cause.downcast_ref()) {
        return ("reset", Some(*code));
    }
    match cause.and_then(|cause| cause.downcast_ref()) {
        Some(StreamClosed(CloseReason::Remote(code))) => ("cut", Some(*code)),
        Some(StreamClosed(_)) => ("cut", None),
        None => ("failed", None),
    }
}

async fn copy_back(stream: &mut Stream, bytes: &mut usize) -> io::Result<()> {
    while let Some(chunk) = stream.read_chunk().await? {
        *bytes += chunk.len();
        stream.write_chunk(chunk).await?;
    }
    stream.finish().await
}

/// Sends `bytes` bytes, half-closes, and reads back until the end; begins to read after `pause`.
pub(crate) async fn echo(host: &Host, peer: PeerId, bytes: u64, pause: Duration) -> Outcome {
    let stream = open(host, peer).await?;
    let digested = exchange(stream, 0, bytes, pause).await?;
    Ok(json!({ "bytes": digested.bytes(), "sha256": digested.hex() }))
}

/// Opens `count` streams, at most `at_once` at a time, and echoes `bytes` on each with a seed of its own.
pub(crate) async fn streams(host: &Host, peer: PeerId, count: u64, at_once: usize, bytes: u64) -> Outcome {
    let one = async |number: u64| {
        let stream = open(host, peer)
            .await
            .map_err(|e| format!("stream {number}: {e}"))?;
        let seed = number.to_le_bytes()[0];
        let digested = exchange(stream, seed, bytes, Duration::ZERO)
            .await
            .map_err(|e| format!("stream {number}: {e}"))?;
        match digested.bytes() {
            found if found == bytes => Ok(()),
            found => Err(format!("stream {number}: {found} bytes")),
        }
    };
    stream::iter((0..count).map(one))
        .buffer_unordered(at_once)
        .try_collect::<()>()
        .await?;
    Ok(json!({ "streams": count }))
}

/// Opens `count` streams at once, has a byte echoed on each, and keeps those on which that went well until all are settled.
pub(crate) async fn crowd(host: &Host, peer: PeerId, count: usize) -> Value {
    let streams = (0..count).map(|_| timeout(SETTLED, held(host, peer)));
    let settled = join_all(streams).await;
    let served = settled
        .iter()
        .filter(|stream| matches!(stream, Ok(Ok(_))))
        .count();
    json!({ "served": served, "refused": count - served })
}

/// A stream that the other side serves until it ends. Some hold back the last byte, so there are two.
pub(crate) async fn held(host: &Host, peer: PeerId) -> Result<Stream, Box<dyn Error + Send + Sync>> {
    let mut stream = open(host, peer).await?;
    stream.write_all(&[0; 2]).await?;
    stream.read_u8().await?;
    Ok(stream)
}

/// Sends `bytes` bytes, reads half of them back, and resets the stream with this code.
pub(crate) async fn reset(host: &Host, peer: PeerId, bytes: usize, code: CloseCode) -> Outcome {
    let mut stream = open(host, peer).await?;
    let mut sent = vec![0; bytes];
    data::fill(0, 0, &mut sent);
    stream.write_all(&sent).await?;
    let mut read = vec![0; bytes / 2];
    stream.read_exact(&mut read).await?;
    stream.reset(code);
    Ok(json!({ "sent": bytes, "read": read.len() }))
}

async fn open(host: &Host, peer: PeerId) -> Result<Stream, OpenError> {
    host.new_stream(&peer, [ECHO]).await
}

async fn exchange(stream: Stream, seed: u8, bytes: u64, pause: Duration) -> io::Result<Digested> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let send = async {
        let mut buffer = vec![0; CHUNK];
        let mut sent = 0;
        while sent < bytes {
            let length = usize::try_from(bytes - sent).map_or(CHUNK, |rest| rest.min(CHUNK));
            data::fill(seed, sent, &mut buffer[..length]);
            writer.write_all(&buffer[..length]).await?;
            sent += length as u64;
        }
        writer.shutdown().await
    };
    let receive = async {
        let mut digested = Digested::new();
        let mut buffer = vec![0; CHUNK];
        sleep(pause).await;
        loop {
            match reader.read(&mut buffer).await? {
                0 => return Ok(digested),
                read if data::matches(seed, digested.bytes(), &buffer[..read]) => {
                    digested.update(&buffer[..read]);
                }
                _ => {
                    return Err(io::Error::other(format!(
                        "wrong bytes after {}",
                        digested.bytes()
                    )));
                }
            }
        }
    };
    try_join(send, receive).await.map(|((), digested)| digested)
}
