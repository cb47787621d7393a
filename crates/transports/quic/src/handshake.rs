//! From a handshake of quinn to a connection whose peer is known.

use std::{net::SocketAddr, sync::Arc};

use quinn::{
    ClientConfig, Connection, Incoming, NoneTokenStore, ServerConfig, TransportConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::pki_types::CertificateDer;
use sinew_core::{Link, PeerId, ResourceScope, SecureConnection, SecurityError, TransportError};
use sinew_runtime::timeout;
use sinew_socket::quic_multiaddr;
use sinew_tls::{Certificate, CertificateError, Verifier};

use crate::{
    Config, error,
    held::Held,
    muxer,
    runtime::{Tasks, Turns},
};

/// spec: quic, ALPN: the name of libp2p in the handshake.
const ALPN: &[u8] = b"libp2p";

/// Packets that may wait while it is decided about their connection, one connection and all of a socket: a few
/// datagrams each beyond the first, because the first flight of a hybrid key exchange takes two.
const WAITING_BYTES: u64 = 8 * 1024;

/// What handshakes are made of.
#[derive(Debug)]
pub(crate) struct Handshakes {
    certificate: Certificate,
    pub(crate) config: Config,
    transport: Arc<TransportConfig>,
    /// What all incoming connections share: the key of retry tokens is in it.
    server: ServerConfig,
    /// Those with addresses that are not proved.
    unproved: Held,
}

impl Handshakes {
    pub(crate) fn new(certificate: Certificate, config: Config, tasks: Arc<Tasks>) -> Self {
        let transport = config.transport();
        let mut server = ServerConfig::with_crypto(quic_server(&certificate, Verifier::new(None)));
        server
            .transport_config(transport.clone())
            // Limits and lists know the address that a connection began at.
            .migration(false)
            .max_incoming(config.max_waiting)
            .incoming_buffer_size(WAITING_BYTES)
            .incoming_buffer_size_total(WAITING_BYTES * config.max_waiting as u64);
        // Whoever comes again is asked again under load: tokens would let peers be recognised, and be kept for them.
        server.validation_token.sent(0).log(Arc::new(quinn::NoneTokenLog));
        Self {
            certificate,
            config,
            transport,
            server,
            unproved: Held::new(tasks),
        }
    }

    /// Whether a new handshake has to begin with a proof of the address.
    pub(crate) fn want_proof(&self) -> bool {
        self.unproved.count() >= self.config.max_unproved
    }

    /// For a socket that listens.
    pub(crate) fn listening(&self) -> ServerConfig {
        self.server.clone()
    }

    /// For one incoming connection, so that its verifier can be asked afterwards.
    fn server(&self, verifier: Arc<Verifier>) -> Arc<ServerConfig> {
        let mut config = self.server.clone();
        config.crypto = quic_server(&self.certificate, verifier);
        Arc::new(config)
    }

    /// For one dial.
    pub(crate) fn client(&self, verifier: Arc<Verifier>) -> ClientConfig {
        let crypto = sinew_tls::client_config(&self.certificate, verifier, vec![ALPN.to_vec()]);
        let crypto = QuicClientConfig::try_from(crypto).expect("the provider has the suite of first packets");
        let mut config = ClientConfig::new(Arc::new(crypto));
        config
            .transport_config(self.transport.clone())
            .token_store(Arc::new(NoneTokenStore));
        config
    }

    /// Takes a connection that came in: of `expected`, or of anybody. `local` is our end of it.
    pub(crate) async fn accept(
        &self,
        incoming: Incoming,
        expected: Option<PeerId>,
        (local, scope): (SocketAddr, Arc<dyn ResourceScope>),
    ) -> Result<Link, TransportError> {
        let verifier = Verifier::new(expected);
        let config = self.server(verifier.clone());
        let unproved = (!incoming.remote_address_validated()).then(|| self.unproved.hold());
        let (accepting, turns) = Turns::of(|| incoming.accept_with(config));
        let accepting = async { accepting?.await };
        let accepted = timeout(self.config.handshake_timeout, accepting).await;
        let connection = accepted
            .map_err(|_| error::too_late())?
            .map_err(|error| error::handshake(error, &verifier))?;
        if let Some(unproved) = unproved {
            unproved.proved();
        }
        self.finished((connection, turns), local, scope)
    }

    /// What stands after a handshake, with the turns of its task. `local` is our end of it.
    pub(crate) fn finished(
        &self,
        (connection, turns): (Connection, Turns),
        local: SocketAddr,
        scope: Arc<dyn ResourceScope>,
    ) -> Result<Link, TransportError> {
        let key = peer_certificates(&connection).and_then(|chain| sinew_tls::peer_key(&chain));
        let key = key.map_err(SecurityError::from)?;
        let (local, remote) = (quic_multiaddr(local), quic_multiaddr(connection.remote_address()));
        let muxed = muxer::start(connection, &turns, &self.config, scope);
        Ok(Link::Secure(SecureConnection::new(muxed, key, local, remote)))
    }
}

fn quic_server(certificate: &Certificate, verifier: Arc<Verifier>) -> Arc<QuicServerConfig> {
    let crypto = sinew_tls::server_config(certificate, verifier, vec![ALPN.to_vec()]);
    Arc::new(QuicServerConfig::try_from(crypto).expect("the provider has the suite of first packets"))
}

fn peer_certificates(connection: &Connection) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let identity = connection.peer_identity();
    let chain = identity.and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    chain.map(|chain| *chain).ok_or(CertificateError::Chain(0))
}
