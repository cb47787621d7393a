//! A reset ends both directions at once, is told to the other side, and touches no other stream.

use std::{future::poll_fn, io};

use sinew_core::{CloseCode, StreamReset, code};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Subject,
    pair::{Pair, Stream},
};
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    pattern::{receive, send},
};

/// A code that any muxer may carry, or lose.
const CODE: CloseCode = code::stream::RATE_LIMITED;

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    check_both_ways(run, subject).await;
    run.check("reset while the other side writes", while_writing(subject))
        .await;
    run.check("reset is seen without reading", seen_without_reading(subject))
        .await;
    run.check("a stream that ends well is never reset", ends_well(subject))
        .await;
    run.check("an unfinished stream that is dropped is reset", dropped(subject))
        .await;
    run.check("input that is refused", stopped(subject)).await;
}

pub(super) async fn check_both_ways(run: &mut Run, subject: &Subject) {
    run.check("reset by the opener", by_opener(subject)).await;
    run.check("reset by the acceptor", by_acceptor(subject)).await;
}

async fn by_opener(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (ours, theirs) = pair.stream().await?;
    resets(ours, theirs).await?;
    pair.still_works().await
}

async fn by_acceptor(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (ours, theirs) = pair.stream().await?;
    resets(theirs, ours).await?;
    pair.still_works().await
}

/// `first` resets: both sides read and write errors from then on.
async fn resets(mut first: Stream, mut second: Stream) -> Check {
    send(&mut first, 30, 100).await?;
    receive(&mut second, 30, 100).await?;
    first.reset(CODE);
    is_reset(&mut second).await?;
    let wrote = second.write(b"x").await;
    ensure!(
        wrote.is_err(),
        "a write to a stream that was reset is taken: {wrote:?}"
    );
    let read = first.read(&mut [0; 1]).await;
    ensure!(read.is_err(), "the side that reset the stream reads {read:?}");
    let wrote = first.write(b"x").await;
    ensure!(wrote.is_err(), "the side that reset the stream writes {wrote:?}");
    Ok(())
}

/// Reads until the reset shows, as the error that the trait promises.
async fn is_reset(stream: &mut Stream) -> Check {
    let error = loop {
        match stream.read(&mut [0; 64]).await {
            Ok(0) => return Err(Fault::new("a reset reads as an ordinary end")),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    ensure!(
        error.kind() == io::ErrorKind::ConnectionReset,
        "a reset reads as {:?}: {error}",
        error.kind()
    );
    let reset = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<StreamReset>());
    ensure!(
        reset.is_some(),
        "the error of a reset holds no StreamReset: {error:?}"
    );
    // Wires without codes tell of a reset without a reason.
    let told = reset.map(|reset| reset.0);
    ensure!(
        matches!(told, Some(CODE | CloseCode::NONE)),
        "{CODE} arrives as {told:?}"
    );
    Ok(())
}

async fn while_writing(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    // Nobody reads, so this write is waiting when the reset comes.
    let writing = send(&mut ours, 31, 64 * 1024 * 1024);
    let resetting = async {
        sinew_runtime::sleep(super::pair::SETTLE).await;
        theirs.reset(CODE);
    };
    let (wrote, ()) = tokio::join!(writing, resetting);
    ensure!(wrote.is_err(), "64 MiB were taken by a stream that was reset");
    drop((ours, theirs));
    pair.still_works().await
}

async fn seen_without_reading(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    let told = poll_fn(|cx| theirs.poll_reset(cx));
    let resetting = async {
        sinew_runtime::sleep(super::pair::SETTLE).await;
        ours.reset(CODE);
    };
    let (code, ()) = tokio::join!(told, resetting);
    ensure!(matches!(code, CODE | CloseCode::NONE), "{CODE} arrives as {code}");
    drop((ours, theirs));
    pair.still_works().await
}

async fn ends_well(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    ours.shutdown().await.during("half-closing")?;
    theirs.shutdown().await.during("half-closing")?;
    crate::pattern::ended(&mut ours).await?;
    crate::pattern::ended(&mut theirs).await?;
    let told = poll_fn(|cx| theirs.poll_reset(cx));
    let told = sinew_runtime::timeout(super::pair::SETTLE, told).await;
    ensure!(told.is_err(), "a stream that ended well is reset");
    drop((ours, theirs));
    pair.still_works().await
}

async fn dropped(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    for acceptor in [false, true] {
        let (ours, theirs) = pair.stream().await?;
        let (mut first, mut second) = if acceptor { (theirs, ours) } else { (ours, theirs) };
        send(&mut first, 32, 1000).await?;
        drop(first);
        let ended = loop {
            match second.read(&mut [0; 64]).await {
                Ok(0) => break "an ordinary end".to_owned(),
                Ok(_) => {}
                Err(error) => break error.kind().to_string(),
            }
        };
        let wanted = io::ErrorKind::ConnectionReset.to_string();
        ensure!(
            ended == wanted,
            "half a message that its sender dropped reads as {ended}"
        );
    }
    pair.still_works().await
}

async fn stopped(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    theirs.stop(CODE);
    // Discarded, or refused: in any case the writer does not wait for ever, and the other direction goes on.
    let _ = send(&mut ours, 33, 2 * 1024 * 1024).await;
    send(&mut theirs, 34, 1000)
        .await
        .during("writing after refusing input")?;
    receive(&mut ours, 34, 1000)
        .await
        .during("reading what came after input was refused")?;
    drop((ours, theirs));
    pair.still_works().await
}

impl Pair {
    /// The connection lives: the next stream that is accepted is the next that is opened, no other is waiting. Then it ends
    /// as it should.
    async fn still_works(mut self) -> Check {
        self.stream().await.during("another stream afterwards")?;
        self.serve();
        self.echoes(35).await.during("an echo afterwards")?;
        self.end().await
    }
}
