//! The transport, the security and the muxer that the arguments name, and nothing else.

use std::{error::Error, fs, path::Path, pin::Pin};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    noise,
    pnet::{PnetConfig, PreSharedKey},
    quic, tcp, tls, yamux,
};
use libp2p_mplex::MaxBufferBehaviour;
use libp2p_websocket as websocket;

use crate::args::Args;

/// Bytes both ways, of whatever transport.
trait Socket: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Socket for T {}

type Sockets = Boxed<Pin<Box<dyn Socket>>>;
type Connections = Boxed<(PeerId, StreamMuxerBox)>;
type Failure = Box<dyn Error>;

/// The transport with what the arguments put on it.
pub fn build(args: &Args) -> Result<Connections, Failure> {
    let raw = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    match (args.transport.as_str(), args.psk) {
        ("quic-v1", None) => {
            let quic = quic::tokio::Transport::new(quic::Config::new(&args.key));
            Ok(quic
                .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
                .boxed())
        }
        ("tcp", None) => upgraded(raw.map(|socket, _| Box::pin(socket) as _).boxed(), args),
        ("tcp", Some(key)) => {
            let private =
                raw.and_then(move |socket, _| PnetConfig::new(PreSharedKey::new(key)).handshake(socket));
            upgraded(private.map(|socket, _| Box::pin(socket) as _).boxed(), args)
        }
        ("ws", None) => {
            let sockets = websocket::Config::new(raw);
            upgraded(sockets.map(|socket, _| Box::pin(socket) as _).boxed(), args)
        }
        ("wss", None) => {
            let mut sockets = websocket::Config::new(raw);
            sockets.set_tls_config(certificates(args.tls.as_deref().ok_or("--tls is missing")?)?);
            upgraded(sockets.map(|socket, _| Box::pin(socket) as _).boxed(), args)
        }
        (other, _) => Err(format!("unknown transport {other}").into()),
    }
}

fn upgraded(sockets: Sockets, args: &Args) -> Result<Connections, Failure> {
    let sockets = sockets.upgrade(Version::V1);
    let noise = || noise::Config::new(&args.key);
    let tls = || tls::Config::new(&args.key);
    let yamux = yamux::Config::default;
    let mut mplex = libp2p_mplex::Config::new();
    // By default a stream is reset when its reader is slow.
    mplex.set_max_buffer_behaviour(MaxBufferBehaviour::Block);
    match (args.security.as_str(), args.muxer.as_str()) {
        ("noise", "yamux") => Ok(sockets.authenticate(noise()?).multiplex(yamux()).boxed()),
        ("noise", "mplex") => Ok(sockets.authenticate(noise()?).multiplex(mplex).boxed()),
        ("tls", "yamux") => Ok(sockets.authenticate(tls()?).multiplex(yamux()).boxed()),
        ("tls", "mplex") => Ok(sockets.authenticate(tls()?).multiplex(mplex).boxed()),
        (security, muxer) => Err(format!("unknown security or muxer {security}/{muxer}").into()),
    }
}

/// Shows the certificate of the folder, and trusts its root.
fn certificates(folder: &Path) -> Result<websocket::tls::Config, Failure> {
    let read = |name: &str| fs::read(folder.join(name));
    let key = websocket::tls::PrivateKey::new(read("key.der")?);
    let chain = [websocket::tls::Certificate::new(read("cert.der")?)];
    let mut config = websocket::tls::Config::builder();
    config.server(key, chain)?;
    config.add_trust(&websocket::tls::Certificate::new(read("root.der")?))?;
    Ok(config.finish())
}
