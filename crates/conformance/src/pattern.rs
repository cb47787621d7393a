//! Bytes that tell where they belong: made from a seed and a position, and recognised again.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::fault::{Check, During, Fault, ensure};

/// Bytes moved by one call; no divisor of the usual frames and windows.
const STEP: usize = 10_007;

/// Bytes made at once.
const BLOCK: usize = 8;

/// A block of the stream that `seed` stands for.
fn block(seed: u64, number: usize) -> [u8; BLOCK] {
    // The finaliser of splitmix64: neighbours differ in half of their bits.
    let mut mixed = (seed << 40 ^ number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).to_le_bytes()
}

/// `length` bytes from `position` on.
pub(crate) fn bytes(seed: u64, position: usize, length: usize) -> Vec<u8> {
    let (first, last) = (position / BLOCK, (position + length).div_ceil(BLOCK));
    let mut bytes = Vec::with_capacity((last - first) * BLOCK);
    (first..last).for_each(|number| bytes.extend_from_slice(&block(seed, number)));
    bytes.drain(..position % BLOCK);
    bytes.truncate(length);
    bytes
}

/// Writes the first `length` bytes and flushes.
pub(crate) async fn send<W: AsyncWrite + Unpin + ?Sized>(to: &mut W, seed: u64, length: usize) -> Check {
    let mut sent = 0;
    while sent < length {
        let step = STEP.min(length - sent);
        to.write_all(&bytes(seed, sent, step)).await.during("writing")?;
        sent += step;
    }
    to.flush().await.during("flushing")
}

/// Writes the first `length` bytes and then the end.
pub(crate) async fn send_and_finish<W: AsyncWrite + Unpin + ?Sized>(
    to: &mut W,
    seed: u64,
    length: usize,
) -> Check {
    send(to, seed, length).await?;
    to.shutdown().await.during("half-closing")
}

/// Reads the first `length` bytes and compares them.
pub(crate) async fn receive<R: AsyncRead + Unpin + ?Sized>(from: &mut R, seed: u64, length: usize) -> Check {
    let mut seen = 0;
    let mut buffer = vec![0; STEP];
    while seen < length {
        let step = STEP.min(length - seen);
        let read = from.read(&mut buffer[..step]).await.during("reading")?;
        ensure!(read > 0, "ended after {seen} of {length} bytes");
        ensure!(
            buffer[..read] == bytes(seed, seen, read),
            "bytes after {seen} are not those that were sent"
        );
        seen += read;
    }
    Ok(())
}

/// Reads the first `length` bytes and then the end.
pub(crate) async fn receive_to_end<R: AsyncRead + Unpin + ?Sized>(
    from: &mut R,
    seed: u64,
    length: usize,
) -> Check {
    receive(from, seed, length).await?;
    ended(from).await
}

/// The next read finds the end.
pub(crate) async fn ended<R: AsyncRead + Unpin + ?Sized>(from: &mut R) -> Check {
    let more = from.read(&mut [0; 1]).await.during("reading the end")?;
    ensure!(more == 0, "there are bytes where the end should be");
    Ok(())
}

/// Sends back what comes, then the end.
pub(crate) async fn echo<S: AsyncRead + AsyncWrite + Unpin + ?Sized>(stream: &mut S) -> Result<(), Fault> {
    let mut buffer = vec![0; STEP];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        stream.write_all(&buffer[..read]).await?;
        stream.flush().await?;
    }
    Ok(stream.shutdown().await?)
}
