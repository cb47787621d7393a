//! The node builder with its presets.

use crate::{Host, Multiaddr};
use sinew_core::{
    ConnectionGater, Meter, MuxerUpgrade, Peerstore, Resolver, SecureUpgrade, ServiceConfig, Transport,
};
use sinew_host::{AddressPolicy, HostBuilder, Limits, NoAnnounce, Timeouts, Watermarks};
use sinew_identity::{Signer, SigningError};
use std::sync::Arc;

/// Where every node begins: [`Node::builder`] with what most nodes want, [`Node::bare`] with nothing.
#[derive(Clone, Copy, Debug)]
pub struct Node;

impl Node {
    /// A node with what is switched on among the default features: QUIC, TCP, WebSocket, names, TLS, Noise, yamux,
    /// identify and ping.
    #[must_use]
    pub fn builder(signer: impl Signer + 'static) -> NodeBuilder {
        NodeBuilder::preset(
            &(Arc::new(signer) as Arc<dyn Signer>),
            #[cfg(any(feature = "quic", feature = "tls"))]
            Arc::new(sinew_tls::NoKeyLog),
        )
    }

    /// As [`Node::builder`], with the secrets of all TLS and QUIC connections written to `key_log`: whoever reads it reads
    /// the connections. For debugging, with [`KeyLogFile`](sinew_tls::KeyLogFile) for instance.
    #[cfg(any(feature = "quic", feature = "tls"))]
    #[must_use]
    pub fn builder_with_key_log(
        signer: impl Signer + 'static,
        key_log: Arc<dyn sinew_tls::KeyLog>,
    ) -> NodeBuilder {
        NodeBuilder::preset(&(Arc::new(signer) as Arc<dyn Signer>), key_log)
    }

    /// A node with no transport, security, muxer or service: everything is added by hand.
    #[must_use]
    pub fn bare(signer: impl Signer + 'static) -> HostBuilder {
        HostBuilder::new(Arc::new(signer))
    }
}

/// Builds a node from the preset, and whatever is added to it.
#[derive(Debug)]
pub struct NodeBuilder {
    host: HostBuilder,
    /// What the preset could not do; told when the node is started.
    failed: Option<StartError>,
    #[cfg(feature = "metrics")]
    metrics_addr: Option<std::net::SocketAddr>,
    #[cfg(feature = "config")]
    pub(crate) files: crate::config::Files,
    #[cfg(feature = "identify")]
    identify: crate::identify::Handle,
    #[cfg(feature = "ping")]
    ping: crate::ping::Ping,
    /// Left out within a private network.
    #[cfg(feature = "quic")]
    quic: Option<crate::quic::QuicTransport>,
    /// The listening sockets that TCP and WebSocket share.
    #[cfg(all(feature = "pnet", any(feature = "tcp", feature = "websocket")))]
    sockets: sinew_socket::TcpSockets,
    #[cfg(feature = "websocket")]
    websocket: crate::websocket::WebSocketTransport,
}

impl NodeBuilder {
    fn preset(
        signer: &Arc<dyn Signer>,
        #[cfg(any(feature = "quic", feature = "tls"))] key_log: Arc<dyn sinew_tls::KeyLog>,
    ) -> Self {
        #[allow(unused_mut, reason = "without a feature there is nothing to add")]
        let mut host = HostBuilder::new(signer.clone());
        #[cfg(feature = "identify")]
        let identify = host.add(crate::identify::Config::default());
        #[cfg(feature = "ping")]
        let ping = host.add(crate::ping::Config::default());
        #[cfg(any(feature = "tcp", feature = "websocket"))]
        let sockets = sinew_socket::TcpSockets::new();
        #[cfg(feature = "tcp")]
        let host = host.transport(crate::tcp::TcpTransport::sharing(sockets.clone()));
        let builder = Self {
            host,
            failed: None,
            #[cfg(feature = "metrics")]
            metrics_addr: None,
            #[cfg(feature = "config")]
            files: crate::config::Files::default(),
            #[cfg(feature = "identify")]
            identify,
            #[cfg(feature = "ping")]
            ping,
            #[cfg(feature = "quic")]
            quic: None,
            #[cfg(feature = "websocket")]
            websocket: crate::websocket::WebSocketTransport::sharing(sockets.clone()),
            #[cfg(all(feature = "pnet", any(feature = "tcp", feature = "websocket")))]
            sockets,
        };
        #[cfg(any(feature = "quic", feature = "tls"))]
        let builder = builder.add_certified(signer, key_log);
        builder.add_names().add_noise(signer).add_muxers()
    }

