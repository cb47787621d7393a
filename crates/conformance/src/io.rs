//! Byte streams that misbehave as networks do, and futures that are dropped in the middle.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use sinew_core::BoxedIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Bytes that a direction of a test connection holds.
const BUFFER: usize = 64 * 1024;

/// Two ends of one connection.
pub(crate) fn pair() -> (BoxedIo, BoxedIo) {
    let (left, right) = tokio::io::duplex(BUFFER);
    (Box::new(left), Box::new(right))
}

/// Two ends of one connection that moves at most three bytes at a time.
pub(crate) fn trickling_pair() -> (BoxedIo, BoxedIo) {
    let (left, right) = tokio::io::duplex(3);
    (Box::new(left), Box::new(right))
}

/// Polls `future` at most `polls` times and drops it then. `None` if it was not done.
pub(crate) async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        let Some(rest) = left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        left = rest;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Lets everything else go on. Not a mere yield: where nothing goes on, time has to pass, or a check that waits in a loop
/// would never be found to hang.
pub(crate) async fn moment() {
    sinew_runtime::sleep(Duration::from_millis(1)).await;
}

/// What one side of a connection wrote.
pub(crate) type Record = Arc<Mutex<Vec<u8>>>;

/// What is done to the bytes that one side writes.
#[derive(Clone, Default)]
pub(crate) struct Tamper {
    /// The connection breaks after so many bytes.
    pub(crate) cut: Option<usize>,
    /// The lowest bit of this byte is turned over.
    pub(crate) flip: Option<usize>,
    /// All bytes, as the side wrote them.
    pub(crate) record: Record,
    /// Whether the connection broke before a byte that the side wrote.
    pub(crate) cut_short: Arc<AtomicBool>,
}

impl Tamper {
    /// Two ends of one connection; what the left one writes is tampered with.
    pub(crate) fn pair(self) -> (BoxedIo, BoxedIo) {
        let (left, right) = tokio::io::duplex(BUFFER);
        let tampered = Tampered {
            io: Some(left),
            tamper: self,
            written: 0,
        };
        (Box::new(tampered), Box::new(right))
    }

    /// Whether the break kept back anything. Signatures differ in length, and so a handshake may be over before it.
    pub(crate) fn was_cut_short(&self) -> bool {
        self.cut_short.load(Ordering::Relaxed)
    }

    /// How many bytes were written.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Tampered {
    /// Gone once the connection is cut.
    io: Option<DuplexStream>,
    tamper: Tamper,
    written: usize,
}

impl Tampered {
    fn io(&mut self) -> io::Result<Pin<&mut DuplexStream>> {
        self.io
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::ConnectionReset.into())
    }

    /// The bytes that go on, of those that are written.
    fn pass(&self, bytes: &[u8]) -> Vec<u8> {
        let room = self.tamper.cut.map_or(bytes.len(), |cut| cut - self.written);
        if room < bytes.len() {
            self.tamper.cut_short.store(true, Ordering::Relaxed);
        }
        let mut passed = bytes[..room.min(bytes.len())].to_vec();
        let flipped = self.tamper.flip.and_then(|at| at.checked_sub(self.written));
        if let Some(byte) = flipped.and_then(|at| passed.get_mut(at)) {
            *byte ^= 1;
        }
        passed
    }
}

impl AsyncRead for Tampered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Tampered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let passed = self.pass(buf);
        if self.tamper.cut == Some(self.written) {
            self.io = None;
        }
        let taken = ready!(self.io()?.poll_write(cx, &passed))?;
        self.written += taken;
        let mut record = self.tamper.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.extend_from_slice(&buf[..taken]);
        drop(record);
        if self.tamper.cut == Some(self.written) {
            self.io = None;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(cx)
    }
}
