//! Code made of the protobuf schemas in `proto/`.

pub(crate) mod plaintext;