    /// QUIC and TLS, which show the same certificate. TLS comes before Noise, as in go-libp2p: with instructions for AES it
    /// is several times as fast.
    #[cfg(any(feature = "quic", feature = "tls"))]
    fn add_certified(mut self, signer: &Arc<dyn Signer>, key_log: Arc<dyn sinew_tls::KeyLog>) -> Self {
        let certificate = match sinew_tls::Certificate::new(&**signer) {
            Ok(certificate) => certificate.with_key_log(key_log),
            Err(error) => {
                self.failed = Some(error.into());
                return self;
            }
        };
        #[cfg(feature = "quic")]
        {
            let config = crate::quic::Config::default();
            self.quic = Some(crate::quic::QuicTransport::new(certificate.clone(), config));
        }
        #[cfg(feature = "tls")]
        {
            self = self.security(crate::tls::Tls::with_certificate(certificate));
        }
        self
    }

    fn add_names(self) -> Self {
        #[cfg(feature = "dns")]
        let this = match crate::dns::DnsResolver::from_system() {
            Ok(resolver) => self.resolver(resolver),
            // Most addresses name no names: a node is of use without them, and a dial of one says what it lacks.
            Err(error) => {
                tracing::warn!(%error, "names are not resolved");
                self
            }
        };
        #[cfg(not(feature = "dns"))]
        let this = self;
        this
    }

