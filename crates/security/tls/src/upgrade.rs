//! The secure upgrade.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use async_trait::async_trait;
use rustls::{client::UnbufferedClientConnection, server::UnbufferedServerConnection};
use rustls_pki_types::ServerName;
use sinew_core::{BoxedIo, Role, SecureRequest, SecureUpgrade, Secured, SecurityError};
use sinew_identity::{Signer, SigningError};
use sinew_machine::ProtocolId;

use crate::{
    Certificate, Verifier,
    channel::Channel,
    client_config,
    handshake::{self, Outcome},
    server_config,
};

/// spec: tls, Handshake Protocol: the name in multistream-select.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/tls/1.0.0");

/// spec: tls, ALPN: named by who wants to negotiate the muxer after the handshake.
const LIBP2P: &[u8] = b"libp2p";

/// The longest name of an application protocol (RFC 7301, section 3.1).
const MAX_ALPN: usize = 255;

/// The TLS secure upgrade of one identity.
///
/// The certificate is made once and serves every connection; the keys of a connection are fresh each time.
#[derive(Clone)]
pub struct Tls {
    certificate: Certificate,
}

impl Tls {
    /// Makes a certificate and has it signed.
    ///
    /// # Errors
    /// When the signer cannot sign.
    pub fn new(signer: &dyn Signer) -> Result<Self, SigningError> {
        Ok(Self::with_certificate(Certificate::new(signer)?))
    }

    /// Uses a certificate that was made before, the one that QUIC shows for instance.
    #[must_use]
    pub fn with_certificate(certificate: Certificate) -> Self {
        Self { certificate }
    }

    async fn dial(
        &self,
        verifier: &Arc<Verifier>,
        alpn: Vec<Vec<u8>>,
        io: &mut BoxedIo,
    ) -> Result<Outcome, SecurityError> {
        let mut config = client_config(&self.certificate, verifier.clone(), alpn);
        config.enable_secret_extraction = true;
        // Never sent: the configuration says so.
        let name = ServerName::from(IpAddr::from(Ipv4Addr::UNSPECIFIED));
        let tls = UnbufferedClientConnection::new(Arc::new(config), name)
            .map_err(|error| SecurityError::Local(Box::new(error)))?;
        handshake::run(tls, verifier, io).await
    }

    async fn accept(
        &self,
        verifier: &Arc<Verifier>,
        alpn: Vec<Vec<u8>>,
        io: &mut BoxedIo,
    ) -> Result<Outcome, SecurityError> {
        let mut config = server_config(&self.certificate, verifier.clone(), alpn);
        config.enable_secret_extraction = true;
        let tls = UnbufferedServerConnection::new(Arc::new(config))
            .map_err(|error| SecurityError::Local(Box::new(error)))?;
        handshake::run(tls, verifier, io).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[async_trait]
impl SecureUpgrade for Tls {
    fn protocol(&self) -> ProtocolId {
        PROTOCOL
    }

    async fn secure(&self, mut io: BoxedIo, request: SecureRequest) -> Result<Secured, SecurityError> {
        let verifier = Verifier::new(request.expected);
        let alpn = alpn(&request.muxers);
        let outcome = match request.role {
            Role::Dialer => self.dial(&verifier, alpn, &mut io).await?,
            Role::Listener => self.accept(&verifier, alpn, &mut io).await?,
        };
        let muxer = request.muxers.into_iter().find(|muxer| {
            let agreed = outcome.alpn.as_deref();
            agreed == Some(muxer.as_str().as_bytes())
        });
        tracing::debug!(peer = %outcome.key.peer_id(), ?muxer, "tls handshake done");
        let io = Channel::new(io, outcome.inbound, outcome.outbound, outcome.schedule);
        Ok(Secured::new(Box::new(io), outcome.key, muxer))
    }
}

/// spec: inlined-muxer-negotiation, Multiplexer Negotiation over TLS: the muxers, best first, and `libp2p` at the end.
fn alpn(muxers: &[ProtocolId]) -> Vec<Vec<u8>> {
    let names = muxers.iter().map(|muxer| muxer.as_str().as_bytes());
    names
        .filter(|name| (1..=MAX_ALPN).contains(&name.len()))
        .chain([LIBP2P])
        .map(<[u8]>::to_vec)
        .collect()
}
