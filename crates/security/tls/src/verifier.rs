//! The rules for a peer's certificate inside a handshake of rustls.

use std::sync::{Arc, OnceLock};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sinew_identity::PeerId;

use crate::certificate::{CertificateError, Parsed, verify};

/// Decides inside a handshake whether the other side is who it says it is, and whether it is the one that is wanted.
///
/// One for each connection, or one for all of a listener's if nobody asks it for its [`refusal`](Self::refusal).
#[derive(Debug)]
pub struct Verifier {
    expected: Option<PeerId>,
    refusal: OnceLock<CertificateError>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Takes `expected` alone, or any peer.
    #[must_use]
    pub fn new(expected: Option<PeerId>) -> Arc<Self> {
        Arc::new(Self {
            expected,
            refusal: OnceLock::new(),
            algorithms: sinew_crypto::tls::provider().signature_verification_algorithms,
        })
    }

    /// Why a certificate was refused; the first one, if there were several.
    ///
    /// The errors of rustls and quinn carry no more than its text.
    #[must_use]
    pub fn refusal(&self) -> Option<CertificateError> {
        self.refusal.get().cloned()
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check(certificate, rest, now).map_err(|refusal| {
            let error = alert(&refusal);
            self.refusal.get_or_init(|| refusal);
            Error::InvalidCertificate(error)
        })
    }

    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        if !rest.is_empty() {
            return Err(CertificateError::Chain(1 + rest.len()));
        }
        let actual = verify(std::slice::from_ref(certificate), now)?.peer_id();
        match self.expected {
            Some(expected) if expected != actual => Err(CertificateError::WrongPeer { expected, actual }),
            _ => Ok(()),
        }
    }

    /// Whether the other side holds the private key of its certificate.
    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = Parsed::new(certificate)
            .map_err(|_| Error::InvalidCertificate(rustls::CertificateError::BadEncoding))?;
        let key = certificate.key_info.for_rustls();
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }
}

/// The error of rustls that tells the other side most.
fn alert(refusal: &CertificateError) -> rustls::CertificateError {
    match refusal {
        CertificateError::Expired => rustls::CertificateError::Expired,
        CertificateError::NotYetValid => rustls::CertificateError::NotValidYet,
        CertificateError::Malformed(_) => rustls::CertificateError::BadEncoding,
        other => rustls::CertificateError::Other(OtherError(Arc::new(other.clone()))),
    }
}

/// What rustls asks of a verifier in both roles alike.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            // spec: tls, Handshake Protocol: never below TLS 1.3.
            Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.verify_signature(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Verifier {
    signatures!();

    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(certificate, rest, now)?;
        Ok(ServerCertVerified::assertion())
    }
}

impl ClientCertVerifier for Verifier {
    signatures!();

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(certificate, rest, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
}
