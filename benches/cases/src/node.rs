//! What a library has to offer to be measured.

use crate::BenchError;
use bytes::Bytes;
use std::{io, net::Ipv4Addr};

/// What a stream is for: a protocol of its own for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// Reads to the end, then ends.
    Sink,
    /// Reads how much is wanted, sends it, ends.
    Source,
    /// Reads to the end, answers, ends.
    Request,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sink, Self::Source, Self::Request];

    /// The name of the protocol.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Sink => "/sinew/bench/sink/1.0.0",
            Self::Source => "/sinew/bench/source/1.0.0",
            Self::Request => "/sinew/bench/request/1.0.0",
        }
    }

    /// The service with this protocol.
    #[must_use]
    pub fn named(protocol: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.protocol() == protocol)
    }

    /// Where nothing negotiates: the first byte of a stream.
    #[must_use]
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// The service with this first byte.
    #[must_use]
    pub fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.byte() == byte)
    }
}

/// A node that listens, for as long as this is kept.
pub struct Served<N> {
    /// Where, as [`Node::dial`] takes it.
    pub addr: String,
    /// What keeps it running.
    pub node: N,
}

/// A node of one library.
pub trait Node: Sized + Send + Sync + 'static {
    /// The library's name and version.
    const LIBRARY: (&'static str, &'static str);

    /// A connection of it.
    type Connection: Connection;

    /// A node with a fresh identity that listens on a free port of this address and serves every [`Service`] with
    /// [`serve`](crate::serve).
    fn listener(stack: &str, ip: Ipv4Addr) -> impl Future<Output = Result<Served<Self>, BenchError>> + Send;

    /// A node with a fresh identity that dials.
    fn dialer(stack: &str) -> impl Future<Output = Result<Self, BenchError>> + Send;

    /// Dials until the connection is established.
    fn dial(&self, addr: &str) -> impl Future<Output = Result<Self::Connection, BenchError>> + Send;
}

/// A connection of a library.
pub trait Connection: Send + Sync + 'static {
    /// A stream of it.
    type Stream: Stream;

    /// Opens a stream, as lazily as the library does it by default.
    fn open(&self, service: Service) -> impl Future<Output = Result<Self::Stream, BenchError>> + Send;

    /// Closes, and waits until this side has closed.
    fn close(self) -> impl Future<Output = Result<(), BenchError>> + Send;
}

/// A stream of a library, in the form that the library moves bytes best.
pub trait Stream: Send + 'static {
    /// What arrived, nothing at the end.
    fn read(&mut self) -> impl Future<Output = io::Result<&[u8]>> + Send;

    /// Writes all of it.
    fn write(&mut self, chunk: Bytes) -> impl Future<Output = io::Result<()>> + Send;

    /// Ends our direction, after all that was written.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}
