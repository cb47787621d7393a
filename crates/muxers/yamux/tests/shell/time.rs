//! What time does: keep-alive, goodbyes that nobody takes.

use crate::pair::{Share, Side, pair, pair_with, read, read_all, write};
use sinew_core::{CloseCode, CloseReason, Role};
use sinew_runtime::now;
use sinew_yamux::Config;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn idle_connections_ping_and_live() {
    let (dialer, listener) = pair();
    tokio::time::sleep(SECOND * 300).await;
    assert!(dialer.handle.rtt().is_some() && listener.handle.rtt().is_some());
    dialer.handle.close(CloseCode::NONE);
    assert!(matches!(
        listener.handle.closed().await,
        CloseReason::Remote(CloseCode::NONE)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up_after_forty_seconds() {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let dialer = Side::new(Box::new(near), Role::Dialer, Config::default());
    let start = now();
    let reason = dialer.handle.closed().await;
    assert!(matches!(reason, CloseReason::TimedOut(_)), "{reason}");
    assert!(
        now() - start < SECOND * 41,
        "30 s until the ping, 10 s for the answer"
    );
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.unwrap();
    assert_eq!(
        heard,
        [
            [0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        ]
        .concat()
    );
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_nobody_takes_is_given_up() {
    let (near, _far) = tokio::io::duplex(64);
    let dialer = Side::new(Box::new(near), Role::Dialer, Config::default());
    let mut stream = dialer.open().await;
    write(&mut *stream, vec![0; 1000]).await.unwrap();
    tokio::task::yield_now().await;
    let start = now();
    dialer.handle.close(CloseCode::NONE);
    assert!(matches!(
        dialer.handle.closed().await,
        CloseReason::Local(CloseCode::NONE)
    ));
    assert!((SECOND * 3..SECOND * 4).contains(&(now() - start)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_writes_to_is_acknowledged_soon() {
    let (dialer, mut listener) = pair();
    let mut streams = Vec::new();
    for _ in 0..256 {
        let mut stream = dialer.open().await;
        write(&mut *stream, "one way").await.unwrap();
        streams.push(stream);
        let mut accepted = listener.accept().await.unwrap();
        assert_eq!(read(&mut *accepted).await.unwrap().unwrap(), "one way");
        streams.push(accepted);
    }
    let start = now();
    dialer.open().await;
    assert!(now() - start <= Duration::from_millis(20));
}

#[tokio::test(start_paused = true)]
async fn closing_waits_asleep_for_a_peer_that_has_closed_and_takes_nothing() {
    let (near, mut far) = tokio::io::duplex(64);
    let dialer = Side::new(Box::new(near), Role::Dialer, Config::default());
    let mut stream = dialer.open().await;
    write(&mut *stream, vec![0; 1000]).await.unwrap();
    dialer.handle.close(CloseCode::NONE);
    far.shutdown().await.unwrap();
    let start = now();
    assert!(matches!(
        dialer.handle.closed().await,
        CloseReason::Local(CloseCode::NONE)
    ));
    assert!(
        (SECOND * 3..SECOND * 4).contains(&(now() - start)),
        "a driver that spins never lets the clock move"
    );
}

#[tokio::test(start_paused = true)]
async fn closing_a_connection_whose_peer_is_gone_is_quick() {
    let (near, far) = tokio::io::duplex(64);
    let dialer = Side::new(Box::new(near), Role::Dialer, Config::default());
    let mut stream = dialer.open().await;
    write(&mut *stream, vec![0; 1000]).await.unwrap();
    dialer.handle.close(CloseCode::NONE);
    drop(far);
    let start = now();
    assert!(matches!(
        dialer.handle.closed().await,
        CloseReason::Local(CloseCode::NONE)
    ));
    assert!(now() - start < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_share_reads_on_when_others_have_read() {
    const ALL: usize = 200 << 10;
    let share = Arc::new(Share::of(0));
    let (near, far) = tokio::io::duplex(4096);
    let dialer = Side::new(Box::new(near), Role::Dialer, Config::default());
    let mut listener = Side::within(Box::new(far), Role::Listener, Config::default(), share.clone());
    let mut stream = dialer.open().await;
    write(&mut *stream, vec![7; ALL])
        .await
        .expect("within its window");
    let mut heard = listener.accept().await.expect("arrives");
    tokio::time::sleep(SECOND * 5).await;
    let noted = share.noted.load(Ordering::Relaxed) as usize;
    assert!(0 < noted && noted < ALL / 2, "it stopped at {noted} bytes");
    share.bytes.store(u64::MAX, Ordering::Relaxed);
    let begun = now();
    let mut received = 0;
    while received < ALL {
        let chunk = std::future::poll_fn(|cx| heard.poll_chunk(cx, usize::MAX)).await;
        received += chunk.expect("lives").expect("goes on").len();
    }
    assert!(
        now() - begun < Duration::from_millis(500),
        "it asks again now and then"
    );
    // The buffers that the last chunks lay in are noted as free when the connection rests.
    tokio::time::sleep(SECOND * 2).await;
    assert_eq!(share.noted.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_left_half_open_is_reset_on_a_connection_where_nothing_else_happens() {
    let mut quiet = Config::default();
    quiet.keep_alive = None;
    let (dialer, mut listener) = pair_with(quiet.clone(), quiet);
    let mut stream = dialer.open().await;
    write(&mut *stream, "question").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = listener.accept().await.unwrap();
    tokio::time::sleep(SECOND).await;
    let start = now();
    drop(stream);
    let reset = std::future::poll_fn(|cx| heard.poll_reset(cx));
    tokio::time::timeout(SECOND * 60, reset).await.expect("reset");
    let waited = now() - start;
    assert!((SECOND * 30..SECOND * 31).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_finished_before_a_close_arrives_although_its_stream_is_dropped() {
    let (dialer, mut listener) = pair();
    let mut stream = dialer.open().await;
    write(&mut *stream, vec![7; 100_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    dialer.handle.close(CloseCode::NONE);
    drop(stream);
    let mut heard = listener.accept().await.unwrap();
    assert_eq!(read_all(&mut *heard).await.unwrap().len(), 100_000);
}
