//! Negotiations that never end.

use super::{
    Aim,
    floods::flood,
    frames::{HEADER, begin, message, reset},
    outcome::{Outcome, ended},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncWriteExt, split},
    task::JoinSet,
    time::sleep,
};

/// Connections that negotiate at once.
const CONNECTIONS: usize = 50;

/// Messages in one write, twice what a target should take in one negotiation.
const MESSAGES: usize = 128;

/// Streams that are opened in one write and reset in the next.
const CANCELLED: u64 = 32;

/// The pause between the two: the header is answered by then.
const PAUSE: Duration = Duration::from_millis(5);

/// Connections that ask for protocols nobody serves, for ever, instead of a security protocol.
pub(super) async fn connections(aim: &Aim) -> Vec<Outcome> {
    let mut all = JoinSet::new();
    for number in 0..CONNECTIONS {
        let aim = aim.clone();
        all.spawn(async move {
            let Ok(stream) = aim.connect(number).await else {
                return Outcome::default();
            };
            let Ok(io) = aim.carrier(stream).await else {
                return Outcome::default();
            };
            let mut first = true;
            flood(io, aim.lasting, move |out| {
                if std::mem::take(&mut first) {
                    out.extend(HEADER);
                }
                messages(out)
            })
            .await
        });
    }
    all.join_all().await
}

/// One connection that opens streams, each with a negotiation that leads nowhere.
pub(super) async fn streams(aim: &Aim) -> Outcome {
    let Ok(io) = aim.open(0).await else {
        return Outcome::default();
    };
    let (mut stream, mplex) = (1, aim.is_mplex());
    flood(io, aim.lasting, move |out| {
        let mut said = Vec::from(HEADER);
        let count = messages(&mut said);
        begin(mplex, stream, &said, out);
        stream += 2;
        count
    })
    .await
}

/// One connection that opens streams and resets each once its header was answered.
pub(super) async fn cancelled(aim: &Aim) -> Outcome {
    let Ok(io) = aim.open(0).await else {
        return Outcome::default();
    };
    let (from, sent, mplex) = (Instant::now(), AtomicU64::new(0), aim.is_mplex());
    let (mut reader, mut writer) = split(io);
    let sending = async {
        let mut stream = 1;
        loop {
            let (mut opening, mut leaving) = (Vec::new(), Vec::new());
            for _ in 0..CANCELLED {
                begin(mplex, stream, HEADER, &mut opening);
                reset(mplex, stream, &mut leaving);
                stream += 2;
            }
            for frames in [opening, leaving] {
                if writer.write_all(&frames).await.is_err() || writer.flush().await.is_err() {
                    return from.elapsed();
                }
                sleep(PAUSE).await;
            }
            sent.fetch_add(CANCELLED, Ordering::Relaxed);
        }
    };
    let cut = tokio::select! {
        cut = ended(&mut reader, from, aim.lasting) => cut,
        cut = sending => Some(cut),
    };
    Outcome::of(cut, sent.load(Ordering::Relaxed))
}

fn messages(out: &mut Vec<u8>) -> u64 {
    for number in 0..MESSAGES {
        let text = if number % 2 == 0 {
            "ls"
        } else {
            "/nobody/serves/this/1.0.0"
        };
        out.extend(message(text));
    }
    MESSAGES as u64
}
