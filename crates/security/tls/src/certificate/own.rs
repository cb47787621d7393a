//! Our certificate.

use std::{fmt, sync::Arc};

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, PublicKeyData};
use rustls::{
    KeyLog, NoKeyLog,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sinew_identity::{Signer, SigningError};

use super::extension;

/// The certificate of one identity and the private key of it.
///
/// Made once a node; it serves every connection, TLS and QUIC. Its key is a fresh one on P-256, the curve that every
/// implementation verifies. It carries one extension and no other, because js-libp2p reads only the first, and does
/// not mark it critical, because common parsers refuse critical extensions that they do not know.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    key_log: Arc<dyn KeyLog>,
}

impl Certificate {
    /// Makes a key, has it signed, and makes the certificate.
    ///
    /// It is valid from 1975 to the year 4096, as the examples of the specification are: a clock that is wrong, here
    /// or at the peer, cuts nobody off.
    ///
    /// # Errors
    /// When the signer cannot sign.
    ///
    /// # Panics
    /// Where the system has no entropy or no memory.
    pub fn new(signer: &dyn Signer) -> Result<Self, SigningError> {
        let key = KeyPair::generate().expect("the system has entropy and memory");
        let signed = extension::sign(signer, &key.subject_public_key_info())?;
        let certificate = parameters(signed).self_signed(&key);
        let certificate = certificate.expect("a P-256 key signs").der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = sinew_crypto::tls::provider().key_provider.load_private_key(key);
        let key = key.expect("a key that was just generated");
        Ok(Self {
            key: Arc::new(CertifiedKey::new(vec![certificate], key)),
            key_log: Arc::new(NoKeyLog),
        })
    }

    /// Writes the secrets of every connection that shows this certificate to `key_log`: whoever reads it reads the
    /// connections. For debugging with a capture of the packets.
    #[must_use]
    pub fn with_key_log(mut self, key_log: Arc<dyn KeyLog>) -> Self {
        self.key_log = key_log;
        self
    }

    pub(crate) fn key_log(&self) -> Arc<dyn KeyLog> {
        self.key_log.clone()
    }

    /// The certificate in DER, as peers see it.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.key.cert[0]
    }

    /// What hands the certificate out, in either role.
    pub(crate) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(self.key.clone()))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

fn parameters(extension: Vec<u8>) -> CertificateParams {
    let id: Vec<u64> = extension::LIBP2P.arcs().map(u64::from).collect();
    let mut parameters = CertificateParams::default();
    // RFC 5280, section 4.1.2.4: the issuer has a name; what it is means nothing.
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::OrganizationName, "libp2p");
    parameters.custom_extensions = vec![CustomExtension::from_oid_content(&id, extension)];
    parameters
}
