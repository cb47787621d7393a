//! The protobuf message that carries a key: its type and its data.
//!
//! By hand, because the message of a private key must not be copied into buffers that nobody wipes.

use crate::{KeyError, KeyType};

/// Field 1, a varint (peer-ids spec, Keys).
const TYPE_TAG: u8 = 0x08;
/// Field 2, bytes.
const DATA_TAG: u8 = 0x12;
/// Bytes of the longest varint: ten groups of seven bits hold 64.
const MAX_VARINT: usize = 10;

/// Writes the message for `data`, in the one order and form that the spec allows. The buffer never grows, so that a secret leaves no
/// copy behind.
pub(crate) fn encode(key_type: KeyType, data: &[u8]) -> Vec<u8> {
    // spec: peer-ids, Keys: every field, in the order of the tags, with varints as short as they can be.
    let mut out = Vec::with_capacity(3 + MAX_VARINT + data.len());
    out.extend([TYPE_TAG, key_type as u8, DATA_TAG]);
    let mut len = data.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(data);
    out
}

/// Reads the message; the data is a part of `bytes`.
///
/// As every libp2p implementation does, this takes what protobuf allows beyond the deterministic form: other
/// orders, longer varints, unknown fields, and the last of a repeated field. The key that comes out has one
/// encoding all the same: its own.
pub(crate) fn decode(bytes: &[u8]) -> Result<(KeyType, &[u8]), KeyError> {
    let mut rest = bytes;
    let (mut key_type, mut data) = (None, None);
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match (tag >> 3, tag & 7) {
            (0, _) => return Err(KeyError::Protobuf),
            // An enum is cut to 32 bits, as protobuf says.
            (1, 0) => key_type = Some(varint(&mut rest)? as u32 as i32),
            (2, 2) => data = Some(delimited(&mut rest)?),
            (1 | 2, _) => return Err(KeyError::Protobuf),
            (_, wire_type) => skip(wire_type, &mut rest)?,
        }
    }
    // spec: peer-ids, Keys: all fields must be included. A type left out would read as RSA.
    let key_type = KeyType::from_number(key_type.ok_or(KeyError::MissingType)?)?;
    Ok((key_type, data.ok_or(KeyError::MissingData)?))
}

fn varint(rest: &mut &[u8]) -> Result<u64, KeyError> {
    let mut value = 0;
    for (index, byte) in rest.iter().take(MAX_VARINT).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if index == MAX_VARINT - 1 && bits > 1 {
            return Err(KeyError::Protobuf);
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(KeyError::Protobuf)
}

fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], KeyError> {
    let len = usize::try_from(varint(rest)?).map_err(|_| KeyError::Protobuf)?;
    take(len, rest)
}

fn take<'a>(len: usize, rest: &mut &'a [u8]) -> Result<&'a [u8], KeyError> {
    let (head, tail) = rest.split_at_checked(len).ok_or(KeyError::Protobuf)?;
    *rest = tail;
    Ok(head)
}

/// Passes over the value of an unknown field.
fn skip(wire_type: u64, rest: &mut &[u8]) -> Result<(), KeyError> {
    match wire_type {
        0 => varint(rest).map(drop),
        1 => take(8, rest).map(drop),
        2 => delimited(rest).map(drop),
        5 => take(4, rest).map(drop),
        _ => Err(KeyError::Protobuf), // groups, and what protobuf does not know
    }
}
