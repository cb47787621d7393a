//! A node with the transport, the security and the muxer that the arguments name, and nothing else.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use clap::ValueEnum;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use sinew::{
    HostBuilder, Keypair, Multiaddr, Node, Signer, identify,
    mplex::Mplex,
    noise::Noise,
    ping::{self, Ping},
    pnet::{PreSharedKey, PrivateNetwork},
    quic::{self, QuicTransport},
    tcp::TcpTransport,
    tls::Tls,
    websocket::{self, WebSocketTransport},
    yamux::Yamux,
};

use crate::{journal::Journal, late_muxer::LateMuxer, pubsub};

/// RSA keys have the size that every libp2p stack takes.
const RSA_BITS: usize = 2048;

type Error = Box<dyn std::error::Error>;

/// What the node is made of.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The type of the identity key.
    #[arg(long, value_enum, default_value = "ed25519")]
    key: Key,
    /// The transport, the security and the muxer.
    #[arg(long, default_value = "tcp/noise/yamux")]
    stack: Stack,
    /// The pre-shared key of a private network, in hex.
    #[arg(long)]
    psk: Option<String>,
    /// The certificates of secure WebSockets: `root.pem` is trusted, `cert.pem` with `key.pem` is shown.
    #[arg(long)]
    tls: Option<PathBuf>,
    #[command(flatten)]
    muxing: Muxing,
    #[command(flatten)]
    pubsub: pubsub::Choice,
    /// Keep the default limits, which some tests go beyond.
    #[arg(long)]
    pub(crate) default_limits: bool,
}

/// What of the muxers is not as the stack has it.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Muxing {
    /// Offer no muxer in the handshake of the security: it is negotiated afterwards.
    #[arg(long)]
    late_muxer: bool,
    /// Have both muxers, whichever the stack names.
    #[arg(long)]
    both_muxers: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Key {
    Ed25519,
    Secp256k1,
    Ecdsa,
    Rsa,
}

/// One of each layer.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    transport: String,
    upgrade: Option<(String, String)>,
}

impl Stack {
    /// Security and muxer stand together, or neither.
    pub(crate) fn new(
        transport: String,
        security: Option<String>,
        muxer: Option<String>,
    ) -> Result<Self, String> {
        let upgrade = match (security, muxer) {
            (None, None) => None,
            (Some(security), Some(muxer)) => Some((security, muxer)),
            _ => return Err("a stack is a transport, or a transport, a security and a muxer".to_owned()),
        };
        Ok(Self { transport, upgrade })
    }

    /// Where to listen on a free port.
    pub(crate) fn listen_addr(&self, ip: IpAddr) -> Result<Multiaddr, Error> {
        let version = if ip.is_ipv4() { "ip4" } else { "ip6" };
        let rest = match self.transport.as_str() {
            "quic-v1" => "udp/0/quic-v1",
            "ws" => "tcp/0/ws",
            "wss" => "tcp/0/tls/ws",
            _ => "tcp/0",
        };
        Ok(format!("/{version}/{ip}/{rest}").parse()?)
    }
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut layers = text.splitn(3, '/').map(str::to_owned);
        Self::new(layers.next().unwrap_or_default(), layers.next(), layers.next())
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.transport)?;
        match &self.upgrade {
            Some((security, muxer)) => write!(f, "/{security}/{muxer}"),
            None => Ok(()),
        }
    }
}

/// What serves a node's commands.
pub(crate) struct Services {
    pub(crate) ping: Ping,
    pub(crate) pubsub: Option<pubsub::Router>,
}

