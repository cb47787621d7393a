//! Byte streams: what transports give and security wraps.

use tokio::io::{AsyncRead, AsyncWrite};

/// An ordered, reliable stream of bytes in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for T {}

/// A byte stream whose type is of no interest.
pub type BoxedIo = Box<dyn ByteStream>;
