//! The payload of the second and third handshake message: who is speaking, and the extensions.

use bytes::Bytes;
use prost::Message;
use sinew_identity::{PublicKey, Signer, SigningError};
use sinew_machine::ProtocolId;
use sinew_wire::protobuf::{self, Bounds, Value, required};

use super::HandshakeError;
use crate::generated::noise::{NoiseExtensions, NoiseHandshakePayload};

/// spec: noise, Static Key Authentication: what is signed begins with these bytes.
const PREFIX: &[u8] = b"noise-libp2p-static-key:";
/// An identity key and a signature of RSA with 8,192 bits take 2.1 KiB; the rest is for the extensions.
pub(crate) const MAX: usize = 8 * 1024;
/// Names of muxers and hashes of certificates a payload may list: peers send one or two of each.
const MAX_LIST: usize = 64;
/// The number of the field `extensions`.
const EXTENSIONS: u32 = 4;
/// Protobuf would merge repeated extensions; nobody sends two.
const BOUNDS: Bounds<'static> = Bounds::new(MAX, &[(EXTENSIONS, 1)]);

/// A decoded payload. Nothing in it is proven before [`Payload::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Payload {
    /// The identity that the sender claims.
    pub key: PublicKey,
    /// Its signature of the static key.
    pub signature: Bytes,
    /// The muxers that the sender speaks, best first (`stream_muxers`).
    pub muxers: Vec<ProtocolId>,
    /// Multihashes of the certificates that the sender uses for WebTransport (`webtransport_certhashes`).
    pub certhashes: Vec<Bytes>,
}

impl Payload {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`HandshakeError::Payload`] and [`HandshakeError::Key`].
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Self, HandshakeError> {
        let bytes = bytes.into();
        BOUNDS.check(&bytes)?;
        for field in protobuf::fields(&bytes).flatten() {
            if let (EXTENSIONS, Value::Bytes(extensions)) = (field.number, field.value) {
                protobuf::check(extensions, &[(1, MAX_LIST), (2, MAX_LIST)])?;
            }
        }
        let message: NoiseHandshakePayload = protobuf::decode(bytes, MAX)?;
        let key = required(message.identity_key, "identity_key")?;
        let extensions = message.extensions.unwrap_or_default();
        Ok(Self {
            key: PublicKey::from_protobuf(&key)?,
            signature: required(message.identity_sig, "identity_sig")?,
            muxers: extensions.stream_muxers.into_iter().map(Into::into).collect(),
            certhashes: extensions.webtransport_certhashes,
        })
    }

    /// Whether the identity signed `static_key`, the key that the handshake has proven.
    ///
    /// # Errors
    /// [`HandshakeError::Signature`] when it did not.
    pub fn verify(&self, static_key: &[u8; 32]) -> Result<(), HandshakeError> {
        // spec: noise, Static Key Authentication: an invalid signature ends the connection at once.
        if self.key.verify(&signed_bytes(static_key), &self.signature) {
            Ok(())
        } else {
            Err(HandshakeError::Signature)
        }
    }
}

/// The part of our payload that is the same in every handshake: the identity and its signature of a static key.
#[derive(Debug, Clone)]
pub struct Proof {
    key: Bytes,
    signature: Bytes,
}

impl Proof {
    /// Signs `static_key` with the identity.
    ///
    /// # Errors
    /// When the signer cannot.
    pub fn sign(signer: &dyn Signer, static_key: &[u8; 32]) -> Result<Self, SigningError> {
        Ok(Self {
            key: signer.public().to_protobuf().into(),
            signature: signer.sign(&signed_bytes(static_key))?.into(),
        })
    }

    /// The bytes of a payload that names `muxers`.
    pub(crate) fn payload(&self, muxers: &[ProtocolId]) -> Vec<u8> {
        let extensions = (!muxers.is_empty()).then(|| NoiseExtensions {
            stream_muxers: muxers.iter().map(ToString::to_string).collect(),
            ..NoiseExtensions::default()
        });
        NoiseHandshakePayload {
            identity_key: Some(self.key.clone()),
            identity_sig: Some(self.signature.clone()),
            extensions,
        }
        .encode_to_vec()
    }
}

fn signed_bytes(static_key: &[u8; 32]) -> Vec<u8> {
    [PREFIX, static_key].concat()
}
