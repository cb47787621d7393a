//! What a peer can make a connection hold, and how that grows.

use std::{
    error::Error,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use sinew_core::{StreamAbandoned, code};
use sinew_runtime::{TaskScope, now, sleep, timeout};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};

use super::{
    codes::reset_code,
    rig::{Memory, Pair, Stream},
};
use crate::Config;

const MIB: usize = 1024 * 1024;

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
        "{most} bytes were charged for the growth of both windows to at most 16 MiB"
    );
    assert_eq!(rich.used(), 0, "all of it comes back");
    // Without memory for more than the first window everything arrives all the same, only later.
    assert!(took[0] * 2 < took[1], "{took:?}");
    assert!(
        took[1] >= latency * 2 * 120,
        "32 MiB through a window of a quarter: {took:?}"
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
    pair.drive_theirs(&tasks);
    transfer(&mut pair, 4 * MIB).await;
    let grown = memory.used();
    assert!(grown >= MIB as u64, "{grown} bytes");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(memory.used(), grown, "what was granted is still the remote's");
    for _ in 0..300 {
        send(&mut pair, MIB / 16).await;
        sleep(Duration::from_secs(2)).await;
    }
    assert_eq!(memory.used(), 0, "it came back with what was read");
}

#[tokio::test(start_paused = true)]
async fn a_send_window_falls_back_when_nothing_is_sent() {
    let (memory, tasks) = (Memory::new(u64::MAX), TaskScope::new("test"));
    let mut pair = Pair::scoped(Config::default(), Duration::from_millis(50), memory.clone()).await;
    pair.drive_theirs(&tasks);
    let (mut ours, mut theirs) = pair.stream().await;
    let sending = async {
        theirs.write_all(&vec![5; 16 * MIB]).await.expect("written");
        theirs.shutdown().await.expect("finished");
    };
    let mut all = Vec::new();
    let (_, read) = tokio::join!(sending, ours.read_to_end(&mut all));
    read.expect("read");
    assert!(memory.used() > 0, "it has grown");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(memory.used(), 0);
}

/// Writes until the stream takes nothing more.
pub(super) async fn fill(stream: &mut Stream) -> usize {
    let block = [3; 16 * 1024];
    let mut sent = 0;
    while let Ok(written) = timeout(Duration::from_secs(1), stream.write(&block)).await {
        sent += written.expect("written");
        assert!(sent < 64 * MIB, "nobody reads it");
    }
    sent
}

/// Moves `length` bytes over one stream, and says how long that took.
pub(super) async fn send(pair: &mut Pair, length: usize) -> Duration {
    let (mut ours, mut theirs) = pair.stream().await;
    let begun = now();
    let sending = async {
        let block = vec![5; 64 * 1024];
        for _ in 0..length / block.len() {
            ours.write_all(&block).await.expect("written");
        }
        ours.shutdown().await.expect("finished");
    };
    let receiving = async {
        let mut seen = 0;
        while let Some(chunk) = poll_fn(|cx| theirs.poll_chunk(cx, MIB)).await.expect("read") {
            seen += chunk.len();
        }
        seen
    };
    let ((), seen) = tokio::join!(sending, receiving);
    assert_eq!(seen, length);
    now() - begun
}

#[tokio::test(start_paused = true)]
async fn one_stream_fills_a_long_path_as_soon_as_its_sender_does() {
    // 1 Gbit/s over a round trip of 100 ms.
    const PATH: u64 = 12_500_000;
    // What one peer may have by default: four fifths of 16 MiB.
    let memory = Memory::new(16 * MIB as u64 / 5 * 4);
    let mut pair = Pair::scoped(Config::default(), Duration::from_millis(50), memory.clone()).await;
    let took = send(&mut pair, 64 * MIB).await;
    let most = memory.most.load(Ordering::SeqCst);
    assert!(most >= PATH, "{most} bytes");
    // A congestion window of 12 KB doubles each round trip: after ten of them the path is full, and five more move the rest.
    let trips = took.as_millis() / 100;
    assert!(trips <= 17, "{trips} round trips");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_leaves_room_for_others() {
    let (memory, tasks) = (Memory::new(MIB as u64), TaskScope::new("test"));
    let mut pair = Pair::scoped(Config::default(), Duration::from_millis(1), memory.clone()).await;
    pair.drive_theirs(&tasks);
    let (mut slow, mut unread) = pair.stream().await;
    slow.write_all(&vec![3; 800 * 1024]).await.expect("it gets room");
    let took = send(&mut pair, 8 * MIB).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    sleep(Duration::from_secs(60)).await;
    let mut held = vec![0; 800 * 1024];
    unread
        .read_exact(&mut held)
        .await
        .expect("nobody needed its room");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_gives_way_to_others() {
    let (memory, tasks) = (Memory::new(768 * 1024), TaskScope::new("test"));
    let mut pair = Pair::scoped(Config::default(), Duration::from_millis(1), memory.clone()).await;
    pair.drive_theirs(&tasks);
    let (mut slow, mut unread) = pair.stream().await;
    let (mut quiet, mut waits) = pair.stream().await;
    let (done, waiting) = oneshot::channel();
    tasks.spawn("reader", async move { drop(done.send(waits.read_u8().await)) });
    let (held, begun) = (fill(&mut slow).await, now());
    // One byte of each has been read.
    assert_eq!(held, MIB);
    assert_eq!(
        memory.used(),
        768 * 1024,
        "what lies unread is reserved, beyond the first window"
    );
    send(&mut pair, 2 * MIB).await;
    let took = now() - begun;
    assert!(took < Duration::from_secs(6), "{took:?}");
    let error = slow.write_all(&[3; 1024]).await.expect_err("it was refused");
    assert_eq!(reset_code(&error), Some(code::stream::RESOURCE_LIMIT), "{error}");
    let error = unread.read_u8().await.expect_err("it was given up");
    assert!(
        error
            .get_ref()
            .is_some_and(<dyn Error + Send + Sync>::is::<StreamAbandoned>),
        "{error}"
    );
    quiet.write_u8(7).await.expect("written");
    let read = timeout(Duration::from_secs(1), waiting)
        .await
        .expect("it is woken");
    let read = read.expect("it ends");
    assert_eq!(read.expect("a stream that is waited for stays"), 7);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_keeps_its_stream() {
    let tasks = TaskScope::new("test");
    let mut pair = Pair::new(Config::default(), Duration::from_millis(1)).await;
    pair.drive_theirs(&tasks);
    let (mut ours, mut theirs) = pair.stream().await;
    let sending = async { ours.write_all(&vec![3; 2 * MIB]).await };
    let reading = async {
        let mut buffer = vec![0; 8 * 1024];
        for _ in 0..256 {
            sleep(Duration::from_secs(1)).await;
            theirs.read_exact(&mut buffer).await.expect("read");
        }
    };
    let (sent, ()) = tokio::join!(sending, reading);
    sent.expect("written");
}

#[derive(Default)]
struct Wakes(AtomicU64);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_wakes_the_driver_of_a_connection_at_rest() {
    let mut pair = Pair::new(Config::default(), Duration::from_millis(50)).await;
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let poll = |pair: &mut Pair| {
        let polled = pair
            .theirs
            .muxed
            .driver
            .poll_unpin(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    };
    poll(&mut pair);
    send(&mut pair, MIB / 16).await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0, "a small window is enough");
    send(&mut pair, 4 * MIB).await;
    while wakes.0.swap(0, Ordering::SeqCst) > 0 {
        poll(&mut pair);
        sleep(Duration::from_secs(5)).await;
    }
    sleep(Duration::from_secs(20)).await;
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0, "the windows have fallen back");
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
