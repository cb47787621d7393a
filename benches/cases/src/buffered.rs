//! A stream of bytes that are read into a buffer.

use crate::{Service, Stream};
use bytes::Bytes;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What one read of a bulk stream takes at most: as much as one write gives.
const BULK: usize = 64 << 10;

/// What one read of a request takes at most: more than either direction has.
const SHORT: usize = 64;

/// Any bytes as a [`Stream`].
#[derive(Debug)]
pub struct Buffered<T> {
    io: T,
    buffer: Box<[u8]>,
}

impl<T> Buffered<T> {
    /// With a buffer as the service needs it.
    pub fn new(io: T, service: Service) -> Self {
        let size = if service == Service::Request { SHORT } else { BULK };
        Self {
            io,
            buffer: vec![0; size].into_boxed_slice(),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for Buffered<T> {
    async fn read(&mut self) -> io::Result<&[u8]> {
        let read = self.io.read(&mut self.buffer).await?;
        Ok(&self.buffer[..read])
    }

    async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        self.io.write_all(&chunk).await
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }
}
