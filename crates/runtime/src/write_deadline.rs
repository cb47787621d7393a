//! A byte stream that gives up when its other end takes nothing.

use crate::{Timer, now};
use sinew_machine::Instant;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long bytes may wait while none are taken: long enough for a link that was lost and came back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes whose writes fail with [`io::ErrorKind::TimedOut`] once none were taken for 10 s although some waited.
///
/// Transports put it right around the socket: a layer above that gathers what it sends sees a slow link stand still.
#[derive(Debug)]
pub struct WriteDeadline<T> {
    io: T,
    /// When the write that waits fails.
    deadline: Option<Instant>,
    /// What the timer is set for. It is moved only once it has come: it may be early.
    armed: Option<Instant>,
    timer: Timer,
}

impl<T> WriteDeadline<T> {
    /// Watches the writes of `io`.
    pub fn new(io: T) -> Self {
        Self {
            io,
            deadline: None,
            armed: None,
            timer: Timer::new(),
        }
    }

    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let deadline = *self.deadline.get_or_insert_with(|| now() + PATIENCE);
        while self
            .timer
            .poll(cx, Some(*self.armed.get_or_insert(deadline)))
            .is_ready()
        {
            self.armed = None;
            if now() >= deadline {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the remote has taken no bytes for 10 s",
                )));
            }
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WriteDeadline<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, out)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sleep, timeout};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_remote_that_takes_nothing_is_given_up() {
        let (ours, _theirs) = duplex(10);
        let mut ours = WriteDeadline::new(ours);
        let began = now();
        let error = ours.write_all(&[0; 11]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(now() - began, PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_takes_a_byte_now_and_then_is_not() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = WriteDeadline::new(ours);
        let reading = async {
            for _ in 0..20 {
                sleep(PATIENCE * 9 / 10).await;
                theirs.read_u8().await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 20]), reading);
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn time_without_anything_to_write_does_not_count() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = WriteDeadline::new(ours);
        for _ in 0..3 {
            let blocked = timeout(PATIENCE * 9 / 10, ours.write_all(&[0; 2])).await;
            assert!(blocked.is_err(), "there was room for one byte");
            theirs.read_u8().await.unwrap();
            ours.write_all(&[0]).await.unwrap();
            theirs.read_u8().await.unwrap();
            sleep(PATIENCE).await;
        }
    }
}
