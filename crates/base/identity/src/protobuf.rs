//! The protobuf message that carries a key: its type and its data.
//!
//! Not by prost, because the message of a private key must not be copied into buffers that nobody wipes.

use sinew_wire::protobuf::{Value, fields};
use sinew_wire::varint;

use crate::{KeyError, KeyType};

/// Field 1, a varint (peer-ids spec, Keys).
const TYPE_TAG: u8 = 0x08;
/// Field 2, bytes.
const DATA_TAG: u8 = 0x12;

/// Writes the message for `data`, in the one order and form that the spec allows. The buffer never
/// grows, so that a secret leaves no copy behind.
pub(crate) fn encode(key_type: KeyType, data: &[u8]) -> Vec<u8> {
    // spec: peer-ids, Keys: every field, in the order of the tags, with varints as short as they can be.
    let mut out = Vec::with_capacity(3 + varint::MAX_LEN + data.len());
    out.extend([TYPE_TAG, key_type as u8, DATA_TAG]);
    varint::encode(data.len() as u64, &mut out);
    out.extend_from_slice(data);
    out
}

/// Reads the message; the data is a part of `bytes`.
///
/// As every libp2p implementation does, this takes what protobuf allows beyond the deterministic form:
/// other orders, longer varints, unknown fields, and the last of a repeated field. The key that comes
/// out has one encoding all the same: its own.
pub(crate) fn decode(bytes: &[u8]) -> Result<(KeyType, &[u8]), KeyError> {
    let (mut key_type, mut data) = (None, None);
    for field in fields(bytes) {
        let field = field?;
        match (field.number, field.value) {
            // An enum is cut to 32 bits, as protobuf says.
            (1, Value::Varint(number)) => key_type = Some(number as u32 as i32),
            (2, Value::Bytes(bytes)) => data = Some(bytes),
            (1 | 2, _) => return Err(KeyError::Field(field.number)),
            _ => {}
        }
    }
    // spec: peer-ids, Keys: all fields must be included. A type left out would read as RSA.
    let key_type = KeyType::from_number(key_type.ok_or(KeyError::MissingType)?)?;
    Ok((key_type, data.ok_or(KeyError::MissingData)?))
}
