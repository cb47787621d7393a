//! One UDP socket of the transport: quinn's endpoint over it, and what goes past quinn.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, Endpoint, EndpointConfig, ServerConfig, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use sinew_core::Reservation;
use sinew_machine::Budget;
use sinew_runtime::now;

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
    pub(crate) fn new(udp: Sparing, server: Option<ServerConfig>, tasks: Arc<Tasks>) -> io::Result<Self> {
        let local = udp.local_addr()?;
        let udp: Arc<dyn AsyncUdpSocket> = Arc::new(udp);
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

/// A socket that fills few buffers at once, and does not tell every stranger which versions there are.
#[derive(Debug)]
pub(crate) struct Sparing {
    udp: Arc<dyn AsyncUdpSocket>,
    /// What one for a single connection takes from its limits: a socket lives until quinn has forgotten its connections.
    _descriptor: Option<Reservation>,
    /// For answers to versions that are not ours: in a flood of those they are most of the cost.
    answers: Mutex<Budget>,
}

impl Sparing {
    pub(crate) fn new(udp: Arc<dyn AsyncUdpSocket>, descriptor: Option<Reservation>) -> Self {
        Self {
            udp,
            _descriptor: descriptor,
            answers: Mutex::new(Budget::new(now())),
        }
    }

    fn may_answer(&self) -> bool {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.charge(now(), 1).is_ok()
    }
}

/// RFC 9000, section 17.2.1: a long header with version 0.
fn is_version_negotiation(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 0, 0, 0, 0, ..] if first & 0x80 != 0)
}

impl AsyncUdpSocket for Sparing {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.udp.clone().create_io_poller()
    }

    /// RFC 9000, section 6.1: a server may limit how many versions it negotiates.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if is_version_negotiation(transmit.contents) && !self.may_answer() {
            return Ok(());
        }
        self.udp.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let few = BATCH.min(buffers.len());
        self.udp.poll_recv(cx, &mut buffers[..few], &mut metas[..few])
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.udp.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.udp.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.udp.may_fragment()
    }
}
