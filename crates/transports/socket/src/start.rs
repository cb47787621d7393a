//! What a TCP connection begins with, which says whose it is where several transports share a port.

use std::io;

use sinew_machine::{Blame, Culpable};
use tokio::net::TcpStream;

/// The first byte of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Start {
    /// multistream-select: its header is 19 bytes long, and the length comes first.
    Multistream,
    /// An HTTP request: `GET`.
    Http,
    /// A record of a TLS handshake.
    Tls,
}

impl Start {
    /// What begins with `byte`.
    #[must_use]
    pub fn of(byte: u8) -> Option<Self> {
        match byte {
            0x13 => Some(Self::Multistream),
            b'G' => Some(Self::Http),
            // spec: RFC 8446, 5.1: the record type `handshake`.
            0x16 => Some(Self::Tls),
            _ => None,
        }
    }
}

/// A connection that nobody on its port can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection begins with {0:#04x}, and nothing that is listened for here begins so")]
pub struct UnknownStart(pub u8);

impl Culpable for UnknownStart {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// Waits for the first byte, and leaves it where it is.
pub(crate) async fn first_byte(stream: &TcpStream) -> io::Result<u8> {
    let mut first = [0; 1];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        assert_eq!(
            Start::of(b"\x13/multistream/1.0.0\n"[0]),
            Some(Start::Multistream)
        );
        assert_eq!(Start::of(b"GET / HTTP/1.1"[0]), Some(Start::Http));
        assert_eq!(Start::of(0x16), Some(Start::Tls));
        let known = (0..=u8::MAX).filter(|byte| Start::of(*byte).is_some()).count();
        assert_eq!(known, 3);
    }
}
