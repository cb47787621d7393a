//! One UDP socket of the transport: quinn's endpoint over it, and what goes past quinn.

use std::{io, net::SocketAddr, sync::Arc};

use quinn::{AsyncUdpSocket, Endpoint, EndpointConfig, ServerConfig, udp::Transmit};

use crate::{punch::Expected, runtime::Tasks};

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
