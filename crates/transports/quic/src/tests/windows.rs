//! What a peer can make a connection hold, and how that grows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use sinew_core::{LimitExceeded, Resource, ResourceScope};
use sinew_runtime::{TaskScope, now, sleep, timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{Pair, Stream};
use crate::Config;

const MIB: usize = 1024 * 1024;

/// Counts memory up to a limit.
#[derive(Debug)]
struct Memory {
    used: AtomicU64,
    most: AtomicU64,
    limit: u64,
}

impl Memory {
    fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicU64::new(0),
            most: AtomicU64::new(0),
            limit,
        })
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }
}

impl ResourceScope for Memory {
    fn charge(&self, resource: Resource, amount: u64) -> Result<(), LimitExceeded> {
        let used = self.used();
        if used + amount > self.limit {
            return Err(LimitExceeded::new("a test", resource, amount, used, self.limit));
        }
        self.used.fetch_add(amount, Ordering::SeqCst);
        self.most.fetch_max(used + amount, Ordering::SeqCst);
        Ok(())
    }

    fn release(&self, _: Resource, amount: u64) {
        self.used.fetch_sub(amount, Ordering::SeqCst);
    }

    fn note_unread(&self, _: u64) -> u64 {
        u64::MAX
    }
}

/// Moves `length` bytes over each of eight streams, and says how long that took.
async fn transfer(pair: &mut Pair, length: usize) -> Duration {
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(pair.stream().await);
    }
    let begun = now();
    let moving = streams.into_iter().map(|(mut ours, mut theirs)| async move {
        let sending = async {
            let block = vec![5; 64 * 1024];
            for _ in 0..length / block.len() {
                ours.write_all(&block).await.expect("written");
            }
            ours.shutdown().await.expect("finished");
        };
        let receiving = async {
            let mut buffer = vec![0; 64 * 1024];
            let mut seen = 0;
            loop {
                match theirs.read(&mut buffer).await.expect("read") {
                    0 => break seen,
                    read => seen += read,
                }
            }
        };
        let ((), seen) = tokio::join!(sending, receiving);
        assert_eq!(seen, length);
    });
    join_all(moving).await;
    now() - begun
}

