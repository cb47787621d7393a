//! Streams: bytes both ways, half-close, reset, many at once.

use crate::pair::{Share, Side, pair, read, read_all, write};
use sinew_core::{CloseCode, CloseReason, MuxError, MuxedConnection, Role, StreamClosed, StreamReset};
use sinew_runtime::TaskScope;
use sinew_yamux::Config;
use std::{future::poll_fn, io, sync::Arc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Echoes every stream of `side` until the connection ends.
async fn echo(mut side: Side) -> CloseReason {
    loop {
        let mut stream = match side.accept().await {
            Ok(stream) => stream,
            Err(reason) => return reason,
        };
        side.scope.spawn("echo", async move {
            while let Ok(Some(chunk)) = read(&mut *stream).await {
                if write(&mut *stream, chunk).await.is_err() {
                    return;
                }
            }
            let _ = stream.shutdown().await;
        });
    }
}

fn reset_code(error: &io::Error) -> Option<CloseCode> {
    error
        .get_ref()?
        .downcast_ref::<StreamReset>()
        .map(|reset| reset.0)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[tokio::test]
async fn five_mebibytes_come_back_as_they_went() {
    let (dialer, listener) = pair();
    dialer
        .scope
        .spawn("listener", async { drop(echo(listener).await) });
    let stream = dialer.open().await;
    let (mut reads, mut writes) = tokio::io::split(stream);
    let sent = pattern(5 << 20);
    let expected = sent.clone();
    dialer.scope.spawn("writer", async move {
        writes.write_all(&sent).await.expect("the echo reads");
        writes.shutdown().await.expect("once");
    });
    let mut heard = Vec::new();
    reads.read_to_end(&mut heard).await.unwrap();
    assert!(heard == expected);
}

/// Sends `len` bytes on a stream of `handle`'s connection, and hears them come back.
async fn ask_back(handle: Arc<dyn MuxedConnection>, tasks: &TaskScope, len: usize) {
    let stream = handle.open().await.expect("the connection is open");
    let (mut reads, mut writes) = tokio::io::split(stream);
    tasks.spawn("writer", async move {
        writes.write_all(&pattern(len)).await.expect("the echo reads");
        writes.shutdown().await.expect("once");
    });
    let mut heard = Vec::new();
    reads.read_to_end(&mut heard).await.expect("lives");
    assert!(heard == pattern(len));
}

#[tokio::test(start_paused = true)]
async fn echoes_of_sixteen_mebibytes_both_ways_pass_a_small_share() {
    const ALL: usize = 16 << 20;
    let (near, far) = tokio::io::duplex(64 * 1024);
    let share = || Arc::new(Share::of(64 << 10));
    let dialer = Side::within(Box::new(near), Role::Dialer, Config::default(), share());
    let listener = Side::within(Box::new(far), Role::Listener, Config::default(), share());
    let (dials, listens) = (dialer.handle.clone(), listener.handle.clone());
    let tasks = TaskScope::new("test");
    tasks.spawn("dialer", async { drop(echo(dialer).await) });
    tasks.spawn("listener", async { drop(echo(listener).await) });
    tokio::join!(ask_back(dials, &tasks, ALL), ask_back(listens, &tasks, ALL));
}

#[tokio::test]
async fn three_hundred_streams_at_once() {
    let (dialer, listener) = pair();
    dialer
        .scope
        .spawn("listener", async { drop(echo(listener).await) });
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(dialer.open().await);
    }
    for (at, stream) in streams.iter_mut().enumerate() {
        write(&mut **stream, pattern(at * 100)).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    for (at, stream) in streams.iter_mut().enumerate() {
        assert_eq!(
            read_all(&mut **stream).await.unwrap(),
            pattern(at * 100),
            "stream {at}"
        );
    }
}

#[tokio::test]
async fn opening_waits_while_256_are_unacknowledged() {
    let (dialer, mut listener) = pair();
    let mut opened = Vec::new();
    for _ in 0..256 {
        let mut stream = dialer.open().await;
        stream.flush().await.unwrap();
        opened.push(stream);
    }
    let mut waits = dialer.handle.open();
    let first = futures_poll(&mut waits).await;
    assert!(first.is_none(), "the 257th waits");
    drop(dialer.handle.open());
    let mut accepted = listener.accept().await.unwrap();
    write(&mut *accepted, "welcome").await.unwrap();
    waits.await.expect("one was acknowledged");
}

async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn the_answer_comes_after_the_half_close() {
    let (dialer, mut listener) = pair();
    let mut asks = dialer.open().await;
    write(&mut *asks, "question").await.unwrap();
    asks.shutdown().await.unwrap();
    asks.shutdown().await.expect("again is the same as once");
    assert_eq!(
        write(&mut *asks, "more").await.unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );

    let mut answers = listener.accept().await.unwrap();
    assert_eq!(read_all(&mut *answers).await.unwrap(), b"question");
    write(&mut *answers, "answer").await.unwrap();
    answers.shutdown().await.unwrap();
    drop(answers);
    assert_eq!(read_all(&mut *asks).await.unwrap(), b"answer");
}

#[tokio::test]
async fn a_reset_ends_both_directions_with_its_code() {
    let (dialer, mut listener) = pair();
    let mut ours = dialer.open().await;
    write(&mut *ours, "hello").await.unwrap();
    let mut theirs = listener.accept().await.unwrap();
    theirs.reset(CloseCode(0x1234));
    assert_eq!(poll_fn(|cx| ours.poll_reset(cx)).await, CloseCode(0x1234));
    assert_eq!(
        reset_code(&read(&mut *ours).await.unwrap_err()),
        Some(CloseCode(0x1234))
    );
    assert_eq!(
        reset_code(&write(&mut *ours, "x").await.unwrap_err()),
        Some(CloseCode(0x1234))
    );
}

#[tokio::test]
async fn an_unfinished_stream_is_reset_when_it_is_dropped() {
    let (dialer, mut listener) = pair();
    let mut ours = dialer.open().await;
    write(&mut *ours, "hello").await.unwrap();
    drop(listener.accept().await.unwrap());
    assert_eq!(
        reset_code(&read(&mut *ours).await.unwrap_err()),
        Some(CloseCode::NONE)
    );
}

#[tokio::test]
async fn stopping_discards_and_lets_the_writer_finish() {
    let (dialer, mut listener) = pair();
    let mut ours = dialer.open().await;
    write(&mut *ours, "x").await.unwrap();
    let mut theirs = listener.accept().await.unwrap();
    theirs.stop(CloseCode::NONE);
    write(&mut *ours, pattern(2 << 20))
        .await
        .expect("credit comes back");
    ours.shutdown().await.unwrap();
    assert!(read(&mut *theirs).await.unwrap().is_none());
    write(&mut *theirs, "still speaking").await.unwrap();
    theirs.shutdown().await.unwrap();
    assert_eq!(read_all(&mut *ours).await.unwrap(), b"still speaking");
}

#[tokio::test]
async fn a_writer_whose_reader_left_learns_it_after_a_window() {
    let (dialer, mut listener) = pair();
    let mut ours = dialer.open().await;
    write(&mut *ours, "x").await.unwrap();
    let mut theirs = listener.accept().await.unwrap();
    theirs.shutdown().await.unwrap();
    drop(theirs);
    let error = write(&mut *ours, pattern(2 << 20)).await.unwrap_err();
    assert_eq!(reset_code(&error), Some(CloseCode::NONE));
}

#[tokio::test]
async fn a_slow_reader_does_not_hold_up_a_fast_stream() {
    let (dialer, mut listener) = pair();
    let mut slow = dialer.open().await;
    write(&mut *slow, pattern(256 << 10)).await.unwrap();
    let unread = listener.accept().await.unwrap();
    let mut fast = dialer.open().await;
    let sent = pattern(3 << 20);
    let expected = sent.clone();
    dialer.scope.spawn("writer", async move {
        write(&mut *fast, sent).await.expect("there is a reader");
        fast.shutdown().await.expect("once");
        std::future::pending::<()>().await;
    });
    let mut quick = listener.accept().await.unwrap();
    assert!(read_all(&mut *quick).await.unwrap() == expected);
    drop(unread);
}

#[tokio::test]
async fn the_goodbye_carries_its_code_and_what_was_queued_arrives() {
    let (dialer, mut listener) = pair();
    let mut ours = dialer.open().await;
    write(&mut *ours, "last words").await.unwrap();
    ours.shutdown().await.unwrap();
    dialer.handle.close(CloseCode(0x1006));
    dialer.handle.close(CloseCode(7));
    let mut theirs = listener.accept().await.unwrap();
    assert_eq!(read_all(&mut *theirs).await.unwrap(), b"last words");
    assert!(matches!(
        listener.accept().await,
        Err(CloseReason::Remote(CloseCode(0x1006)))
    ));
    assert!(matches!(
        listener.handle.closed().await,
        CloseReason::Remote(CloseCode(0x1006))
    ));
    assert!(matches!(
        dialer.handle.closed().await,
        CloseReason::Local(CloseCode(0x1006))
    ));
    assert!(matches!(
        dialer.handle.open().await,
        Err(MuxError::Closed(CloseReason::Local(_)))
    ));
    let error = read(&mut *ours).await.unwrap_err();
    let closed = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<StreamClosed>());
    assert!(
        matches!(closed, Some(StreamClosed(CloseReason::Local(_)))),
        "{error}"
    );
}

#[tokio::test]
async fn a_dropped_driver_ends_everything() {
    let (dialer, mut listener) = pair();
    let mut ours = dialer.open().await;
    write(&mut *ours, "x").await.unwrap();
    let mut theirs = listener.accept().await.unwrap();
    dialer.scope.end(std::time::Duration::ZERO).await;
    assert!(read(&mut *ours).await.is_err());
    assert!(matches!(dialer.handle.closed().await, CloseReason::Lost(_)));
    assert_eq!(
        read(&mut *theirs).await.unwrap().unwrap(),
        "x",
        "what arrived can still be read"
    );
    assert!(read(&mut *theirs).await.is_err());
    assert!(matches!(listener.handle.closed().await, CloseReason::Lost(_)));
}
