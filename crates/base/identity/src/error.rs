//! Why a key could not be read, and why a message could not be signed.

use sinew_crypto::KeyRejected;
use sinew_wire::protobuf::WireError;
use thiserror::Error;

use crate::KeyType;

/// Bytes that are no key, or none that is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes around the key are no protobuf message.
    #[error("the key is no protobuf message")]
    Protobuf(#[from] WireError),
    /// A field of the protobuf message has a value of the wrong kind.
    #[error("field {0} of the key's protobuf message is of the wrong kind")]
    Field(u32),
    /// The protobuf message names no key type.
    #[error("the key has no type")]
    MissingType,
    /// The protobuf message holds no key.
    #[error("the key has no data")]
    MissingData,
    /// A key type that libp2p does not define.
    #[error("key type {0} is unknown")]
    UnknownType(i32),
    /// A key of the wrong length.
    #[error("{found} bytes are no {key_type} key")]
    Length {
        /// What the key was to be.
        key_type: KeyType,
        /// How many bytes there were.
        found: usize,
    },
    /// The numbers of the key are refused.
    #[error("the {key_type} key is refused")]
    Rejected {
        /// What the key was to be.
        key_type: KeyType,
        /// What is wrong with it.
        source: KeyRejected,
    },
    /// The public key beside a private key is not its own.
    #[error("the {0} private key and the public key beside it are not a pair")]
    Mismatch(KeyType),
    /// The ASN.1 structure of the key is malformed.
    #[error("the ASN.1 structure of the key is malformed")]
    Asn1(#[source] Asn1Error),
    /// A well-formed key of an algorithm or curve that libp2p does not use.
    #[error("the key is of an algorithm or curve that libp2p does not use")]
    Algorithm,
}

/// What is wrong with an ASN.1 structure.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(transparent)]
pub struct Asn1Error(der::Error);

impl From<der::Error> for KeyError {
    fn from(error: der::Error) -> Self {
        Self::Asn1(Asn1Error(error))
    }
}

/// A message that could not be signed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The cryptography backend failed.
    #[error("the key could not sign")]
    Backend(#[from] sinew_crypto::SigningFailed),
    /// The key lives elsewhere, and what holds it did not answer or refused.
    #[error("the holder of the key did not sign")]
    Holder(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Text that is no private key in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PemError {
    /// The text is not PEM.
    #[error("the text is not PEM")]
    Syntax(#[source] PemSyntaxError),
    /// The key is encrypted.
    #[error("the key is encrypted; decrypt it first (for example with `openssl pkcs8`)")]
    Encrypted,
    /// The PEM block holds something other than a private key.
    #[error("the PEM block is no private key")]
    Label,
    /// The PEM block holds no key that is accepted.
    #[error("the PEM block holds no usable key")]
    Key(#[from] KeyError),
}

impl PemError {
    pub(crate) fn syntax(error: der::pem::Error) -> Self {
        Self::Syntax(PemSyntaxError(error))
    }
}

/// Where text stops being PEM.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(transparent)]
pub struct PemSyntaxError(der::pem::Error);
