//! TLS below a WebSocket: the web's, with certificates of authorities. Who the peer is, libp2p's security proves above it.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    server::NoServerSessionStorage,
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sinew_crypto::tls::provider;

use crate::{Certificate, HandshakeError};

/// What is spoken over TLS: a server that also has HTTP/2 must not choose that.
const ALPN: &[u8] = b"http/1.1";

/// Whom servers have to be certified by.
#[derive(Clone, Default, Debug)]
pub(crate) enum Roots {
    /// Those that the platform trusts.
    #[default]
    Platform,
    /// These and no others.
    Own(Vec<CertificateDer<'static>>),
    /// Anybody.
    InsecureAnybody,
}

/// What a dialler needs for TLS; made when it is first needed, since reading the roots of the platform takes a while.
#[derive(Debug, Default)]
pub(crate) struct Client {
    roots: Roots,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Client {
    pub(crate) fn new(roots: Roots) -> Self {
        let config = OnceLock::new();
        Self { roots, config }
    }

    /// The configuration of a dialler.
    ///
    /// # Errors
    /// [`HandshakeError::NoRoots`]; it is tried again the next time.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, HandshakeError> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let fresh = client(self.verifier()?).map_err(HandshakeError::NoRoots)?;
        Ok(self.config.get_or_init(|| Arc::new(fresh)).clone())
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, HandshakeError> {
        match &self.roots {
            Roots::Platform => match rustls_platform_verifier::Verifier::new(provider()) {
                Ok(verifier) => Ok(Arc::new(verifier)),
                Err(error) => Err(HandshakeError::NoRoots(error)),
            },
            Roots::Own(certificates) => own(certificates).map_err(HandshakeError::NoRoots),
            Roots::InsecureAnybody => Ok(Arc::new(InsecureAnybody(provider()))),
        }
    }
}

fn own(certificates: &[CertificateDer<'static>]) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone())?;
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = builder
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    Ok(verifier)
}

fn client(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A connection lives long and is made anew seldom; and a resumed one would not be verified.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The configuration of a listener.
pub(crate) fn server(certificate: Certificate) -> Arc<ServerConfig> {
    let versions = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
    let mut config = versions
        .expect("the provider has cipher suites of TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// Takes every certificate; the signature over the handshake must be its key's all the same.
#[derive(Debug)]
struct InsecureAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for InsecureAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
