//! The transport, the security and the muxer that the stack names, all as the library's defaults have them.

use libp2p::{
    PeerId, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identity::Keypair,
    noise, quic, tcp, tls, yamux,
};
use sinew_bench_cases::BenchError;
use std::net::Ipv4Addr;

/// What the swarm dials and listens with.
pub type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// The version of the negotiation that the library's own builder takes.
const VERSION: Version = Version::V1Lazy;

/// The transport with what the stack puts on it.
pub fn build(stack: &str, key: &Keypair) -> Result<Connections, BenchError> {
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default());
    let noise = || noise::Config::new(key).map_err(BenchError::library("noise"));
    let yamux = yamux::Config::default;
    Ok(match stack {
        "tcp/noise/yamux" => {
            let secured = tcp().upgrade(VERSION).authenticate(noise()?);
            secured.multiplex(yamux()).boxed()
        }
        "tcp/tls/yamux" => {
            let tls = tls::Config::new(key).map_err(BenchError::library("tls"))?;
            tcp()
                .upgrade(VERSION)
                .authenticate(tls)
                .multiplex(yamux())
                .boxed()
        }
        "ws/noise/yamux" => {
            let ws = libp2p_websocket::Config::new(tcp());
            let secured = ws.upgrade(VERSION).authenticate(noise()?);
            secured.multiplex(yamux()).boxed()
        }
        "quic-v1" => quic::tokio::Transport::new(quic::Config::new(key))
            .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
            .boxed(),
        _ => return Err(BenchError::Stack),
    })
}

/// Where the server listens.
pub fn listen_addr(stack: &str, ip: Ipv4Addr) -> String {
    match stack {
        "quic-v1" => format!("/ip4/{ip}/udp/0/quic-v1"),
        "ws/noise/yamux" => format!("/ip4/{ip}/tcp/0/ws"),
        _ => format!("/ip4/{ip}/tcp/0"),
    }
}