    #[allow(
        unused_mut,
        unused_variables,
        reason = "without a feature there is nothing to add"
    )]
    fn add_noise(mut self, signer: &Arc<dyn Signer>) -> Self {
        #[cfg(feature = "noise")]
        match crate::noise::Noise::new(&**signer) {
            Ok(noise) => self = self.security(noise),
            Err(error) => self.failed = Some(error.into()),
        }
        self
    }

    fn add_muxers(self) -> Self {
        #[cfg(feature = "yamux")]
        let this = self.muxer(crate::yamux::Yamux::default());
        #[cfg(not(feature = "yamux"))]
        let this = self;
        this
    }

    /// Listens on an address from the start, `/ip4/0.0.0.0/tcp/0` for instance.
    ///
    /// # Errors
    /// [`AddrError`](crate::AddrError) when the text is no address.
    pub fn listen(mut self, addr: &str) -> Result<Self, crate::AddrError> {
        self.host = self.host.listen(sinew_addr::parse(addr)?);
        Ok(self)
    }

    /// As [`NodeBuilder::listen`], with an address.
    #[must_use]
    pub fn listen_on(mut self, addr: Multiaddr) -> Self {
        self.host = self.host.listen(addr);
        self
    }

    /// Adds a transport beside those of the preset.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.host = self.host.transport(transport);
        self
    }

    /// Lets the node talk within a private network only: with those who have the same pre-shared key. QUIC, which brings
    /// its own security, leaves the preset; a transport of that kind that is added by hand keeps the node from starting.
    /// TCP and WebSocket no longer share ports.
    #[cfg(feature = "pnet")]
    #[must_use]
    pub fn private_network(mut self, key: crate::pnet::PreSharedKey) -> Self {
        self.host = self.host.private_network(crate::pnet::PrivateNetwork::new(key));
        #[cfg(feature = "quic")]
        {
            self.quic = None;
        }
        #[cfg(any(feature = "tcp", feature = "websocket"))]
        self.sockets.keep_tcp_apart();
        self
    }

    /// Changes the preset's WebSocket transport: a certificate to listen on secure addresses with, or whom servers have to be
    /// certified by.
    ///
    /// ```
    /// # fn with(certificate: sinew::websocket::Certificate) -> sinew::NodeBuilder {
    /// use sinew::{Keypair, Node};
    /// Node::builder(Keypair::generate()).websocket(|websocket| websocket.with_certificate(certificate))
    /// # }
    /// ```
    #[cfg(feature = "websocket")]
    #[must_use]
    pub fn websocket(
        mut self,
        change: impl FnOnce(crate::websocket::WebSocketTransport) -> crate::websocket::WebSocketTransport,
    ) -> Self {
        self.websocket = change(self.websocket);
        self
    }

    /// Adds a security protocol behind those of the preset.
    #[must_use]
    pub fn security(mut self, upgrade: impl SecureUpgrade) -> Self {
        self.host = self.host.security(upgrade);
        self
    }

    /// Adds a muxer behind those of the preset.
    #[must_use]
    pub fn muxer(mut self, muxer: impl MuxerUpgrade) -> Self {
        self.host = self.host.muxer(muxer);
        self
    }

    /// Lets the node speak `/plaintext/2.0.0`, which secures nothing: everybody on the path reads and changes
    /// everything. For tests.
    #[cfg(feature = "insecure-plaintext")]
    #[must_use]
    pub fn insecure_plaintext(self, signer: &dyn Signer) -> Self {
        self.security(crate::insecure_plaintext::InsecurePlaintext::new(signer.public()))
    }

    /// Sets what resolves names.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.host = self.host.resolver(resolver);
        self
    }

    /// Adds a say in who may connect; of several, one that denies is enough.
    #[must_use]
    pub fn gater(mut self, gater: impl ConnectionGater) -> Self {
        self.host = self.host.gater(gater);
        self
    }

    /// Sets which addresses are dialled on whose word; public ones only unless told.
    #[must_use]
    pub fn address_policy(mut self, policy: AddressPolicy) -> Self {
        self.host = self.host.address_policy(policy);
        self
    }

    /// Sets what counts what the node does.
    #[must_use]
    pub fn meter(mut self, meter: impl Meter) -> Self {
        self.host = self.host.meter(meter);
        self
    }

    /// Tells others that the node is reached at `addr`, instead of what it listens on and what was confirmed. Can be
    /// called several times.
    #[must_use]
    pub fn announce(mut self, addr: Multiaddr) -> Self {
        self.host = self.host.announce(addr);
        self
    }

    /// Tells others that the node is reached at `addr` too. Can be called several times.
    #[must_use]
    pub fn append_announce(mut self, addr: Multiaddr) -> Self {
        self.host = self.host.append_announce(addr);
        self
    }

    /// Keeps an address, or all that begin with an IP address of a range, from being told to others, wherever it
    /// comes from. Can be called several times.
    #[must_use]
    pub fn no_announce(mut self, never: impl Into<NoAnnounce>) -> Self {
        self.host = self.host.no_announce(never);
        self
    }

    /// Sets what keeps the knowledge of peers.
    #[must_use]
    pub fn peerstore(mut self, peerstore: impl Peerstore) -> Self {
        self.host = self.host.peerstore(peerstore);
        self
    }

    /// Keeps the knowledge of peers in a file too, so that it survives a restart and a crash. Changes are written every
    /// ten seconds and when the node ends. Reads the whole file, which blocks.
    ///
    /// # Errors
    /// [`DiskError`](sinew_peerstore::DiskError) when another process has the file open, the system refuses it, or it is
    /// something else. A damaged peerstore is no error: it is kept aside, a new one takes its place, and that is logged.
    #[cfg(feature = "peerstore")]
    pub fn peerstore_at(
        mut self,
        path: impl AsRef<std::path::Path>,
    ) -> Result<Self, sinew_peerstore::DiskError> {
        let store = sinew_peerstore::DiskPeerstore::open(path)?;
        self.host.add(store.clone());
        Ok(self.peerstore(store))
    }

    /// Counts what the node does, and answers `GET /metrics` on `addr` with it. Strangers who can reach the address can
    /// read the metrics.
    ///
    /// # Errors
    /// [`ServeError`](crate::metrics::ServeError) when the address cannot be listened on.
    #[cfg(feature = "metrics")]
    pub fn metrics_at(mut self, addr: std::net::SocketAddr) -> Result<Self, crate::metrics::ServeError> {
        let metrics = crate::metrics::Metrics::default();
        self.metrics_addr = Some(self.host.add(metrics.serve(addr)?));
        Ok(self.meter(metrics))
    }

    /// Where the node will answer with its metrics; port 0 has become a port.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn metrics_addr(&self) -> Option<std::net::SocketAddr> {
        self.metrics_addr
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.host = self.host.limits(limits);
        self
    }

    /// Sets with how many connections trimming begins and ends.
    #[must_use]
    pub fn watermarks(mut self, watermarks: Watermarks) -> Self {
        self.host = self.host.watermarks(watermarks);
        self
    }

    /// Sets the deadlines.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.host = self.host.timeouts(timeouts);
        self
    }

    /// Adds a service and gives its handle.
    pub fn add<C: ServiceConfig>(&mut self, config: C) -> C::Handle {
        self.host.add(config)
    }

    /// The handle of the preset's identify service.
    #[cfg(feature = "identify")]
    #[must_use]
    pub fn identify(&self) -> crate::identify::Handle {
        self.identify.clone()
    }

    /// The handle of the preset's ping service.
    #[cfg(feature = "ping")]
    #[must_use]
    pub fn ping(&self) -> crate::ping::Ping {
        self.ping.clone()
    }

    /// Starts the node. It runs until [`Host::shutdown`] or the end of the tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when the key cannot sign, or an address cannot be listened on.
    pub async fn start(self) -> Result<Host, StartError> {
        #[allow(unused_mut, reason = "without a feature there is nothing to add")]
        let mut this = self;
        #[cfg(feature = "quic")]
        if let Some(quic) = this.quic.take() {
            this = this.transport(quic);
        }
        #[cfg(feature = "websocket")]
        {
            let websocket = this.websocket.clone();
            this = this.transport(websocket);
        }
        match this.failed {
            Some(error) => Err(error),
            None => Ok(this.host.start().await?),
        }
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The host did not start.
    #[error(transparent)]
    Host(#[from] sinew_host::StartError),
    /// The node's key did not sign the key of its secure channel.
    #[error("the node's key cannot sign: {0}")]
    Signing(#[from] SigningError),
}
