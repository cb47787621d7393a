//! One UDP socket of the transport: quinn's endpoint over it, and what goes past quinn.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, Endpoint, EndpointConfig, ServerConfig, UdpPoller,
    udp::{RecvMeta, Transmit},
};

use crate::{punch::Expected, runtime::Tasks};

/// Buffers that are filled in one go. quinn lends 32 of 92 KiB each, and a page that was once written to stays resident: a
/// crowded socket would hold them all. What eight of them save in system calls is most of what 32 do.
const BATCH: usize = 8;

/// One UDP socket. It lives as long as somebody holds it or a connection runs over it.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) endpoint: Endpoint,
    pub(crate) local: SocketAddr,
    /// Who is expected through holes in NATs.
    pub(crate) expected: Expected,
    udp: Arc<dyn AsyncUdpSocket>,
}

impl Socket {
    /// An endpoint over `udp`, which listens if it has a configuration for that.
    pub(crate) fn new(
        udp: Arc<dyn AsyncUdpSocket>,
        server: Option<ServerConfig>,
        tasks: Arc<Tasks>,
    ) -> io::Result<Self> {
        let local = udp.local_addr()?;
        let udp: Arc<dyn AsyncUdpSocket> = Arc::new(Sparing(udp));
        let endpoint =
            Endpoint::new_with_abstract_socket(EndpointConfig::default(), server, udp.clone(), tasks)?;
        Ok(Self {
            endpoint,
            local,
            expected: Expected::default(),
            udp,
        })
    }

    /// Our end of a connection to `remote`.
    pub(crate) fn local_towards(&self, remote: SocketAddr) -> io::Result<SocketAddr> {
        if !self.local.ip().is_unspecified() {
            return Ok(self.local);
        }
        let ip = sinew_socket::source_ip(remote)?;
        Ok(SocketAddr::new(ip, self.local.port()))
    }

    /// Our end of a connection that came in.
    pub(crate) fn local_of(&self, incoming: &quinn::Incoming) -> SocketAddr {
        let ip = incoming.local_ip().unwrap_or(self.local.ip());
        SocketAddr::new(ip, self.local.port())
    }

    /// Sends a datagram that is no packet of QUIC.
    pub(crate) fn send(&self, destination: SocketAddr, contents: &[u8]) -> io::Result<()> {
        self.udp.try_send(&Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: None,
            src_ip: None,
        })
    }
}

/// A socket that fills few buffers at once.
#[derive(Debug)]
struct Sparing(Arc<dyn AsyncUdpSocket>);

impl AsyncUdpSocket for Sparing {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.0.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let few = BATCH.min(buffers.len());
        self.0.poll_recv(cx, &mut buffers[..few], &mut metas[..few])
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.0.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.0.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.0.may_fragment()
    }
}
