//! Ping streams without end: negotiated, and then left alone.

use super::{
    Aim,
    frames::{DATA, HEADER, RST, SYN, data, message},
    outcome::Outcome,
};
use sinew_core::BoxedIo;
use std::{
    collections::HashMap,
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, split},
    time::sleep,
};

/// Streams that are opened.
const STREAMS: u32 = 10_000;

/// Streams in one write, with a pause after each: an honest pace for a connection.
const BATCH: u32 = 50;

/// The pause.
const PAUSE: Duration = Duration::from_millis(10);

/// Opens ping streams on one connection and says nothing on them. Each stream is an outcome: it is cut when the target
/// resets it.
pub(super) async fn left_alone(aim: &Aim) -> Vec<Outcome> {
    match aim.open(0).await {
        Ok(io) => run(io, aim.lasting).await,
        Err(_) => vec![Outcome::default()],
    }
}

async fn run(io: BoxedIo, lasting: Duration) -> Vec<Outcome> {
    let (mut reader, mut writer) = split(io);
    let (opened, cut) = (Mutex::new(HashMap::new()), Mutex::new(HashMap::new()));
    let opening = async {
        let mut said = Vec::from(HEADER);
        said.extend(message("/ipfs/ping/1.0.0"));
        for first in (0..STREAMS).step_by(BATCH as usize) {
            let mut out = Vec::new();
            for number in first..first + BATCH {
                let stream = 1 + 2 * number;
                data(SYN, stream, &said, &mut out);
                lock(&opened).insert(stream, Instant::now());
            }
            writer.write_all(&out).await?;
            writer.flush().await?;
            sleep(PAUSE).await;
        }
        // The others are held until the end.
        sleep(lasting).await;
        io::Result::Ok(())
    };
    let reading = async {
        while let Ok(stream) = next_reset(&mut reader).await {
            lock(&cut).entry(stream).or_insert_with(Instant::now);
        }
    };
    tokio::select! {
        // Whoever ends first, the end is what the maps say.
        _ = opening => {}
        () = reading => {}
    }
    let cut = lock(&cut);
    let outcome = |(stream, from): (&u32, &Instant)| {
        let after = cut.get(stream).map(|at| at.duration_since(*from));
        Outcome::of(after, 1)
    };
    lock(&opened).iter().map(outcome).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads frames until one resets a stream.
async fn next_reset<R: AsyncRead + Unpin>(io: &mut R) -> io::Result<u32> {
    loop {
        let mut header = [0; 12];
        io.read_exact(&mut header).await?;
        let [_, kind, high, low, a, b, c, d, length @ ..] = header;
        if kind == DATA {
            let mut payload = vec![0; u32::from_be_bytes(length) as usize];
            io.read_exact(&mut payload).await?;
        }
        if u16::from_be_bytes([high, low]) & RST != 0 {
            return Ok(u32::from_be_bytes([a, b, c, d]));
        }
    }
}
