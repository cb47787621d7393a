//! The secured bytes: whole, in order, with ends of their own, and with back-pressure.

use sinew_core::BoxedIo;
use sinew_runtime::timeout;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

use super::{Subject, pair::Nodes};
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    io,
    pattern::{bytes, ended, receive, receive_to_end, send, send_and_finish},
};

const MIB: usize = 1024 * 1024;

/// What a channel with nobody at its end may take: the pipe's 64 KiB, and some frames of 64 KiB on either side.
const TOO_MUCH: usize = 2 * MIB;

/// Long enough for whatever moves without being waited for; on a paused clock it takes no time.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    run.check("4 MiB in both directions at once", large(subject))
        .await;
    run.check("half-close by the dialler", half_close(subject, true))
        .await;
    run.check("half-close by the listener", half_close(subject, false))
        .await;
    run.check("a slow reader beside a fast stream", slow_reader(subject))
        .await;
    run.check("a write that is dropped loses nothing", dropped_writes(subject))
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
}

/// The secured bytes of both sides; the first is the dialler's if `dialer`, else the listener's.
async fn channel(subject: &Subject, dialer: bool) -> Result<(BoxedIo, BoxedIo), Fault> {
    let (ours, theirs) = Nodes::new(subject).secured(io::pair()).await?;
    Ok(if dialer {
        (ours.io, theirs.io)
    } else {
        (theirs.io, ours.io)
    })
}

async fn large(subject: &Subject) -> Check {
    let (ours, theirs) = channel(subject, true).await?;
    let (mut our_read, mut our_write) = tokio::io::split(ours);
    let (mut their_read, mut their_write) = tokio::io::split(theirs);
    tokio::try_join!(
        send_and_finish(&mut our_write, 90, 4 * MIB),
        send_and_finish(&mut their_write, 91, 4 * MIB),
        receive_to_end(&mut our_read, 91, 4 * MIB),
        receive_to_end(&mut their_read, 90, 4 * MIB),
    )?;
    Ok(())
}

async fn half_close(subject: &Subject, dialer: bool) -> Check {
    let (mut first, mut second) = channel(subject, dialer).await?;
    send_and_finish(&mut first, 92, 1000).await?;
    receive_to_end(&mut second, 92, 1000).await?;
    tokio::try_join!(
        send_and_finish(&mut second, 93, MIB),
        receive_to_end(&mut first, 93, MIB)
    )
    .during("the answer after the half-close")?;
    let wrote = first.write(b"late").await;
    ensure!(wrote.is_err(), "a write after the end is taken: {wrote:?}");
    ended(&mut second).await.during("the end, read again")
}

/// One direction is not read: its writer waits, and the other direction goes on.
async fn slow_reader(subject: &Subject) -> Check {
    let (ours, theirs) = channel(subject, true).await?;
    let (mut our_read, mut slow) = tokio::io::split(ours);
    let (mut unread, mut fast) = tokio::io::split(theirs);
    let mut sent = 0;
    while let Ok(taken) = timeout(SETTLE, slow.write(&bytes(94, sent, 16 * 1024))).await {
        sent += taken.during("filling a connection that nobody reads")?;
        ensure!(
            sent < TOO_MUCH,
            "{sent} bytes are taken of a connection that nobody reads"
        );
    }
    tokio::try_join!(send(&mut fast, 95, MIB), receive(&mut our_read, 95, MIB))
        .during("the other direction")?;
    let more = bytes(94, 0, sent + MIB).split_off(sent);
    let going_on = async {
        slow.write_all(&more).await?;
        Ok::<_, Fault>(slow.flush().await?)
    };
    tokio::try_join!(going_on, receive(&mut unread, 94, sent + MIB))
        .during("the slow direction, read at last")?;
    Ok(())
}

async fn dropped_writes(subject: &Subject) -> Check {
    let (mut ours, mut theirs) = channel(subject, true).await?;
    let all = bytes(96, 0, 300_000);
    let writing = async {
        let mut sent = 0;
        while sent < all.len() {
            match io::dropped_after(1, ours.write(&all[sent..])).await {
                Some(taken) => sent += taken?,
                None => io::moment().await,
            }
        }
        Ok::<_, Fault>(ours.shutdown().await?)
    };
    tokio::try_join!(writing, receive_to_end(&mut theirs, 96, 300_000))?;
    Ok(())
}

async fn dropped(subject: &Subject, dialer: bool) -> Check {
    let (mut first, mut second) = channel(subject, dialer).await?;
    send(&mut first, 97, 1000).await?;
    drop(first);
    receive(&mut second, 97, 1000)
        .await
        .during("what was sent before the drop")?;
    let more = receive(&mut second, 97, 1).await;
    ensure!(more.is_err(), "bytes arrive from a side that is gone");
    let wrote = send(&mut second, 98, MIB).await;
    ensure!(wrote.is_err(), "1 MiB is taken for a side that is gone");
    Ok(())
}
