//! Protocol buffers, through prost.

use super::{Codec, CodecError};
use bytes::Bytes;
use prost::Message;
use std::marker::PhantomData;

/// Protocol buffers for messages that prost generated. Prost does not ask for fields that a schema requires: check
/// what must be there.
#[derive(Debug)]
pub struct Protobuf<Request, Response>(PhantomData<fn() -> (Request, Response)>);

impl<Request, Response> Codec for Protobuf<Request, Response>
where
    Request: Message + Default + 'static,
    Response: Message + Default + 'static,
{
    type Request = Request;
    type Response = Response;

    fn encode_request(request: &Request) -> Result<Bytes, CodecError> {
        Ok(request.encode_to_vec().into())
    }

    fn decode_request(bytes: Bytes) -> Result<Request, CodecError> {
        Request::decode(bytes).map_err(CodecError::new)
    }

    fn encode_response(response: &Response) -> Result<Bytes, CodecError> {
        Ok(response.encode_to_vec().into())
    }

    fn decode_response(bytes: Bytes) -> Result<Response, CodecError> {
        Response::decode(bytes).map_err(CodecError::new)
    }
}
