//! Peers that ask for much and read none of the answers.

use super::{
    Aim,
    frames::{Frame, HEADER, Mplex, PING, SYN, begin, message, more},
    outcome::{Outcome, rest},
};
use crate::node::ECHO;
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{sleep, timeout_at},
};

/// What each stream asks to have back.
const ECHO_BYTES: usize = 64 << 10;

/// Longer than any target lets a socket stand still.
const LONG_ENOUGH: Duration = Duration::from_secs(16);

/// `peers` connections with `streams` streams each, whose sockets are never read.
pub(super) async fn run(aim: &Aim, peers: usize, streams: u32) -> Vec<Outcome> {
    let mut all = JoinSet::new();
    for number in 0..peers {
        let aim = aim.clone();
        all.spawn(async move { one(&aim, number, streams).await.unwrap_or_default() });
    }
    all.join_all().await
}

async fn one(aim: &Aim, number: usize, streams: u32) -> io::Result<Outcome> {
    let mut io = aim.open(number).await?;
    let (from, until) = (Instant::now(), aim.lasting.max(LONG_ENOUGH));
    let (mut opened, mut asked, mplex) = (Vec::from(HEADER), 0, aim.is_mplex());
    opened.extend(message(ECHO.as_str()));
    let asking = async {
        for stream in 0..streams {
            let (mut out, id) = (Vec::new(), 1 + 2 * stream);
            begin(mplex, id, &opened, &mut out);
            more(mplex, id, &[7; ECHO_BYTES], &mut out);
            io.write_all(&out).await?;
            io.flush().await?;
            asked += 1;
        }
        // Nothing is read, so only writing shows whether the connection lives.
        loop {
            let mut out = Vec::new();
            if mplex {
                Mplex::Message.put(1, b"?", &mut out);
            } else {
                Frame {
                    kind: PING,
                    flags: SYN,
                    stream: 0,
                    length: 1,
                }
                .put(&mut out);
            }
            io.write_all(&out).await?;
            io.flush().await?;
            sleep(Duration::from_millis(100)).await;
        }
        #[allow(unreachable_code, reason = "tells the type of the block")]
        io::Result::Ok(())
    };
    let cut = timeout_at((from + until).into(), asking).await;
    let cut = cut.is_ok().then(|| from.elapsed());
    rest(from, aim.lasting).await;
    Ok(Outcome::of(cut, asked))
}
