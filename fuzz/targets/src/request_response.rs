//! The framings and codecs of `sinew-request-response`.

use std::fmt::Debug;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sinew_request_response::{Cbor, Codec, Framing, Json, Protobuf, decode};

/// The longest message.
const MAX: usize = 1024;

/// A message as an application might have one: lists, options and itself inside.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    name: String,
    numbers: Vec<i64>,
    flag: Option<bool>,
    children: Vec<Self>,
}

/// The same in protobuf.
#[derive(PartialEq, prost::Message)]
struct ProtobufTree {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(sint64, repeated, tag = "2")]
    numbers: Vec<i64>,
    #[prost(bool, optional, tag = "3")]
    flag: Option<bool>,
    #[prost(message, repeated, tag = "4")]
    children: Vec<Self>,
}

/// A framing gives a message within its bound, and a value that a codec reads is written and read again. The first byte
/// chooses the framing and the codec.
pub(crate) fn message(data: &[u8]) {
    let [mode, bytes @ ..] = data else { return };
    let framing = if mode & 1 == 0 {
        Framing::LengthPrefixed
    } else {
        Framing::ToEnd
    };
    let Ok(message) = decode(bytes, framing, MAX) else {
        return;
    };
    assert!(message.len() <= MAX);
    match mode >> 1 & 3 {
        0 => again::<Cbor<Tree, Tree>>(message),
        1 => again::<Json<Tree, Tree>>(message),
        _ => again::<Protobuf<ProtobufTree, ProtobufTree>>(message),
    }
}

fn again<C: Codec<Request: Debug + PartialEq>>(message: Bytes) {
    if let Ok(value) = C::decode_request(message) {
        let written = C::encode_request(&value).expect("a value that was read");
        assert_eq!(C::decode_request(written).expect("a value of ours"), value);
    }
}
