//! One direction ends, the other goes on.

use tokio::io::AsyncWriteExt;

use super::{
    Subject,
    pair::{Pair, Stream},
};
use crate::{
    fault::{Check, During, Run, ensure},
    pattern::{ended, receive_to_end, send_and_finish},
};

/// More than the first window of a yamux stream: the answer needs credit after the question has ended.
const ANSWER: usize = 700_000;

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    check_both_ways(run, subject).await;
    run.check("the end arrives after all bytes", unread_bytes_first(subject))
        .await;
    run.check("nothing is written after the end", write_after_end(subject))
        .await;
    run.check(
        "a stream that both have finished may be dropped",
        finished_streams_drop(subject),
    )
    .await;
    run.check("a stream that is only finished says so", empty_stream(subject))
        .await;
}

pub(super) async fn check_both_ways(run: &mut Run, subject: &Subject) {
    run.check("half-close by the opener", by_opener(subject)).await;
    run.check("half-close by the acceptor", by_acceptor(subject))
        .await;
}

async fn by_opener(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (ours, theirs) = pair.stream().await?;
    question_and_answer(ours, theirs).await?;
    pair.end().await
}

async fn by_acceptor(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (ours, theirs) = pair.stream().await?;
    question_and_answer(theirs, ours).await?;
    pair.end().await
}

async fn question_and_answer(mut first: Stream, mut second: Stream) -> Check {
    send_and_finish(&mut first, 20, 1000).await?;
    receive_to_end(&mut second, 20, 1000).await?;
    ended(&mut second).await.during("the end, read again")?;
    tokio::try_join!(
        send_and_finish(&mut second, 21, ANSWER),
        receive_to_end(&mut first, 21, ANSWER)
    )
    .during("the answer after the half-close")?;
    Ok(())
}

async fn unread_bytes_first(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    send_and_finish(&mut ours, 22, 100_000).await?;
    // The end is on its way, or here, before the first byte is read.
    sinew_runtime::sleep(super::pair::SETTLE).await;
    receive_to_end(&mut theirs, 22, 100_000).await?;
    drop((ours, theirs));
    pair.end().await
}

async fn write_after_end(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    ours.shutdown().await.during("half-closing")?;
    ours.shutdown().await.during("half-closing twice")?;
    let wrote = ours.write(b"late").await;
    ensure!(wrote.is_err(), "a write after the end is taken: {wrote:?}");
    ended(&mut theirs).await?;
    drop((ours, theirs));
    pair.end().await
}

async fn finished_streams_drop(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    send_and_finish(&mut ours, 23, 100_000).await?;
    send_and_finish(&mut theirs, 24, 100_000).await?;
    receive_to_end(&mut ours, 24, 100_000).await?;
    // Everything is read and written: this is no reset, and what the other has not yet read stays readable.
    drop(ours);
    receive_to_end(&mut theirs, 23, 100_000)
        .await
        .during("reading after the other side has dropped the stream")?;
    drop(theirs);
    pair.end().await
}

async fn empty_stream(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let mut ours = pair.dialer.open().await?;
    ours.shutdown()
        .await
        .during("half-closing a stream without a byte")?;
    let mut theirs = pair.listener.accept().await?;
    ended(&mut theirs).await?;
    theirs.shutdown().await.during("half-closing the answer")?;
    ended(&mut ours).await.during("reading the empty answer")?;
    drop((ours, theirs));
    pair.end().await
}
