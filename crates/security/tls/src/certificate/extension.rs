//! The libp2p extension: who the peer is, and its signature over the certificate's key.

use der::{
    Encode, Sequence,
    asn1::{ObjectIdentifier, OctetStringRef},
};
use sinew_identity::{PublicKey, Signer, SigningError};

use super::{CertificateError, KeyInfo};

/// spec: tls, libp2p Public Key Extension: allocated by IANA.
pub(super) const LIBP2P: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.53594.1.1");
/// spec: tls, libp2p Public Key Extension: what the host key signs begins with this.
const PREFIX: &[u8] = b"libp2p-tls-handshake:";

/// spec: tls, libp2p Public Key Extension.
#[derive(Sequence)]
pub(super) struct SignedKey<'a> {
    public_key: &'a OctetStringRef,
    signature: &'a OctetStringRef,
}

impl SignedKey<'_> {
    /// The host key, which need not have signed anything yet.
    pub(super) fn key(&self) -> Result<PublicKey, CertificateError> {
        PublicKey::from_protobuf(self.public_key.as_bytes()).map_err(CertificateError::HostKey)
    }

    /// The host key, once it is known to have signed the key of this certificate.
    pub(super) fn verified_key(&self, certificate: &KeyInfo<'_>) -> Result<PublicKey, CertificateError> {
        let key = self.key()?;
        if !key.verify(&signed_text(certificate.der()), self.signature.as_bytes()) {
            return Err(CertificateError::HostSignature);
        }
        Ok(key)
    }
}

/// The content of the extension in a certificate of the given key (a SubjectPublicKeyInfo in DER).
pub(super) fn sign(signer: &dyn Signer, key_info: &[u8]) -> Result<Vec<u8>, SigningError> {
    let signature = signer.sign(&signed_text(key_info))?;
    let public_key = signer.public().to_protobuf();
    let encode = || -> der::Result<Vec<u8>> {
        SignedKey {
            public_key: OctetStringRef::new(&public_key)?,
            signature: OctetStringRef::new(&signature)?,
        }
        .to_der()
    };
    Ok(encode().expect("a key and a signature fit in DER"))
}

fn signed_text(key_info: &[u8]) -> Vec<u8> {
    [PREFIX, key_info].concat()
}
