//! The stacks of `sinew demo`: nodes that speak one of them and nothing else.

use crate::{
    args::Stack,
    error::{CliError, Kind},
};
use sinew::{HostBuilder, Node};
use sinew::{
    Keypair, identify,
    noise::Noise,
    ping,
    quic::{self, QuicTransport},
    tcp::TcpTransport,
    tls::Tls,
    websocket::{Certificate, WebSocketTransport},
    yamux::Yamux,
};

impl Stack {
    /// All of them, the quickest to connect first.
    pub(crate) const ALL: [Self; 5] = [Self::Quic, Self::TcpTls, Self::TcpNoise, Self::Ws, Self::Wss];

    /// Its layers, for people.
    pub(crate) fn layers(self) -> &'static str {
        match self {
            Self::TcpNoise => "TCP, Noise, yamux",
            Self::TcpTls => "TCP, TLS, yamux",
            Self::Quic => "QUIC",
            Self::Ws => "WebSocket, Noise, yamux",
            Self::Wss => "secure WebSocket, Noise, yamux",
        }
    }

    /// Where its listener listens.
    pub(crate) fn addr(self) -> &'static str {
        match self {
            Self::TcpNoise | Self::TcpTls => "/ip4/127.0.0.1/tcp/0",
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
            Self::Ws => "/ip4/127.0.0.1/tcp/0/ws",
            Self::Wss => "/ip4/127.0.0.1/tcp/0/tls/ws",
        }
    }

    /// A node with this stack alone, and with what the demo does over it.
    pub(crate) fn node(self, key: &Keypair) -> Result<(HostBuilder, ping::Ping, identify::Handle), CliError> {
        let failed = |error| CliError::new(Kind::Local, "the key cannot sign").because(error);
        let builder = Node::bare(key.clone());
        let builder = match self {
            Self::Quic => {
                let certificate = quic::Certificate::new(key).map_err(failed)?;
                builder.transport(QuicTransport::new(certificate, quic::Config::default()))
            }
            Self::TcpNoise | Self::TcpTls => builder.transport(TcpTransport::new()),
            Self::Ws => builder.transport(WebSocketTransport::new()),
            Self::Wss => builder.transport(secure_websocket()?),
        };
        let builder = match self {
            Self::Quic => builder,
            Self::TcpTls => builder.security(Tls::new(key).map_err(failed)?),
            Self::TcpNoise | Self::Ws | Self::Wss => builder.security(Noise::new(key).map_err(failed)?),
        };
        let mut builder = builder.muxer(Yamux::default());
        let ping = builder.add(ping::Config::default());
        let identify = builder.add(identify::Config::default());
        Ok((builder, ping, identify))
    }
}

/// With a certificate that nobody vouches for: the peer is proven by Noise above it.
fn secure_websocket() -> Result<WebSocketTransport, CliError> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let made = made.map_err(|error| CliError::new(Kind::Local, "making a certificate").because(error))?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes())
        .map_err(|error| CliError::new(Kind::Local, "taking the certificate").because(error))?;
    Ok(WebSocketTransport::new()
        .with_certificate(certificate)
        .with_insecure_any_certificate())
}