#[tokio::test(start_paused = true)]
async fn the_window_of_a_connection_grows_with_what_is_read_and_is_paid_for() {
    let latency = Duration::from_millis(50);
    let (rich, poor) = (Memory::new(u64::MAX), Memory::new(0));
    let mut took = Vec::new();
    for scope in [&rich, &poor] {
        let mut pair = Pair::scoped(Config::default(), latency, scope.clone()).await;
        took.push(transfer(&mut pair, 4 * MIB).await);
    }
    let most = rich.most.load(Ordering::SeqCst);
    assert!(
        (MIB as u64..=30 * MIB as u64).contains(&most),
        "{most} bytes were charged for the growth of a window from 1 MiB to at most 16"
    );
    assert_eq!(rich.used.load(Ordering::SeqCst), 0, "all of it comes back");
    // Without memory for more than the first window everything arrives all the same, only later.
    assert!(took[0] * 2 < took[1], "{took:?}");
    assert!(
        took[1] >= latency * 2 * 30,
        "32 MiB through a window of 1: {took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn all_windows_together_grow_as_far_as_there_is_memory() {
    const LIMIT: u64 = 3 * MIB as u64;
    let memory = Memory::new(LIMIT);
    let mut pairs = Vec::new();
    for _ in 0..3 {
        pairs.push(Pair::scoped(Config::default(), Duration::from_millis(50), memory.clone()).await);
    }
    join_all(pairs.iter_mut().map(|pair| transfer(pair, 4 * MIB))).await;
    assert_eq!(memory.most.load(Ordering::SeqCst), LIMIT, "the last of it too");
    drop(pairs);
    assert_eq!(memory.used(), 0, "connections that ended hold nothing");
}

#[tokio::test(start_paused = true)]
async fn windows_that_are_not_used_give_back_what_they_grew_by() {
    let (memory, tasks) = (Memory::new(u64::MAX), TaskScope::new("test"));
    let mut pair = Pair::scoped(Config::default(), Duration::from_millis(50), memory.clone()).await;
    let driver = std::mem::replace(&mut pair.theirs.muxed.driver, Box::pin(std::future::pending()));
    tasks.spawn("driver", async move { drop(driver.await) });
    transfer(&mut pair, 4 * MIB).await;
    let grown = memory.used();
    assert!(grown >= MIB as u64, "{grown} bytes");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(memory.used(), grown, "what was granted is still the remote's");
    for _ in 0..40 {
        transfer(&mut pair, MIB / 16).await;
        sleep(Duration::from_secs(2)).await;
    }
    assert_eq!(memory.used(), 0, "it came back with what was read");
}

#[tokio::test(start_paused = true)]
async fn a_send_window_falls_back_when_nothing_is_sent() {
    let (memory, tasks) = (Memory::new(u64::MAX), TaskScope::new("test"));
    let mut pair = Pair::scoped(Config::default(), Duration::from_millis(50), memory.clone()).await;
    let driver = std::mem::replace(&mut pair.theirs.muxed.driver, Box::pin(std::future::pending()));
    tasks.spawn("driver", async move { drop(driver.await) });
    let (mut ours, mut theirs) = pair.stream().await;
    let sending = async {
        theirs.write_all(&vec![5; 16 * MIB]).await.expect("written");
        theirs.shutdown().await.expect("finished");
    };
    let mut all = Vec::new();
    let (_, read) = tokio::join!(sending, ours.read_to_end(&mut all));
    read.expect("read");
    assert!(memory.used() > 0, "it has grown");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(memory.used(), 0);
}

/// Writes until the stream takes nothing more.
async fn fill(stream: &mut Stream) -> usize {
    let block = [3; 16 * 1024];
    let mut sent = 0;
    while let Ok(written) = timeout(Duration::from_secs(1), stream.write(&block)).await {
        sent += written.expect("written");
        assert!(sent < 64 * MIB, "nobody reads it");
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_holds_its_window_and_leaves_room_for_others() {
    let config = Config::default();
    let mut pair = Pair::new(config.clone(), Duration::from_millis(1)).await;
    let (mut slow, _unread) = pair.stream().await;
    let held = fill(&mut slow).await;
    // One byte of it has been read.
    assert_eq!(held, config.stream_window as usize - 1);
    let took = timeout(Duration::from_secs(10), transfer(&mut pair, 2 * MIB)).await;
    took.expect("the others go on");
}

#[tokio::test(start_paused = true)]
async fn whoever_acknowledges_nothing_makes_us_hold_one_send_window() {
    let config = Config::default();
    let mut pair = Pair::new(config.clone(), Duration::from_millis(1)).await;
    let (mut ours, _theirs) = pair.stream().await;
    pair.network.deafen([192, 0, 2, 1].into());
    let held = fill(&mut ours).await;
    assert!(held <= config.send_window as usize, "{held} bytes");
}

#[tokio::test(start_paused = true)]
async fn streams_beyond_the_limit_wait_for_others_to_end() {
    let config = Config::low_memory();
    let mut pair = Pair::new(config.clone(), Duration::from_millis(1)).await;
    let mut held = Vec::new();
    for _ in 0..config.max_streams {
        held.push(pair.stream().await);
    }
    let handle = pair.ours.muxed.handle.clone();
    let early = timeout(Duration::from_secs(1), handle.open()).await;
    assert!(early.is_err(), "{} streams are open already", config.max_streams);
    // Some end well, others by a reset. The remote is told in steps of an eighth.
    for number in 0..config.max_streams / 2 {
        let (mut ours, mut theirs) = held.pop().expect("there are many");
        if number % 2 == 0 {
            ours.reset(sinew_core::CloseCode::NONE);
            theirs.reset(sinew_core::CloseCode::NONE);
            continue;
        }
        for stream in [&mut ours, &mut theirs] {
            stream.shutdown().await.expect("finished");
        }
        for stream in [&mut ours, &mut theirs] {
            assert_eq!(stream.read(&mut [0; 8]).await.expect("read"), 0);
        }
    }
    for _ in 0..config.max_streams * 3 / 8 {
        let late = timeout(Duration::from_secs(1), pair.stream()).await;
        held.push(late.expect("there is room again"));
    }
}
