//! What is wrong with a peer's certificate.

use der::asn1::ObjectIdentifier;
use sinew_core::SecurityError;
use sinew_identity::{KeyError, PeerId};
use sinew_machine::{Blame, Culpable};

/// Why a peer's certificate is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not exactly one certificate.
    #[error("{0} certificates, where exactly one proves a peer")]
    Chain(usize),
    /// More bytes than any honest certificate has.
    #[error("a certificate of {len} bytes, of which at most {max} are read")]
    TooLong {
        /// Bytes of the certificate.
        len: usize,
        /// The most that is read.
        max: usize,
    },
    /// No certificate in DER.
    #[error("malformed certificate")]
    Malformed(#[source] Asn1Error),
    /// Its time has not come.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// Its time is over.
    #[error("the certificate has expired")]
    Expired,
    /// An extension that must be understood, and is not.
    #[error("unknown critical extension {0}")]
    CriticalExtension(ObjectIdentifier),
    /// The key of the certificate must not sign handshakes.
    #[error("the certificate's key is not meant for signatures")]
    KeyUsage,
    /// Nothing says which peer this is.
    #[error("the certificate has no libp2p extension")]
    MissingExtension,
    /// Several extensions may say different things.
    #[error("the certificate has more than one libp2p extension")]
    DoubledExtension,
    /// The libp2p extension holds no key and signature.
    #[error("malformed libp2p extension")]
    MalformedExtension(#[source] Asn1Error),
    /// The key in the libp2p extension is none.
    #[error("the peer's public key is refused: {0}")]
    HostKey(#[source] KeyError),
    /// The peer's key did not sign the key of the certificate.
    #[error("the peer's key did not sign this certificate's key")]
    HostSignature,
    /// The two places that name the certificate's signature algorithm differ.
    #[error("the certificate names two signature algorithms")]
    TwoAlgorithms,
    /// A kind of key or signature that is not taken.
    #[error("the certificate's key or signature is of a kind that is not taken")]
    Algorithm,
    /// An RSA key too long to calculate with.
    #[error("the certificate's RSA key is too long")]
    RsaSize,
    /// The certificate was not signed by its own key.
    #[error("the certificate is not signed by its own key")]
    SelfSignature,
    /// Another peer answered.
    #[error("expected peer {expected}, but {actual} answered")]
    WrongPeer {
        /// Who was wanted.
        expected: PeerId,
        /// Who answered.
        actual: PeerId,
    },
}

impl Culpable for CertificateError {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

impl From<CertificateError> for SecurityError {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::WrongPeer { expected, actual } => Self::WrongPeer { expected, actual },
            error => Self::Handshake(Box::new(error)),
        }
    }
}

/// What is wrong with an ASN.1 structure.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Asn1Error(der::Error);

impl Asn1Error {
    pub(super) fn malformed(error: der::Error) -> CertificateError {
        CertificateError::Malformed(Self(error))
    }

    pub(super) fn extension(error: der::Error) -> CertificateError {
        CertificateError::MalformedExtension(Self(error))
    }
}
