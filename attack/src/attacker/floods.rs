//! Floods of yamux frames on one connection, as fast as the target takes them.

use super::{
    Aim,
    frames::{DATA, Frame, HEADER, Mplex, NONE, PING, RST, SYN, WINDOW, begin, end, message, more},
    liars,
    outcome::{Outcome, ended, rest},
};
use sinew_core::BoxedIo;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::io::{AsyncWriteExt, split};

/// Pushes in one write.
const PUSHES: u64 = 16;

/// Frames in one write.
const BATCH: u32 = 512;

/// The frames of a flood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Streams are opened, and nothing is said on them.
    Syn,
    /// Streams are opened and reset.
    Reset,
    /// Pings that want an answer.
    Ping,
    /// Data of no bytes on an open stream.
    Empty,
    /// Data on streams that nobody has opened.
    Unknown,
}

/// Floods until the connection is cut or the time is over.
pub(super) async fn run(aim: &Aim, kind: Kind) -> Outcome {
    let Ok(io) = aim.open(0).await else {
        return Outcome::default();
    };
    let (mut next, mplex) = (1, aim.is_mplex());
    flood(io, aim.lasting, move |out| batch(kind, mplex, &mut next, out)).await
}

/// Pushes of identify that wait for nothing: stream after stream, each with its news and its end.
pub(super) async fn pushes(aim: &Aim) -> Outcome {
    let Ok(io) = aim.open(0).await else {
        return Outcome::default();
    };
    let (mut next, mplex, mut said) = (1, aim.is_mplex(), Vec::from(HEADER));
    said.extend(message("/ipfs/id/push/1.0.0"));
    flood(io, aim.lasting, move |out| {
        for _ in 0..PUSHES {
            let protocols = 4 + usize::try_from(next % 3).unwrap_or(0);
            let news = [said.as_slice(), &liars::message(&[], protocols)].concat();
            begin(mplex, next, &news, out);
            end(mplex, next, out);
            next = next.wrapping_add(2);
        }
        PUSHES
    })
    .await
}

/// Writes one batch after the other, and reads all that comes.
pub(super) async fn flood(
    io: BoxedIo,
    lasting: Duration,
    mut batch: impl FnMut(&mut Vec<u8>) -> u64 + Send,
) -> Outcome {
    let (from, sent) = (Instant::now(), AtomicU64::new(0));
    let (mut reader, mut writer) = split(io);
    let sending = async {
        let mut out = Vec::new();
        loop {
            out.clear();
            let frames = batch(&mut out);
            if writer.write_all(&out).await.is_err() || writer.flush().await.is_err() {
                return from.elapsed();
            }
            sent.fetch_add(frames, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    };
    let cut = tokio::select! {
        cut = ended(&mut reader, from, lasting) => cut,
        cut = sending => Some(cut),
        () = rest(from, lasting) => None,
    };
    Outcome::of(cut, sent.load(Ordering::Relaxed))
}

fn batch(kind: Kind, mplex: bool, next: &mut u32, out: &mut Vec<u8>) -> u64 {
    if kind == Kind::Empty && *next == 1 {
        begin(mplex, 1, HEADER, out);
        *next = 3;
    }
    let mut frames = 0;
    for _ in 0..BATCH {
        frames += if mplex {
            put_mplex(kind, *next, out)
        } else {
            put(kind, *next, out)
        };
        // A connection has two thousand million streams to open; no row lasts that long.
        *next = next.wrapping_add(2);
    }
    frames
}

fn put(kind: Kind, stream: u32, out: &mut Vec<u8>) -> u64 {
    let frame = |kind, flags, stream, length| Frame {
        kind,
        flags,
        stream,
        length,
    };
    match kind {
        Kind::Syn => frame(WINDOW, SYN, stream, 0).put(out),
        Kind::Ping => frame(PING, SYN, 0, stream).put(out),
        Kind::Empty => frame(DATA, NONE, 1, 0).put(out),
        Kind::Unknown => more(false, stream, b"?", out),
        Kind::Reset => {
            frame(WINDOW, SYN, stream, 0).put(out);
            frame(WINDOW, RST, stream, 0).put(out);
            return 2;
        }
    }
    1
}

/// The same in mplex, which has no pings.
fn put_mplex(kind: Kind, stream: u32, out: &mut Vec<u8>) -> u64 {
    match kind {
        Kind::Syn => Mplex::NewStream.put(stream, b"", out),
        Kind::Empty | Kind::Ping => more(true, 1, b"", out),
        Kind::Unknown => more(true, stream, b"?", out),
        Kind::Reset => {
            Mplex::NewStream.put(stream, b"", out);
            Mplex::Reset.put(stream, b"", out);
            return 2;
        }
    }
    1
}
