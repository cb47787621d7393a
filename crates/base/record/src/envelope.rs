//! Signed envelopes (RFC 0002): a payload with its type, signed for one domain.

use bytes::{BufMut, Bytes};
use prost::Message;
use sinew_identity::{KeyError, PeerId, PublicKey, Signer, SigningError};
use sinew_machine::{Blame, Culpable};
use sinew_wire::protobuf::{self, DecodeError};
use sinew_wire::varint;
use thiserror::Error;

use crate::generated::envelope::Envelope as Wire;

/// The longest envelope that is opened.
///
/// Four times the message of 8 KiB that identify carries one in; the specification sets no bound. Protocols with
/// smaller frames bound it further.
pub const MAX_ENVELOPE: usize = 32 * 1024;

/// A payload that the holder of a key has signed, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    key: PublicKey,
    payload_type: Bytes,
    payload: Bytes,
}

/// Why bytes are not a signed envelope for the domain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Too long, no protobuf message, or without a key or signature.
    #[error("envelope: {0}")]
    Decode(#[from] DecodeError),
    /// The key is none that can sign.
    #[error("key of an envelope: {0}")]
    Key(#[source] KeyError),
    /// The key has no type. py-libp2p writes RSA keys so; what it means is a guess, and the specification and the
    /// other libraries refuse it. Not held against the peer.
    #[error("key of an envelope has no type, as py-libp2p writes RSA keys")]
    KeyWithoutType,
    /// The signature is not one of this key over this payload, type and domain.
    #[error("envelope is not signed for domain {0}")]
    Signature(String),
}

impl Culpable for EnvelopeError {
    fn blame(&self) -> Blame {
        match self {
            Self::KeyWithoutType => Blame::Local,
            Self::Decode(_) | Self::Key(_) | Self::Signature(_) => Blame::Peer,
        }
    }
}

impl Envelope {
    /// Signs a payload and its type for a domain. The result is the envelope's bytes.
    ///
    /// # Errors
    ///
    /// When the signer cannot sign.
    pub fn seal(
        signer: &dyn Signer,
        domain: &str,
        payload_type: &[u8],
        payload: &[u8],
    ) -> Result<Vec<u8>, SigningError> {
        let signature = signer.sign(&signed_bytes(domain, payload_type, payload))?;
        let wire = Wire {
            public_key: Some(signer.public().to_protobuf().into()),
            payload_type: Bytes::copy_from_slice(payload_type),
            payload: Bytes::copy_from_slice(payload),
            signature: Some(signature.into()),
        };
        Ok(wire.encode_to_vec())
    }

    /// Reads an envelope and verifies that it was signed for `domain`.
    ///
    /// # Errors
    ///
    /// When it was not, or the bytes are no envelope of at most [`MAX_ENVELOPE`] bytes.
    pub fn open(bytes: &[u8], domain: &str) -> Result<Self, EnvelopeError> {
        Sealed::read(bytes)?.verify(domain)
    }

    /// The key that signed.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The peer that signed.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.key.peer_id()
    }

    /// What the payload is.
    #[must_use]
    pub fn payload_type(&self) -> &[u8] {
        &self.payload_type
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// An envelope that was read but not yet verified. It shows its type alone.
pub(crate) struct Sealed {
    envelope: Envelope,
    signature: Bytes,
}

impl Sealed {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let wire: Wire = protobuf::decode(bytes, MAX_ENVELOPE)?;
        let key = protobuf::required(wire.public_key, "public_key")?;
        let key = PublicKey::from_protobuf(&key).map_err(|error| match error {
            KeyError::MissingType => EnvelopeError::KeyWithoutType,
            other => EnvelopeError::Key(other),
        })?;
        let signature = protobuf::required(wire.signature, "signature")?;
        Ok(Self {
            envelope: Envelope {
                key,
                payload_type: wire.payload_type,
                payload: wire.payload,
            },
            signature,
        })
    }

    pub(crate) fn payload_type(&self) -> &[u8] {
        &self.envelope.payload_type
    }

    pub(crate) fn verify(self, domain: &str) -> Result<Envelope, EnvelopeError> {
        let envelope = self.envelope;
        let signed = signed_bytes(domain, &envelope.payload_type, &envelope.payload);
        if envelope.key.verify(&signed, &self.signature) {
            Ok(envelope)
        } else {
            Err(EnvelopeError::Signature(domain.to_owned()))
        }
    }
}

/// spec: RFC 0002, Signature Production / Verification: domain, type and payload, each behind its length.
fn signed_bytes(domain: &str, payload_type: &[u8], payload: &[u8]) -> Vec<u8> {
    let parts = [domain.as_bytes(), payload_type, payload];
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + varint::MAX_LEN).sum());
    for part in parts {
        varint::encode(part.len() as u64, &mut out);
        out.put_slice(part);
    }
    out
}
