//! Futures and streams are dropped at every await; the connection and its other streams go on.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Subject, pair::Pair};
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    io::{dropped_after, moment},
    pattern::{bytes, echo},
};

/// More polls than a conversation of 100 kB takes; each number is tried until one is enough for it.
const POLLS: usize = 60;

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    check_every_await(run, subject).await;
    run.check(
        "a read or write that is dropped loses nothing",
        reads_and_writes(subject),
    )
    .await;
}

pub(super) async fn check_every_await(run: &mut Run, subject: &Subject) {
    run.check("a drop at every await of the opener", opener(subject))
        .await;
    run.check("a drop at every await of the acceptor", acceptor(subject))
        .await;
}

async fn opener(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    pair.serve();
    for polls in 0..POLLS {
        let handle = pair.dialer.handle.clone();
        let conversation = async move {
            let mut stream = handle.open().await?;
            stream.write_all(&bytes(50, 0, 100_000)).await?;
            stream.shutdown().await?;
            stream.read_to_end(&mut Vec::new()).await?;
            Ok::<_, Fault>(())
        };
        let outcome = dropped_after(polls, conversation).await;
        pair.echoes(51)
            .await
            .during(&format!("another stream, after a drop at poll {polls}"))?;
        if let Some(done) = outcome {
            done.during("a conversation that was not dropped")?;
            break;
        }
    }
    pair.end().await
}

async fn acceptor(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    for polls in 0..POLLS {
        let mut ours = pair.dialer.open().await?;
        let (sent, served) = tokio::join!(
            async {
                ours.write_all(&bytes(52, 0, 100_000)).await?;
                ours.shutdown().await
            },
            async {
                let mut theirs = pair.listener.accept().await?;
                Ok::<_, Fault>(dropped_after(polls, echo(&mut theirs)).await)
            },
        );
        // The writer may see the reset, or be done before it.
        drop(sent);
        let _ = ours.read_to_end(&mut Vec::new()).await;
        if let Some(done) = served? {
            done.during("an echo that was not dropped")?;
            break;
        }
    }
    pair.serve();
    pair.echoes(53)
        .await
        .during("another stream after all the drops")?;
    pair.end().await
}

/// A read that is dropped has taken nothing; a write that is dropped has taken nothing or what it would have said.
async fn reads_and_writes(subject: &Subject) -> Check {
    let mut pair = Pair::new(subject).await?;
    let (mut ours, mut theirs) = pair.stream().await?;
    let all = bytes(54, 0, 200_000);
    let writing = async {
        let mut sent = 0;
        while sent < all.len() {
            let end = all.len().min(sent + 5000);
            match dropped_after(1, ours.write(&all[sent..end])).await {
                Some(taken) => sent += taken?,
                None => moment().await,
            }
        }
        Ok::<_, Fault>(ours.shutdown().await?)
    };
    let reading = async {
        let mut seen = Vec::new();
        let mut buffer = [0; 777];
        loop {
            match dropped_after(1, theirs.read(&mut buffer)).await {
                Some(Ok(0)) => break Ok(seen),
                Some(read) => seen.extend_from_slice(&buffer[..read?]),
                None => moment().await,
            }
        }
    };
    let ((), seen) = tokio::try_join!(writing, reading)?;
    ensure!(
        seen == all,
        "{} bytes arrived, or others than the {} that were sent",
        seen.len(),
        all.len()
    );
    drop((ours, theirs));
    pair.end().await
}
