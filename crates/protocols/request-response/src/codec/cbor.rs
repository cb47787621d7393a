//! CBOR (RFC 8949), through serde.

use super::{Codec, CodecError};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;

/// How deep values may nest: enough for any data, and far from the end of a task's stack.
const MAX_DEPTH: usize = 64;

/// CBOR for any types that serde knows.
#[derive(Debug)]
pub struct Cbor<Request, Response>(PhantomData<fn() -> (Request, Response)>);

impl<Request, Response> Codec for Cbor<Request, Response>
where
    Request: Serialize + DeserializeOwned + Send + 'static,
    Response: Serialize + DeserializeOwned + Send + 'static,
{
    type Request = Request;
    type Response = Response;

    fn encode_request(request: &Request) -> Result<Bytes, CodecError> {
        encode(request)
    }

    fn decode_request(bytes: Bytes) -> Result<Request, CodecError> {
        decode(&bytes)
    }

    fn encode_response(response: &Response) -> Result<Bytes, CodecError> {
        encode(response)
    }

    fn decode_response(bytes: Bytes) -> Result<Response, CodecError> {
        decode(&bytes)
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Bytes, CodecError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(CodecError::new)?;
    Ok(bytes.into())
}

fn decode<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, CodecError> {
    let value =
        ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH).map_err(CodecError::new)?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(CodecError::new("bytes after the value"))
    }
}
