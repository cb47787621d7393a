//! Frames that no correct peer sends: the time until the connection is gone.

use super::{
    Aim,
    frames::{DATA, Frame, HEADER, NONE, SYN, WINDOW, data},
    outcome::{Outcome, ended},
};
use std::{io, time::Instant};
use tokio::io::{AsyncWriteExt, split};

/// Connections, one after the other: enough for a median.
const TRIES: usize = 20;

/// The receive window of a new stream.
const WINDOW_BYTES: u32 = 256 << 10;

/// What is breached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// More data than the window allows, and all of it is sent.
    Overrun,
    /// A window that grows beyond 32 bits.
    Overflow,
    /// A frame of four gigabytes is announced.
    Giant,
}

/// Tries it on several connections, while the attack lasts: a target that does not cut them has each for that long.
pub(super) async fn run(aim: &Aim, kind: Kind) -> Vec<Outcome> {
    let (start, mut outcomes) = (Instant::now(), Vec::new());
    while outcomes.len() < TRIES && start.elapsed() < aim.lasting {
        outcomes.push(one(aim, kind, outcomes.len()).await.unwrap_or_default());
    }
    outcomes
}

async fn one(aim: &Aim, kind: Kind, number: usize) -> io::Result<Outcome> {
    let mut io = aim.open(number).await?;
    let mut out = Vec::new();
    data(SYN, 1, HEADER, &mut out);
    io.write_all(&out).await?;
    io.flush().await?;
    let frame = |kind, length| Frame {
        kind,
        flags: NONE,
        stream: 1,
        length,
    };
    let (mut breach, body) = (Vec::new(), vec![0; 64 << 10]);
    match kind {
        Kind::Overrun => frame(DATA, WINDOW_BYTES + 1).put(&mut breach),
        Kind::Overflow => frame(WINDOW, u32::MAX).put(&mut breach),
        Kind::Giant => frame(DATA, u32::MAX).put(&mut breach),
    }
    let (mut reader, mut writer) = split(io);
    let from = Instant::now();
    writer.write_all(&breach).await?;
    writer.flush().await?;
    let talking = async {
        while kind != Kind::Overflow && writer.write_all(&body).await.is_ok() {
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    };
    let cut = tokio::select! {
        cut = ended(&mut reader, from, aim.lasting) => cut,
        () = talking => None,
    };
    Ok(Outcome::of(cut, 1))
}
