//! The other side is no muxer, or its connection breaks.

use sinew_core::{BoxedIo, Role};
use sinew_runtime::TaskScope;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Upgrade,
    pair::{Pair, SETTLE, Side},
};
use crate::{
    fault::{Check, Run, ensure},
    io::{self, Tamper},
    pattern::{bytes, send},
};

/// Enough for every kind of first frame.
const SEEDS: u64 = 64;

pub(super) async fn check_all(run: &mut Run, upgrade: &Upgrade) {
    run.check("garbage ends the connection", garbage(upgrade)).await;
    run.check("a connection that ends at once", ends_at_once(upgrade))
        .await;
    run.check("a connection that breaks at every byte", breaks(upgrade))
        .await;
    run.check("a remote that reads nothing", reads_nothing(upgrade))
        .await;
}

/// Bytes that mean nothing, from a side that reads all it is sent and then ends.
async fn garbage(upgrade: &Upgrade) -> Check {
    for seed in 0..SEEDS {
        for role in [Role::Dialer, Role::Listener] {
            let (ours, theirs) = io::pair();
            let tasks = TaskScope::new("conformance");
            let side = Side::new(upgrade, ours, role, &tasks);
            talk_nonsense(theirs, seed, &tasks);
            ensure!(
                side.ended().await.is_some(),
                "the driver did not end on garbage {seed}"
            );
            side.handle.closed().await;
        }
    }
    Ok(())
}

fn talk_nonsense(io: BoxedIo, seed: u64, tasks: &TaskScope) {
    tasks.spawn("nonsense", async move {
        let (mut read, mut write) = tokio::io::split(io);
        // The muxer may cut the connection at the first wrong byte.
        let talking = async {
            let _ = write.write_all(&bytes(1000 + seed, 0, 5000)).await;
            let _ = write.shutdown().await;
        };
        let mut heard = Vec::new();
        let listening = async {
            let _ = read.read_to_end(&mut heard).await;
        };
        tokio::join!(talking, listening);
    });
}

async fn ends_at_once(upgrade: &Upgrade) -> Check {
    let (ours, theirs) = io::pair();
    drop(theirs);
    let tasks = TaskScope::new("conformance");
    let side = Side::new(upgrade, ours, Role::Dialer, &tasks);
    ensure!(
        side.ended().await.is_some(),
        "the driver does not end with its connection"
    );
    ensure!(
        side.handle.open().await.is_err(),
        "a stream is opened without a connection"
    );
    Ok(())
}

/// The dialer's connection breaks after each number of bytes: both sides end, and no byte is wrong.
async fn breaks(upgrade: &Upgrade) -> Check {
    for cut in 1..120 {
        let tamper = Tamper {
            cut: Some(cut),
            ..Tamper::default()
        };
        let mut pair = Pair::over(upgrade, tamper.pair());
        pair.serve();
        let conversation = async {
            for seed in 0..100 {
                pair.echoes(seed).await?;
            }
            Ok(())
        };
        let outcome: Check = conversation.await;
        ensure!(
            outcome.is_err(),
            "100 conversations over a connection that broke after {cut} bytes"
        );
        ensure!(
            pair.dialer.ended().await.is_some(),
            "the driver does not end after {cut} bytes"
        );
        ensure!(
            pair.listener.ended().await.is_some(),
            "the other driver does not end after {cut} bytes"
        );
        pair.end().await?;
    }
    Ok(())
}

/// Nothing leaves: streams wait within their bounds, and closing does not wait for ever.
async fn reads_nothing(upgrade: &Upgrade) -> Check {
    let (ours, theirs) = io::pair();
    let tasks = TaskScope::new("conformance");
    let side = Side::new(upgrade, ours, Role::Dialer, &tasks);
    let writing = async {
        let mut stream = side.open().await?;
        send(&mut stream, 70, 64 * 1024 * 1024).await
    };
    let wrote = sinew_runtime::timeout(SETTLE, writing).await;
    ensure!(
        !matches!(wrote, Ok(Ok(()))),
        "64 MiB are taken for a remote that reads nothing"
    );
    side.handle.close(sinew_core::CloseCode::NONE);
    ensure!(side.ended().await.is_some(), "the driver was dropped");
    drop(theirs);
    Ok(())
}
