//! Codecs: between the types of an application and bytes.

#[cfg(feature = "cbor")]
pub(crate) mod cbor;
#[cfg(feature = "json")]
pub(crate) mod json;
#[cfg(feature = "prost")]
pub(crate) mod protobuf;

use bytes::Bytes;

/// Turns requests and responses into bytes and back. Sizes are bounded around it; it never sees more than the maximum.
pub trait Codec: Send + Sync + 'static {
    /// What is asked.
    type Request: Send + 'static;
    /// What is answered.
    type Response: Send + 'static;

    /// A request as bytes.
    ///
    /// # Errors
    /// [`CodecError`] when the value has no form in the format.
    fn encode_request(request: &Self::Request) -> Result<Bytes, CodecError>;

    /// A request from bytes.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are none.
    fn decode_request(bytes: Bytes) -> Result<Self::Request, CodecError>;

    /// A response as bytes.
    ///
    /// # Errors
    /// [`CodecError`] when the value has no form in the format.
    fn encode_response(response: &Self::Response) -> Result<Bytes, CodecError>;

    /// A response from bytes.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are none.
    fn decode_response(bytes: Bytes) -> Result<Self::Response, CodecError>;
}

/// Why a codec failed: the error of the library behind it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CodecError(Box<dyn std::error::Error + Send + Sync>);

impl CodecError {
    /// Wraps the error of a codec's library.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}
