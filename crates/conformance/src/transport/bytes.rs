//! A connection carries bytes, each direction with an end of its own.

use std::time::Duration;

use sinew_core::BoxedIo;
use sinew_runtime::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Subject;
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    io::{dropped_after, moment},
    pattern::{bytes, receive, receive_to_end, send, send_and_finish},
};

const MIB: usize = 1024 * 1024;

/// What the buffers of a connection may take while nobody reads: Linux lets a TCP connection have 6 MiB to receive and
/// 4 MiB to send.
const TOO_MUCH: usize = 64 * MIB;

/// How long a write waits until it counts as stuck.
const STUCK: Duration = Duration::from_millis(300);

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    run.check("4 MiB in both directions at once", large(subject))
        .await;
    run.check("half-close by the dialler", half_close(subject, true))
        .await;
    run.check("half-close by the listener", half_close(subject, false))
        .await;
    run.check(
        "a drop by the dialler ends the connection",
        dropped(subject, true),
    )
    .await;
    run.check(
        "a drop by the listener ends the connection",
        dropped(subject, false),
    )
    .await;
    run.check("a slow reader beside a fast stream", slow_reader(subject))
        .await;
    run.check("a write that is dropped loses nothing", dropped_writes(subject))
        .await;
}

/// Both ends; the first is the dialler's if `dialer`, else the listener's.
async fn ends(subject: &Subject, dialer: bool) -> Result<(BoxedIo, BoxedIo), Fault> {
    let (ours, theirs) = subject.connection().await?;
    Ok(if dialer {
        (ours.io, theirs.io)
    } else {
        (theirs.io, ours.io)
    })
}

async fn large(subject: &Subject) -> Check {
    let (ours, theirs) = ends(subject, true).await?;
    let (mut our_read, mut our_write) = tokio::io::split(ours);
    let (mut their_read, mut their_write) = tokio::io::split(theirs);
    tokio::try_join!(
        send_and_finish(&mut our_write, 120, 4 * MIB),
        send_and_finish(&mut their_write, 121, 4 * MIB),
        receive_to_end(&mut our_read, 121, 4 * MIB),
        receive_to_end(&mut their_read, 120, 4 * MIB),
    )?;
    Ok(())
}

async fn half_close(subject: &Subject, dialer: bool) -> Check {
    let (mut first, mut second) = ends(subject, dialer).await?;
    send_and_finish(&mut first, 122, 1000).await?;
    receive_to_end(&mut second, 122, 1000).await?;
    tokio::try_join!(
        send_and_finish(&mut second, 123, MIB),
        receive_to_end(&mut first, 123, MIB)
    )
    .during("the answer after the half-close")?;
    let wrote = first.write(b"late").await;
    ensure!(wrote.is_err(), "a write after the end is taken: {wrote:?}");
    Ok(())
}

/// What was sent arrives; then reading and writing end, they do not hang.
async fn dropped(subject: &Subject, dialer: bool) -> Check {
    let (mut first, mut second) = ends(subject, dialer).await?;
    send(&mut first, 124, 1000).await?;
    drop(first);
    receive(&mut second, 124, 1000)
        .await
        .during("what was sent before the drop")?;
    let more = second.read(&mut [0; 1]).await;
    ensure!(!matches!(more, Ok(1..)), "bytes arrive from a side that is gone");
    let wrote = send(&mut second, 125, TOO_MUCH).await;
    ensure!(
        wrote.is_err(),
        "{TOO_MUCH} bytes are taken for a side that is gone"
    );
    Ok(())
}

/// Nobody reads the first connection: its writer has to wait, its other direction and the second connection need not.
async fn slow_reader(subject: &Subject) -> Check {
    let (slow, unread) = ends(subject, true).await?;
    let (mut slow_read, mut slow_write) = tokio::io::split(slow);
    let (mut unread, mut answer) = tokio::io::split(unread);
    let mut sent = 0;
    while let Ok(taken) = timeout(STUCK, slow_write.write(&bytes(126, sent, 64 * 1024))).await {
        sent += taken.during("filling a connection that nobody reads")?;
        ensure!(
            sent < TOO_MUCH,
            "{sent} bytes are taken of a connection that nobody reads"
        );
    }
    let (mut fast, mut read) = ends(subject, true).await?;
    tokio::try_join!(send(&mut fast, 127, MIB), receive(&mut read, 127, MIB))
        .during("the other connection")?;
    tokio::try_join!(send(&mut answer, 128, MIB), receive(&mut slow_read, 128, MIB))
        .during("the other direction")?;
    tokio::try_join!(
        async { Ok::<_, Fault>(slow_write.shutdown().await?) },
        receive_to_end(&mut unread, 126, sent)
    )
    .during("the slow connection, read at last")?;
    Ok(())
}

async fn dropped_writes(subject: &Subject) -> Check {
    let (mut ours, mut theirs) = ends(subject, true).await?;
    let all = bytes(129, 0, 300_000);
    let writing = async {
        let mut sent = 0;
        while sent < all.len() {
            match dropped_after(1, ours.write(&all[sent..])).await {
                Some(taken) => sent += taken?,
                None => moment().await,
            }
        }
        Ok::<_, Fault>(ours.shutdown().await?)
    };
    tokio::try_join!(writing, receive_to_end(&mut theirs, 129, 300_000))?;
    Ok(())
}
