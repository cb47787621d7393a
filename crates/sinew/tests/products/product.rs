//! The products, and the nodes that they are made of.

use async_trait::async_trait;
use sinew::{
    HostBuilder, Keypair, Multiaddr, Node, ProtocolId,
    noise::Noise,
    quic::{self, QuicTransport},
    sinew_core::{BoxedIo, RawUpgrade, SecurityError},
    tcp::TcpTransport,
    tls::Tls,
    websocket::{self, WebSocketTransport},
    yamux::Yamux,
};
use sinew_conformance::muxer::FlowControl;
use sinew_memory::MemoryTransport;
use sinew_mplex::Mplex;
use sinew_plaintext::InsecurePlaintext;
use sinew_pnet::{PreSharedKey, PrivateNetwork};
use std::{
    error::Error,
    fmt,
    sync::{Arc, LazyLock},
};
use tokio::io::{AsyncReadExt, join, split};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Security {
    Noise,
    Tls,
    Plaintext,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Muxer {
    Yamux,
    Mplex,
}

/// What lies between the transport and its security.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Below {
    Nothing,
    PrivateNetwork,
    /// Bytes that end too early.
    Broken,
}

/// One product.
#[derive(Debug)]
pub(crate) struct Product {
    /// Where nodes listen, which tells the transport.
    pub(crate) listen: &'static str,
    pub(crate) below: Below,
    /// None where the transport has its own.
    pub(crate) upgrades: Option<(Security, Muxer)>,
}

const NETWORKS: [&str; 6] = [
    "/ip4/127.0.0.1/tcp/0",
    "/ip6/::1/tcp/0",
    "/ip4/127.0.0.1/tcp/0/ws",
    "/ip6/::1/tcp/0/ws",
    "/ip4/127.0.0.1/tcp/0/tls/ws",
    "/ip6/::1/tcp/0/tls/ws",
];

const QUIC: [&str; 2] = ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip6/::1/udp/0/quic-v1"];

const MUXERS: [Muxer; 2] = [Muxer::Yamux, Muxer::Mplex];

/// Every security with every muxer.
fn upgrades(security: &[Security]) -> impl Iterator<Item = (Security, Muxer)> {
    let with = |security| MUXERS.map(|muxer| (security, muxer));
    security.iter().copied().flat_map(with)
}

impl Product {
    pub(crate) fn new(listen: &'static str, upgrades: Option<(Security, Muxer)>) -> Self {
        Self {
            listen,
            below: Below::Nothing,
            upgrades,
        }
    }

    /// All of them, those first that wait the longest.
    pub(crate) fn all() -> Vec<Arc<Self>> {
        let secure = [Security::Noise, Security::Tls];
        let all = [Security::Noise, Security::Tls, Security::Plaintext];
        let over = |listen, upgrade| Self::new(listen, Some(upgrade));
        let networks = NETWORKS
            .into_iter()
            .flat_map(|listen| upgrades(&secure).map(move |upgrade| over(listen, upgrade)));
        let private = upgrades(&secure).map(|upgrade| Self {
            below: Below::PrivateNetwork,
            ..over(NETWORKS[0], upgrade)
        });
        let quic = QUIC.map(|listen| Self::new(listen, None));
        let memory = upgrades(&all).map(|upgrade| over("/memory/0", upgrade));
        let all = networks.chain(private).chain(quic).chain(memory);
        all.map(Arc::new).collect()
    }

    pub(crate) fn listen(&self) -> Multiaddr {
        self.listen.parse().expect("an address")
    }

    /// Whether a paused clock will do.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.listen.starts_with("/memory")
    }

    pub(crate) fn is_ipv6(&self) -> bool {
        self.listen.starts_with("/ip6")
    }

    pub(crate) fn flow_control(&self) -> FlowControl {
        match self.upgrades {
            Some((_, Muxer::Mplex)) => FlowControl::Connection,
            _ => FlowControl::Stream,
        }
    }

    /// The names of its security and muxer.
    pub(crate) fn names(&self) -> Option<[ProtocolId; 2]> {
        let (security, muxer) = self.upgrades?;
        let security = match security {
            Security::Noise => "/noise",
            Security::Tls => "/tls/1.0.0",
            Security::Plaintext => "/plaintext/2.0.0",
        };
        let muxer = match muxer {
            Muxer::Yamux => "/yamux/1.0.0",
            Muxer::Mplex => "/mplex/6.7.0",
        };
        Some([security.into(), muxer.into()])
    }

    /// A node with every transport and just these upgrades: the address chooses.
    pub(crate) fn node(&self) -> Result<HostBuilder, Box<dyn Error + Send + Sync>> {
        let key = Keypair::generate();
        let node = Node::bare(key.clone())
            .transport(MemoryTransport::new())
            .transport(TcpTransport::new())
            .transport(websocket()?);
        let node = match self.below {
            Below::Nothing => node.transport(QuicTransport::new(
                quic::Certificate::new(&key)?,
                quic::Config::default(),
            )),
            Below::PrivateNetwork => {
                node.private_network(PrivateNetwork::new(PreSharedKey::from_bytes(&[7; 32])))
            }
            Below::Broken => node.private_network(EndsEarly),
        };
        let Some((security, muxer)) = self.upgrades else {
            return Ok(node);
        };
        let node = match security {
            Security::Noise => node.security(Noise::new(&key)?),
            Security::Tls => node.security(Tls::new(&key)?),
            Security::Plaintext => node.security(InsecurePlaintext::new(key.public())),
        };
        Ok(match muxer {
            Muxer::Yamux => node.muxer(Yamux::default()),
            Muxer::Mplex => node.muxer(Mplex::default()),
        })
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.listen, self.below, self.upgrades)
    }
}

type Web = rcgen::CertifiedKey<rcgen::KeyPair>;

/// The certificate of every server of secure WebSockets.
static WEB: LazyLock<Web> = LazyLock::new(|| {
    let names = ["127.0.0.1", "::1"].map(str::to_owned);
    rcgen::generate_simple_self_signed(names).expect("the system has entropy")
});

fn websocket() -> Result<WebSocketTransport, websocket::CertificateError> {
    let (chain, key) = (WEB.cert.pem(), WEB.signing_key.serialize_pem());
    let certificate = websocket::Certificate::from_pem(chain.as_bytes(), key.as_bytes())?;
    Ok(WebSocketTransport::new()
        .with_certificate(certificate)
        .with_roots(vec![WEB.cert.der().clone()]))
}

/// Ends what arrives after 64 KiB.
#[derive(Debug)]
struct EndsEarly;

#[async_trait]
impl RawUpgrade for EndsEarly {
    async fn wrap(&self, io: BoxedIo) -> Result<BoxedIo, SecurityError> {
        let (read, write) = split(io);
        Ok(Box::new(join(read.take(64 * 1024), write)))
    }
}
