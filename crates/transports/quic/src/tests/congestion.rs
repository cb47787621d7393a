//! What leaves although the congestion window is full.

use std::time::Duration;

use sinew_core::{CloseReason, code};
use sinew_runtime::{TaskScope, now, sleep, timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    bare::{Bare, HERE},
    net::Network,
    rig::{Pair, Stream, listening, serve},
};
use crate::{Config, congestion::AWAKE};

const LATENCY: Duration = Duration::from_millis(1);

/// How long quinn may keep an acknowledgement back, which a probe waits for.
const DELAY: Duration = Duration::from_millis(25);

/// More than the windows of some round trips take.
const LENGTH: usize = 512 * 1024;

async fn send_block(stream: &mut (impl AsyncWriteExt + Unpin)) {
    stream.write_all(&[7; LENGTH]).await.expect("written");
}

async fn send(stream: &mut (impl AsyncWriteExt + Unpin)) {
    send_block(stream).await;
    stream.shutdown().await.expect("finished");
}

async fn receive(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("read");
    assert_eq!(all.len(), LENGTH);
}

async fn exchange(stream: Stream) {
    let (mut read, mut write) = tokio::io::split(stream);
    tokio::join!(send(&mut write), receive(&mut read));
}

#[tokio::test(start_paused = true)]
async fn two_that_send_at_once_do_not_wait_for_each_other() {
    let mut pair = Pair::new(Config::default(), LATENCY).await;
    let (ours, theirs) = pair.stream().await;
    // Nothing of the handshake is on its way any more.
    sleep(Duration::from_secs(1)).await;
    let begun = now();
    tokio::join!(exchange(ours), exchange(theirs));
    let took = now() - begun;
    assert!(took < DELAY, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_leaves_in_the_middle_of_a_transfer() {
    let mut pair = Pair::new(Config::default(), LATENCY).await;
    let (mut ours, _theirs) = pair.stream().await;
    // As much leaves as the window lets.
    let sent = timeout(LATENCY, ours.write_all(&[7; LENGTH])).await;
    assert!(sent.is_err(), "there is more than that");
    pair.ours.muxed.handle.close(code::connection::GARBAGE_COLLECTED);
    let begun = now();
    let (_, reason) = tokio::join!(pair.ours.muxed.driver, pair.theirs.muxed.driver);
    assert!(
        matches!(reason, CloseReason::Remote(code::connection::GARBAGE_COLLECTED)),
        "{reason}"
    );
    assert!(now() - begun < 3 * LATENCY);
}

/// The congestion window after much was sent and came back, over a path without loss.
async fn window_after_much(latency: Duration) -> u64 {
    let network = Network::new(latency);
    let node = network.node(Config::high_throughput());
    let (listener, addr) = listening(&node).await;
    let tasks = TaskScope::new("test");
    serve(listener, &tasks);
    let bare = Bare::new(&network, HERE);
    let connection = bare.dial(&addr).await.expect("connects");
    let (mut write, mut read) = connection.open_bi().await.expect("opens");
    let sending = async {
        for _ in 0..32 {
            send_block(&mut write).await;
        }
        write.finish().expect("finished");
    };
    let receiving = async { while read.read_chunk(LENGTH, true).await.expect("read").is_some() {} };
    tokio::join!(sending, receiving);
    connection.stats().path.cwnd
}

#[tokio::test(start_paused = true)]
async fn the_window_ends_where_it_fills_the_path() {
    let short = window_after_much(Duration::ZERO).await;
    assert!((AWAKE..2 * AWAKE).contains(&short), "{short}");
    let long = window_after_much(Duration::from_millis(20)).await;
    assert!(long > 4 * AWAKE, "{long}");
}
