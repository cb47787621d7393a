//! JSON (RFC 8259), through serde.

use super::{Codec, CodecError};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;

/// JSON for any types that serde knows.
#[derive(Debug)]
pub struct Json<Request, Response>(PhantomData<fn() -> (Request, Response)>);

impl<Request, Response> Codec for Json<Request, Response>
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
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(CodecError::new)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    serde_json::from_slice(bytes).map_err(CodecError::new)
}
