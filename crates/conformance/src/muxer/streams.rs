//! Streams carry what is written, each at its own pace.

use std::{future::poll_fn, io::ErrorKind, time::Duration};

use bytes::Bytes;
use sinew_runtime::timeout;
use tokio::io::AsyncWriteExt;

use super::{
    FlowControl, Subject, Upgrade,
    pair::{Pair, STUCK, Stream, echo_check},
};
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    io,
    pattern::{bytes, ended, receive, receive_to_end, send, send_and_finish},
};

/// More than any window a muxer may grant one stream, with its buffers: 16 MiB, and as much again.
const TOO_MUCH: usize = 32 * 1024 * 1024;

const MIB: usize = 1024 * 1024;

/// How long a stream that is not read may hold up the others where the wire has no flow control.
const HELD_UP: Duration = Duration::from_secs(10);

pub(super) async fn check_all(run: &mut Run, subject: &Subject, flow: FlowControl) {
    run.check("the dialer's streams echo", dialer_opens(subject))
        .await;
    run.check("the listener's streams echo", listener_opens(subject))
        .await;
    run.check("4 MiB in both directions at once", large(subject))
        .await;
    run.check("200 streams at once", many(subject)).await;
    if let Subject::Upgrade(upgrade) = subject {
        run.check("a connection that moves three bytes at a time", trickle(upgrade))
            .await;
    }
    check_slow_reader(run, subject, flow).await;
    if flow == FlowControl::Connection {
        run.check("a reader that comes in time", late_reader(subject))
            .await;
    }
    run.check("chunks", chunks(subject)).await;
    run.check("ids are not used twice", ids(subject)).await;
}

pub(super) async fn check_slow_reader(run: &mut Run, subject: &Subject, flow: FlowControl) {
    match flow {
        FlowControl::Stream => {
            run.check("a slow reader beside a fast stream", slow_reader(subject))
                .await;
        }
        FlowControl::Connection => {
            run.check("a reader that stays away", absent_reader(subject))
                .await;
        }
    }
}

async fn dialer_opens(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    pair.serve();
    pair.echoes(1).await?;
    pair.end().await
}

async fn listener_opens(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let mut ours = pair.listener.open().await?;
    send_and_finish(&mut ours, 2, 3000).await?;
    let mut theirs = pair.dialer.accept().await?;
    receive_to_end(&mut theirs, 2, 3000).await?;
    send_and_finish(&mut theirs, 3, 3000).await?;
    receive_to_end(&mut ours, 3, 3000).await?;
    drop((ours, theirs));
    pair.end().await
}

async fn large(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (ours, theirs) = pair.stream().await?;
    let (mut our_read, mut our_write) = tokio::io::split(ours);
    let (mut their_read, mut their_write) = tokio::io::split(theirs);
    tokio::try_join!(
        send_and_finish(&mut our_write, 4, 4 * MIB),
        send_and_finish(&mut their_write, 5, 4 * MIB),
        receive_to_end(&mut our_read, 5, 4 * MIB),
        receive_to_end(&mut their_read, 4, 4 * MIB),
    )?;
    drop((our_read, our_write, their_read, their_write));
    pair.end().await
}

async fn many(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    pair.serve();
    let handle = &pair.dialer.handle;
    let streams = (0..200).map(|seed| echo_check(&**handle, 100 + seed, 20_000));
    futures_util::future::try_join_all(streams).await?;
    pair.end().await
}

async fn trickle(upgrade: &Upgrade) -> Check {
    let mut pair = Pair::over(upgrade, io::trickling_pair());
    pair.serve();
    pair.echoes(6).await?;
    pair.end().await
}

/// Nobody reads the first stream: its writer has to wait, and the second stream must not.
async fn slow_reader(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut slow, mut unread) = pair.stream().await?;
    let (mut fast, mut read) = pair.stream().await?;
    let sent = fill(&mut slow, 7).await?;
    tokio::try_join!(
        send_and_finish(&mut fast, 8, MIB),
        receive_to_end(&mut read, 8, MIB)
    )
    .during("the fast stream")?;
    tokio::try_join!(
        send_and_finish(&mut read, 9, MIB),
        receive_to_end(&mut fast, 9, MIB)
    )
    .during("the fast stream's answer")?;
    receive(&mut unread, 7, sent)
        .await
        .during("the slow stream, read at last")?;
    // Reading gave the writer room again.
    tokio::try_join!(
        send_and_finish(&mut slow, 10, MIB),
        receive_to_end(&mut unread, 10, MIB)
    )
    .during("the slow stream, going on")?;
    drop((slow, unread, fast, read));
    pair.end().await
}

