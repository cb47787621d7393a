//! A node with the transport, the security and the muxer that the arguments name, and nothing else.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::ValueEnum;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use sinew::{
    HostBuilder, Keypair, Node, Signer, identify,
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
struct Stack {
    transport: String,
    upgrade: Option<(String, String)>,
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut layers = text.split('/').map(str::to_owned);
        let (transport, security, muxer) = (layers.next(), layers.next(), layers.next());
        match (transport, security, muxer, layers.next()) {
            (Some(transport), None, None, None) => Ok(Self {
                transport,
                upgrade: None,
            }),
            (Some(transport), Some(security), Some(muxer), None) => Ok(Self {
                transport,
                upgrade: Some((security, muxer)),
            }),
            _ => Err("a stack is a transport, or a transport, a security and a muxer".to_owned()),
        }
    }
}

/// A builder of that node, and its ping service.
pub(crate) fn build(args: &Args) -> Result<(HostBuilder, Ping), Error> {
    let key = keypair(args.key)?;
    let mut builder = add_transport(Node::bare(key.clone()), args, &key)?;
    if let Some(psk) = &args.psk {
        let mut bytes = [0; 32];
        hex::decode_to_slice(psk, &mut bytes)?;
        builder = builder.private_network(PrivateNetwork::new(PreSharedKey::from_bytes(&bytes)));
    }
    if let Some((security, muxer)) = &args.stack.upgrade {
        builder = add_security(builder, security, &key)?;
        builder = add_muxer(builder, muxer)?;
    }
    builder.add(identify::Config::default());
    let ping = builder.add(ping::Config::default());
    Ok((builder, ping))
}

fn add_transport(builder: HostBuilder, args: &Args, key: &dyn Signer) -> Result<HostBuilder, Error> {
    match args.stack.transport.as_str() {
        "tcp" => Ok(builder.transport(TcpTransport::new())),
        "quic-v1" => {
            let certificate = quic::Certificate::new(key)?;
            Ok(builder.transport(QuicTransport::new(certificate, quic::Config::default())))
        }
        "ws" => Ok(builder.transport(WebSocketTransport::new())),
        "wss" => Ok(builder.transport(secure_websockets(args.tls.as_ref().ok_or("--tls is missing")?)?)),
        other => Err(format!("unknown transport {other}").into()),
    }
}

fn secure_websockets(folder: &Path) -> Result<WebSocketTransport, Error> {
    let root = CertificateDer::from_pem_file(folder.join("root.pem"))?;
    let shown = websocket::Certificate::from_files(folder.join("cert.pem"), folder.join("key.pem"))?;
    Ok(WebSocketTransport::new()
        .with_certificate(shown)
        .with_roots(vec![root]))
}

fn add_security(builder: HostBuilder, name: &str, key: &dyn Signer) -> Result<HostBuilder, Error> {
    match name {
        "noise" => Ok(builder.security(Noise::new(key)?)),
        "tls" => Ok(builder.security(Tls::new(key)?)),
        other => Err(format!("unknown security {other}").into()),
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
