//! Streams that are read slowly or not at all, and what becomes of the others of their connection.

use std::time::Duration;

use sinew_core::{CloseCode, StreamReset};
use sinew_runtime::{TaskScope, sleep, timeout};
use sinew_socket::quic_addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    rig::{Memory, Pair, Stream},
    windows::{fill, send},
};
use crate::Config;

const KIB: usize = 1024;

const LATENCY: Duration = Duration::from_millis(1);

/// What may be unread on a new connection.
const FIRST: usize = 256 * KIB;

/// How long others may be held up, with what it takes to see that and to go on.
const HELD_UP: Duration = Duration::from_secs(7);

/// Nothing is sent by the way.
fn silent() -> Config {
    let config = Config::default();
    Config {
        keep_alive: None,
        max_send_window: config.send_window,
        ..config
    }
}

/// Two nodes of which the accepting one drives its end, and may hold `memory` beyond the first windows.
async fn pair(config: Config, latency: Duration, memory: u64) -> (Pair, TaskScope) {
    let tasks = TaskScope::new("test");
    let mut pair = Pair::scoped(config, latency, Memory::new(memory)).await;
    pair.drive_theirs(&tasks);
    (pair, tasks)
}

async fn read(stream: &mut Stream, length: usize) {
    let mut held = vec![0; length];
    stream.read_exact(&mut held).await.expect("it was not given up");
}

/// What a remote is told can be told twice: an acknowledgement that gets lost is enough.
#[tokio::test(start_paused = true)]
async fn a_repeated_frame_is_not_taken_for_more_room() {
    let (mut pair, _tasks) = pair(Config::default(), LATENCY, 2 * KIB as u64).await;
    let (mut slow, _unread) = pair.stream().await;
    let sender = quic_addr(&pair.theirs.remote).expect("an address of QUIC");
    pair.network.stumble(sender);
    fill(&mut slow).await;
    let sending = timeout(HELD_UP, send(&mut pair, 512 * KIB)).await;
    sending.expect("the stream that nobody reads gives way");
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_waits_is_heard_of_when_nothing_else_is_sent() {
    let (mut pair, _tasks) = pair(silent(), LATENCY, 0).await;
    let (mut slow, _unread) = pair.stream().await;
    // All of the window, and no write that has to wait.
    slow.write_all(&vec![3; FIRST - 1]).await.expect("written");
    sleep(Duration::from_secs(1)).await;
    let sending = timeout(HELD_UP, send(&mut pair, 512 * KIB)).await;
    sending.expect("the stream that nobody reads gives way");
}

/// The remote says that it is held up when it has just been told of more room, and then needs no more.
#[tokio::test(start_paused = true)]
async fn a_reader_that_stays_away_while_nobody_is_held_up_keeps_its_stream() {
    let (mut pair, _tasks) = pair(Config::default(), Duration::from_millis(50), 0).await;
    let (mut ours, mut theirs) = pair.stream().await;
    ours.write_all(&vec![3; FIRST - KIB]).await.expect("written");
    sleep(Duration::from_secs(2)).await;
    let more = vec![3; 64 * KIB];
    let (written, ()) = tokio::join!(ours.write_all(&more), read(&mut theirs, 128 * KIB));
    written.expect("written");
    sleep(Duration::from_secs(60)).await;
    read(&mut theirs, 191 * KIB).await;
}

/// A stream whose window is nearly all that there is leaves room for others, which is told of in small steps.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_keeps_its_stream_while_others_go_on() {
    let held = FIRST - 16 * KIB;
    let config = Config {
        stream_window: u32::try_from(held).expect("it fits"),
        ..Config::default()
    };
    let (mut pair, _tasks) = pair(config, LATENCY, 0).await;
    let (mut slow, mut unread) = pair.stream().await;
    let sent = fill(&mut slow).await;
    assert_eq!(sent, held - 1, "one byte was read");
    send(&mut pair, 1024 * KIB).await;
    read(&mut unread, sent).await;
}

#[tokio::test(start_paused = true)]
async fn several_streams_that_nobody_reads_give_way_together() {
    let (mut pair, _tasks) = pair(Config::default(), LATENCY, FIRST as u64).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let (mut slow, unread) = pair.stream().await;
        slow.write_all(&vec![3; 60 * KIB]).await.expect("written");
        held.push((slow, unread));
    }
    let (mut slow, _unread) = pair.stream().await;
    fill(&mut slow).await;
    let sending = timeout(HELD_UP, send(&mut pair, 1024 * KIB)).await;
    sending.expect("they give way");
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_was_looked_at_is_still_one() {
    let (mut pair, _tasks) = pair(Config::default(), LATENCY, 0).await;
    let (mut ours, mut reset) = pair.stream().await;
    let (mut slow, _unread) = pair.stream().await;
    ours.write_all(b"in vain").await.expect("written");
    ours.reset(CloseCode(7));
    fill(&mut slow).await;
    send(&mut pair, KIB * 64).await;
    let error = reset.read_u8().await.expect_err("the remote gave it up");
    let code = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<StreamReset>());
    assert_eq!(code.map(|reset| reset.0), Some(CloseCode(7)), "{error}");
}
