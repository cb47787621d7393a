//! More streams are opened than the other side accepts.

use futures_util::FutureExt;
use sinew_core::MuxedConnection;
use sinew_runtime::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Subject,
    pair::{Pair, SETTLE, STUCK},
};
use crate::fault::{Check, During, Fault, Run, ensure};

/// More than any backlog: go-yamux and rust-yamux stop at 256.
const STREAMS: u32 = 1000;

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    check_beyond(run, subject).await;
    run.check("nobody accepts streams any more", never_accepted(subject))
        .await;
}

pub(super) async fn check_beyond(run: &mut Run, subject: &Subject) {
    run.check("opening beyond the backlog", beyond(subject)).await;
}

/// Each stream is either served or fails; the connection lives in any case.
async fn beyond(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let handle = pair.dialer.handle.clone();
    let asking = (0..STREAMS).map(|number| ask(&*handle, number));
    let asking = futures_util::future::join_all(asking);
    let serving = async {
        sinew_runtime::sleep(STUCK).await;
        pair.serve();
    };
    let (outcomes, ()) = tokio::join!(asking, serving);
    let served = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(true)))
        .count();
    let mixed = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(false)))
        .count();
    ensure!(mixed == 0, "{mixed} streams got another stream's answer");
    ensure!(served > 0, "none of {STREAMS} streams was served");
    let ended = pair.dialer.ended().now_or_never();
    ensure!(ended.is_none(), "the connection ended: {ended:?}");
    pair.echoes(40).await.during("another stream afterwards")?;
    pair.end().await
}

/// Sends a number and reads it back.
async fn ask(handle: &dyn MuxedConnection, number: u32) -> Result<bool, Fault> {
    let mut stream = handle.open().await?;
    stream.write_all(&number.to_be_bytes()).await?;
    stream.shutdown().await?;
    Ok(stream.read_u32().await? == number)
}

/// Without the accepting half streams fail or wait, and the other direction is not touched.
async fn never_accepted(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    pair.listener.drop_accept();
    let waiting = async { futures_util::future::join_all((0..STREAMS).map(|_| pair.dialer.open())).await };
    let opened = timeout(SETTLE, waiting).await;
    let mut ours = pair.listener.open().await?;
    ours.write_all(b"x")
        .await
        .during("writing in the other direction")?;
    ours.flush().await.during("flushing in the other direction")?;
    let mut theirs = pair.dialer.accept().await?;
    ensure!(theirs.read_u8().await? == b'x', "the byte is another");
    drop((opened, ours, theirs));
    pair.end().await
}
