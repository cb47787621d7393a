//! The wrapped connection.

use crate::{NONCE, PreSharedKey, cipher::Cipher};
use bytes::{Buf, BytesMut};
use sinew_core::BoxedIo;
use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Sealed bytes that may wait for the connection to take them: two of the largest messages of Noise.
const MOST: usize = 128 * 1024;

/// Room that is kept between writes.
const KEPT: usize = 16 * 1024;

/// A connection within a private network. Reads are opened in the reader's buffer; what is written is copied once, and
/// sealed there.
pub(crate) struct Protected {
    io: BoxedIo,
    reads: Reads,
    writes: Cipher,
    /// Sealed and not taken by the connection.
    waiting: BytesMut,
    shut_down: bool,
}

/// The way in, which begins with the nonce of the other side.
enum Reads {
    Nonce {
        key: PreSharedKey,
        nonce: [u8; NONCE],
        have: usize,
    },
    Bytes(Cipher),
}

/// The connection ended in the middle of the other side's nonce: found inside the `io::Error` of a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the connection ended after {0} of the 24 bytes of a private network's nonce")]
pub struct TruncatedNonce(pub usize);

impl From<TruncatedNonce> for io::Error {
    fn from(truncated: TruncatedNonce) -> Self {
        Self::new(io::ErrorKind::UnexpectedEof, truncated)
    }
}

impl Protected {
    pub(crate) fn new(io: BoxedIo, key: PreSharedKey, writes: Cipher) -> Self {
        Self {
            io,
            reads: Reads::Nonce {
                key,
                nonce: [0; NONCE],
                have: 0,
            },
            writes,
            waiting: BytesMut::new(),
            shut_down: false,
        }
    }

    /// The cipher of the way in; `None` when the connection ended before its first byte.
    fn poll_cipher(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<&mut Cipher>>> {
        if let Reads::Nonce { key, nonce, have } = &mut self.reads {
            while *have < NONCE {
                let mut room = ReadBuf::new(&mut nonce[*have..]);
                ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
                match (room.filled().len(), *have) {
                    (0, 0) => return Poll::Ready(Ok(None)),
                    (0, have) => return Poll::Ready(Err(TruncatedNonce(have).into())),
                    (count, _) => *have += count,
                }
            }
            let cipher = Cipher::new(key, nonce);
            // The key is forgotten here.
            self.reads = Reads::Bytes(cipher);
        }
        match &mut self.reads {
            Reads::Bytes(cipher) => Poll::Ready(Ok(Some(cipher))),
            Reads::Nonce { .. } => Poll::Pending,
        }
    }

    /// Hands on what was sealed, as much as the connection takes.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, &self.waiting))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(sent);
        }
        if self.waiting.capacity() > KEPT {
            self.waiting = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Protected {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if ready!(this.poll_cipher(cx))?.is_none() {
            return Poll::Ready(Ok(()));
        }
        let before = out.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, out))?;
        match &mut this.reads {
            Reads::Bytes(cipher) => Poll::Ready(cipher.apply(&mut out.filled_mut()[before..])),
            Reads::Nonce { .. } => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Protected {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if this.waiting.len() >= MOST {
            ready!(this.poll_send(cx))?;
        }
        let before = this.waiting.len();
        for slice in slices {
            let room = MOST - this.waiting.len();
            this.waiting.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        this.writes.apply(&mut this.waiting[before..])?;
        let taken = this.waiting.len() - before;
        // What the connection does not take yet leaves with the next write or flush.
        let _ = this.poll_send(cx)?;
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down = true;
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Debug for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protected").finish_non_exhaustive()
    }
}
