//! The connection ends, by either side, while everything is going on.

use std::future::poll_fn;

use sinew_core::{CloseCode, MuxError, code};
use tokio::io::AsyncReadExt;

use super::{
    Subject,
    pair::{Pair, Side, Stream},
};
use crate::{
    fault::{Check, Fault, Run, ensure},
    pattern::send,
};

const CODE: CloseCode = code::connection::SHUTDOWN;

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    run.check("close by this side ends everything", by_us(subject))
        .await;
    run.check("close by the other side ends everything", by_them(subject))
        .await;
    check_during_open(run, subject).await;
    run.check("close without a stream", without_streams(subject))
        .await;
    run.check(
        "a driver that is dropped ends everything",
        driver_dropped(subject),
    )
    .await;
}

pub(super) async fn check_during_open(run: &mut Run, subject: &Subject) {
    run.check("close during open", during_open(subject, false)).await;
    run.check("close by the other side during open", during_open(subject, true))
        .await;
}

async fn by_us(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let streams = pair.stream().await?;
    pair.dialer.handle.close(CODE);
    // Only the first call counts.
    pair.dialer.handle.close(CloseCode::NONE);
    everything_ends(pair, streams).await
}

async fn by_them(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let streams = pair.stream().await?;
    pair.listener.handle.close(CODE);
    everything_ends(pair, streams).await
}

/// Drivers end, streams fail, nothing is accepted or opened any more, and all are told why.
async fn everything_ends(mut pair: Pair, (mut ours, mut theirs): (Stream, Stream)) -> Check {
    for stream in [&mut ours, &mut theirs] {
        let read = stream.read(&mut [0; 1]).await;
        ensure!(
            read.is_err(),
            "an open stream of a connection that ended reads {read:?}"
        );
        let wrote = send(stream, 60, 64 * 1024 * 1024).await;
        ensure!(
            wrote.is_err(),
            "an open stream of a connection that ended takes 64 MiB"
        );
        poll_fn(|cx| stream.poll_reset(cx)).await;
    }
    for side in [&mut pair.dialer, &mut pair.listener] {
        side_ended(side).await?;
    }
    drop((ours, theirs));
    pair.end().await
}

async fn side_ended(side: &mut Side) -> Check {
    ensure!(side.ended().await.is_some(), "the driver was dropped");
    side.handle.closed().await;
    ensure!(
        side.accepted().await.is_err(),
        "a stream is accepted of a connection that ended"
    );
    match side.handle.open().await {
        Err(MuxError::Closed(_)) => Ok(()),
        Err(other) => Err(other.into()),
        Ok(_) => Err(Fault::new("a stream is opened on a connection that ended")),
    }
}

/// Opens in flight are answered, one way or the other, and no stream of theirs hangs.
async fn during_open(subject: &Subject, remote: bool) -> Check {
    let mut pair = Pair::new(subject).await?;
    let handle = pair.dialer.handle.clone();
    let opening = futures_util::future::join_all((0..1000).map(|_| {
        let open = handle.open();
        async {
            if let Ok(mut stream) = open.await {
                // Pending for ever if the stream did not notice.
                let _ = stream.read(&mut [0; 1]).await;
            }
        }
    }));
    let closing = async {
        tokio::task::yield_now().await;
        let side = if remote { &pair.listener } else { &pair.dialer };
        side.handle.close(CODE);
    };
    tokio::join!(opening, closing);
    side_ended(&mut pair.dialer).await?;
    // Streams that arrived before the end may still be accepted; then comes the end.
    while pair.listener.accepted().await.is_ok() {}
    pair.end().await
}

async fn without_streams(subject: &Subject) -> Check {
    Pair::new(subject).await?.end().await
}

/// Whoever owns the connection may drop its driver at any time, without a goodbye.
async fn driver_dropped(subject: &Subject) -> Check {
    let tasks = sinew_runtime::TaskScope::new("conformance");
    let others = sinew_runtime::TaskScope::new("other");
    let [mut dropped, mut other] = Side::pair(subject, [&tasks, &others]).await?;
    let mut stream = dropped.open().await?;
    send(&mut stream, 61, 10).await?;
    let mut theirs = other.accept().await?;
    tasks.abort();
    tasks.emptied().await;
    let read = stream.read(&mut [0; 1]).await;
    ensure!(
        read.is_err(),
        "a stream reads {read:?} after its driver was dropped"
    );
    dropped.handle.closed().await;
    ensure!(
        dropped.accepted().await.is_err(),
        "a stream is accepted after the driver was dropped"
    );
    ensure!(
        dropped.handle.open().await.is_err(),
        "a stream is opened after the driver was dropped"
    );
    // The other side loses its connection.
    ensure!(other.ended().await.is_some(), "the other side does not notice");
    while theirs.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
    ensure!(
        theirs.read(&mut [0; 1]).await.is_err(),
        "the other side's stream ends well"
    );
    Ok(())
}
