//! Handshake records on their way out.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use sinew_core::BoxedIo;
use tokio::io::AsyncWrite;

/// Bytes that wait to be sent.
#[derive(Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    unflushed: bool,
}

impl Outgoing {
    /// Room for `len` bytes behind those that wait.
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        let start = self.bytes.len();
        self.bytes.resize(start + len, 0);
        self.unflushed = true;
        &mut self.bytes[start..]
    }

    /// Sends all.
    pub(super) async fn send(&mut self, io: &mut BoxedIo) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(io, cx)).await
    }

    pub(super) fn poll_send(&mut self, io: &mut BoxedIo, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            match ready!(Pin::new(&mut *io).poll_write(cx, &self.bytes[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                len => self.sent += len,
            }
        }
        self.bytes.clear();
        self.sent = 0;
        if self.unflushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
