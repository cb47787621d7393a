//! The sized dialect of `/perf/1.0.0`: the client names upload and download, each in eight bytes, before it uploads. So the
//! programs of rust-libp2p 0.56 and .NET have it.

use std::{io, time::Duration};

use sinew::{Host, PeerId, Stream, perf};
use tokio::time::{Instant, timeout};

use super::Failure;

/// Bytes written at once.
const CHUNK: usize = 64 * 1024;

/// How long a transfer may stand still.
const STALL: Duration = Duration::from_secs(30);

/// Moves so many bytes, and says how long that took, from the opening of the stream to its end.
pub(super) async fn transfer(
    host: &Host,
    peer: PeerId,
    upload: u64,
    download: u64,
) -> Result<Duration, Failure> {
    let start = Instant::now();
    let mut stream = host.new_stream(&peer, [perf::PROTOCOL]).await?;
    send(&mut stream, upload, download).await?;
    let received = receive(&mut stream, download).await?;
    if received != download {
        return Err(format!("{received} bytes came where {download} were asked for").into());
    }
    Ok(start.elapsed())
}

async fn send(stream: &mut Stream, upload: u64, download: u64) -> io::Result<()> {
    let header = [upload.to_be_bytes(), download.to_be_bytes()].concat();
    moving(stream.write_all(&header)).await?;
    let zeros = [0; CHUNK];
    let mut left = upload;
    while left > 0 {
        let length = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        moving(stream.write_all(&zeros[..length])).await?;
        left -= length as u64;
    }
    moving(stream.finish()).await
}

/// Reads to the end. The .NET program may leave out the end of a download, so the last byte of one counts as it.
async fn receive(stream: &mut Stream, download: u64) -> io::Result<u64> {
    let mut received = 0;
    while received < download || download == 0 {
        match moving(stream.read_chunk()).await? {
            Some(chunk) => received += chunk.len() as u64,
            None => break,
        }
    }
    Ok(received)
}

async fn moving<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(STALL, step).await.map_err(|_| io::ErrorKind::TimedOut)?
}