/// A builder of the node that the arguments name, and its services.
pub(crate) fn build(args: &Args, journal: &Arc<Journal>) -> Result<(HostBuilder, Services), Error> {
    let mut builder = builder(&keypair(args.key)?, &args.stack, args.muxing, || {
        let folder = args.tls.as_deref().ok_or("--tls is missing")?;
        let root = CertificateDer::from_pem_file(folder.join("root.pem"))?;
        Ok(WebSocketTransport::new()
            .with_certificate(certificate(Some(folder))?)
            .with_roots(vec![root]))
    })?;
    if let Some(psk) = &args.psk {
        let mut bytes = [0; 32];
        hex::decode_to_slice(psk, &mut bytes)?;
        builder = builder.private_network(PrivateNetwork::new(PreSharedKey::from_bytes(&bytes)));
    }
    builder.add(identify::Config::default());
    let services = Services {
        ping: builder.add(ping::Config::default()),
        pubsub: args.pubsub.add(&mut builder, journal)?,
    };
    Ok((builder, services))
}

/// A builder of a node with this stack; `secure_websockets` makes the transport of `wss`.
pub(crate) fn builder(
    key: &Keypair,
    stack: &Stack,
    muxing: Muxing,
    secure_websockets: impl FnOnce() -> Result<WebSocketTransport, Error>,
) -> Result<HostBuilder, Error> {
    let builder = Node::bare(key.clone());
    let builder = match stack.transport.as_str() {
        "tcp" => builder.transport(TcpTransport::new()),
        "quic-v1" => {
            let certificate = quic::Certificate::new(key)?;
            builder.transport(QuicTransport::new(certificate, quic::Config::default()))
        }
        "ws" => builder.transport(WebSocketTransport::new()),
        "wss" => builder.transport(secure_websockets()?),
        other => return Err(format!("unknown transport {other}").into()),
    };
    match &stack.upgrade {
        Some((security, muxer)) => {
            let builder = add_security(builder, security, key, muxing.late_muxer)?;
            match muxing.both_muxers {
                true => Ok(builder.muxer(Yamux::default()).muxer(Mplex::default())),
                false => add_muxer(builder, muxer),
            }
        }
        None => Ok(builder),
    }
}

/// The certificate of a folder, or a new one that nobody has certified.
pub(crate) fn certificate(folder: Option<&Path>) -> Result<websocket::Certificate, Error> {
    if let Some(folder) = folder {
        let (chain, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        return Ok(websocket::Certificate::from_files(chain, key)?);
    }
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    Ok(websocket::Certificate::from_pem(
        chain.as_bytes(),
        key.as_bytes(),
    )?)
}

fn add_security(
    builder: HostBuilder,
    name: &str,
    key: &dyn Signer,
    late_muxer: bool,
) -> Result<HostBuilder, Error> {
    match (name, late_muxer) {
        ("noise", false) => Ok(builder.security(Noise::new(key)?)),
        ("noise", true) => Ok(builder.security(LateMuxer(Noise::new(key)?))),
        ("tls", false) => Ok(builder.security(Tls::new(key)?)),
        ("tls", true) => Ok(builder.security(LateMuxer(Tls::new(key)?))),
        (other, _) => Err(format!("unknown security {other}").into()),
    }
}

fn add_muxer(builder: HostBuilder, name: &str) -> Result<HostBuilder, Error> {
    match name {
        "yamux" => Ok(builder.muxer(Yamux::default())),
        "mplex" => Ok(builder.muxer(Mplex::default())),
        other => Err(format!("unknown muxer {other}").into()),
    }
}

fn keypair(kind: Key) -> Result<Keypair, Error> {
    Ok(match kind {
        Key::Ed25519 => Keypair::generate(),
        Key::Secp256k1 => Keypair::generate_secp256k1(),
        Key::Ecdsa => Keypair::generate_ecdsa(),
        Key::Rsa => Keypair::generate_rsa(RSA_BITS)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_a_transport_or_three_layers() {
        for text in ["quic-v1", "wss/tls/mplex"] {
            assert_eq!(text.parse::<Stack>().unwrap().to_string(), text);
        }
        assert!("tcp/noise".parse::<Stack>().is_err());
    }
}
