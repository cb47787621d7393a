//! The nodes of a run: the target's and those of honest peers.

use crate::error::AttackError;
use sinew_core::{Multiaddr, ProtocolId, Stream};
use sinew_host::HostBuilder;
use sinew_identity::{Keypair, PeerId};
use sinew_mplex::Mplex;
use sinew_noise::Noise;
use sinew_quic::QuicTransport;
use sinew_tcp::TcpTransport;
use sinew_tls::{Certificate, Tls};
use sinew_websocket::WebSocketTransport;
use sinew_yamux::Yamux;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The echo that the target serves: of the interop suite, so that its peers serve it too.
pub(crate) const ECHO: ProtocolId = ProtocolId::from_static("/sinew/test/echo/1.0.0");

/// A node of a fresh identity with all that rows go over: Noise and yamux where nobody insists on something else.
pub(crate) fn builder() -> Result<HostBuilder, AttackError> {
    let key = Keypair::generate();
    let noise = Noise::new(&key)?;
    let certificate = Certificate::new(&key)?;
    let quic = QuicTransport::new(certificate.clone(), sinew_quic::Config::default());
    Ok(HostBuilder::new(Arc::new(key))
        .transport(quic)
        .transport(TcpTransport::new())
        .transport(WebSocketTransport::new())
        .security(noise)
        .security(Tls::with_certificate(certificate))
        .muxer(Yamux::default())
        .muxer(Mplex::default()))
}

/// Sends back whatever comes.
pub(crate) async fn echo(mut stream: Stream) {
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        if stream.write_chunk(chunk).await.is_err() {
            return;
        }
    }
    // The peer may have gone: then there is nobody to tell.
    let _ = stream.finish().await;
}

/// Where the target is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As nodes dial it.
    pub(crate) addr: Multiaddr,
    /// As sockets connect to it.
    pub(crate) socket: SocketAddr,
    /// Whom to expect there.
    pub(crate) peer: PeerId,
}

impl Place {
    /// Reads `/ip4/…/tcp/…/p2p/…`, the same with `/ws`, and `/ip4/…/udp/…/quic-v1/p2p/…`.
    pub(crate) fn parse(text: &str) -> Result<Self, AttackError> {
        Self::read(text).ok_or_else(|| AttackError::Address(text.to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let ["", "ip4", ip, "tcp" | "udp", port, between @ .., "p2p", peer] = parts.as_slice() else {
            return None;
        };
        if !matches!(between, [] | ["ws"] | ["quic-v1"]) {
            return None;
        }
        Some(Self {
            addr: text.parse().ok()?,
            socket: SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?),
            peer: peer.parse().ok()?,
        })
    }
}