/// Nobody reads the first stream: it may hold up the second one for a while, and is reset then.
async fn absent_reader(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut slow, mut unread) = pair.stream().await?;
    let (mut fast, mut read) = pair.stream().await?;
    // Where filling takes long, the reset comes before its end.
    let _ = fill(&mut slow, 7).await;
    let both = async {
        tokio::try_join!(
            send_and_finish(&mut fast, 8, MIB),
            receive_to_end(&mut read, 8, MIB)
        )
    };
    timeout(HELD_UP, both)
        .await
        .during("the fast stream within ten seconds")?
        .during("the fast stream")?;
    let wrote = send(&mut slow, 9, TOO_MUCH).await;
    ensure!(
        wrote.is_err(),
        "the stream that nobody reads takes {TOO_MUCH} bytes"
    );
    let mut lost = [0; 4096];
    let error = loop {
        match tokio::io::AsyncReadExt::read(&mut unread, &mut lost).await {
            Ok(0) => return Err(Fault::new("the stream that was not read ends well")),
            Ok(_) => {}
            Err(error) => break error.kind(),
        }
    };
    let kinds = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    ensure!(
        kinds.contains(&error),
        "the stream that was not read fails with {error}"
    );
    drop((slow, unread, fast, read));
    pair.end().await
}

/// The reader of a full stream comes before others lose patience: it gets every byte, and the writer goes on.
async fn late_reader(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut slow, mut unread) = pair.stream().await?;
    let sent = fill(&mut slow, 7).await?;
    receive(&mut unread, 7, sent)
        .await
        .during("the slow stream, read at last")?;
    tokio::try_join!(
        send_and_finish(&mut slow, 10, MIB),
        receive_to_end(&mut unread, 10, MIB)
    )
    .during("the slow stream, going on")?;
    drop((slow, unread));
    pair.end().await
}

/// Writes until the stream takes nothing more; returns how much that was.
async fn fill(stream: &mut Stream, seed: u64) -> Result<usize, Fault> {
    let mut sent = 0;
    loop {
        let step = bytes(seed, sent, 16 * 1024);
        match timeout(STUCK, stream.write(&step)).await {
            Ok(taken) => sent += taken.during("filling a stream that nobody reads")?,
            Err(_) => return Ok(sent),
        }
        ensure!(
            sent < TOO_MUCH,
            "{sent} bytes are taken of a stream that nobody reads"
        );
    }
}

/// Reading and writing without copies: no more than was asked for, and nothing lost.
async fn chunks(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    let sending = async {
        let mut chunk = Bytes::from(bytes(11, 0, 300_000));
        while !chunk.is_empty() {
            let before = chunk.len();
            poll_fn(|cx| ours.poll_write_chunk(cx, &mut chunk))
                .await
                .during("writing a chunk")?;
            ensure!(chunk.len() < before, "a write of a chunk took nothing");
        }
        ours.shutdown().await.during("half-closing")
    };
    let receiving = async {
        let mut seen = Vec::new();
        while let Some(chunk) = poll_fn(|cx| theirs.poll_chunk(cx, 1000))
            .await
            .during("reading a chunk")?
        {
            ensure!(
                (1..=1000).contains(&chunk.len()),
                "a chunk of {} bytes, 1 to 1000 were asked for",
                chunk.len()
            );
            seen.extend_from_slice(&chunk);
        }
        ensure!(seen == bytes(11, 0, 300_000), "the chunks are not what was sent");
        ended(&mut theirs).await
    };
    tokio::try_join!(sending, receiving)?;
    drop((ours, theirs));
    pair.end().await
}

async fn ids(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let mut seen = Vec::new();
    let mut held = Vec::new();
    for seed in 0..20 {
        let (mut ours, mut theirs) = pair.stream().await?;
        ensure!(!seen.contains(&ours.id()), "{} is used twice", ours.id());
        seen.push(ours.id());
        send(&mut ours, seed, 10).await?;
        receive(&mut theirs, seed, 10).await?;
        // Every other one is over before the next is opened.
        if seed % 2 == 0 {
            held.push((ours, theirs));
        }
    }
    drop(held);
    pair.end().await
}
