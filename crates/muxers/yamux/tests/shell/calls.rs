//! Few, large calls: what a connection costs the layers below it.

use crate::pair::{Side, read, read_all, write};
use bytes::Bytes;
use sinew_core::Role;
use sinew_yamux::Config;
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

/// How often a pipe was asked to do something.
#[derive(Clone, Default)]
struct Calls {
    writes: Arc<AtomicUsize>,
    flushes: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
}

impl Calls {
    fn take(&self) -> [usize; 3] {
        [&self.writes, &self.flushes, &self.reads].map(|calls| calls.swap(0, Ordering::Relaxed))
    }
}

/// A pipe that takes several slices in one call, as sockets and secured channels do, and counts.
struct Counted {
    pipe: DuplexStream,
    calls: Calls,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.pipe).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.calls.reads.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let joined: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.poll_write(cx, &joined)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.calls.flushes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

fn counted() -> ((Side, Calls), (Side, Calls)) {
    let (near, far) = tokio::io::duplex(1 << 20);
    let side = |pipe, role| {
        let calls = Calls::default();
        let io = Box::new(Counted {
            pipe,
            calls: calls.clone(),
        });
        (Side::new(io, role, Config::default()), calls)
    };
    (side(near, Role::Dialer), side(far, Role::Listener))
}

#[tokio::test]
async fn a_request_is_one_write_and_one_flush_and_so_is_its_answer() {
    let ((dialer, ours), (mut listener, theirs)) = counted();
    for _ in 0..3 {
        let mut asks = dialer.open().await;
        asks.write_all(b"protocol").await.unwrap();
        asks.write_all(b"question").await.unwrap();
        asks.shutdown().await.unwrap();
        let mut answers = listener.accept().await.unwrap();
        assert_eq!(read_all(&mut *answers).await.unwrap(), b"protocolquestion");
        write(&mut *answers, "answer").await.unwrap();
        answers.shutdown().await.unwrap();
        drop(answers);
        assert_eq!(read_all(&mut *asks).await.unwrap(), b"answer");
        drop(asks);
        assert_eq!(
            ours.take(),
            [1, 1, 1],
            "writes, flushes, reads of the one who asks"
        );
        assert_eq!(theirs.take(), [1, 1, 1], "and of the one who answers");
    }
}

#[tokio::test]
async fn bulk_moves_in_large_calls() {
    const TOTAL: usize = 32 << 20;
    let ((dialer, ours), (mut listener, theirs)) = counted();
    let mut sends = dialer.open().await;
    dialer.scope.spawn("writer", async move {
        let block = Bytes::from(vec![7; 64 << 10]);
        for _ in 0..TOTAL / block.len() {
            write(&mut *sends, block.clone())
                .await
                .expect("there is a reader");
        }
        sends.shutdown().await.expect("once");
        std::future::pending::<()>().await;
    });
    let mut reads = listener.accept().await.unwrap();
    let (mut heard, mut chunks) = (0, 0);
    while let Some(chunk) = read(&mut *reads).await.unwrap() {
        heard += chunk.len();
        chunks += 1;
    }
    assert_eq!(heard, TOTAL);
    let ([writes, flushes, _], [updates, _, read_calls]) = (ours.take(), theirs.take());
    let mean = |calls: usize| TOTAL / calls / 1024;
    assert!(mean(writes) >= 64, "{} KiB a write", mean(writes));
    assert!(flushes <= writes + 1, "{flushes} flushes for {writes} writes");
    assert!(mean(read_calls) >= 64, "{} KiB a read", mean(read_calls));
    assert!(mean(chunks) >= 24, "{} KiB a chunk", mean(chunks));
    assert!(updates <= TOTAL / (128 << 10) + 2, "{updates} window updates");
}

/// One turn of a task that has more to do.
async fn turn() {
    let mut over = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut over, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn what_several_streams_say_while_all_are_busy_leaves_together() {
    const STREAMS: usize = 8;
    let ((dialer, ours), (mut listener, _)) = counted();
    for number in 0..STREAMS {
        let mut asks = dialer.open().await;
        dialer.scope.spawn("asks", async move {
            for _ in 0..number {
                turn().await;
            }
            write(&mut *asks, "question").await.expect("there is a reader");
            std::future::pending::<()>().await;
        });
    }
    for _ in 0..STREAMS {
        let mut answers = listener.accept().await.unwrap();
        assert_eq!(
            read(&mut *answers).await.unwrap().as_deref(),
            Some(&b"question"[..])
        );
    }
    let [writes, flushes, _] = ours.take();
    assert!(writes <= 2 && flushes <= 2, "{writes} writes, {flushes} flushes");
}
