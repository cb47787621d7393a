//! Unsigned varints of the multiformats specification: little-endian base 128, shortest form only.

use bytes::BufMut;
use thiserror::Error;

/// The longest varint that is read or written: ten groups of seven bits hold a `u64`.
///
/// The specification recommends nine bytes (63 bits); the tenth keeps [`encode`] total over `u64`. Every
/// user in this workspace bounds the value it reads far below either.
pub const MAX_LEN: usize = 10;

/// Why bytes are no unsigned varint, however many more of them arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VarintError {
    /// The last group is zero: the same value has a shorter form.
    #[error("varint is not in its shortest form")]
    NonMinimal,
    /// The value does not fit into 64 bits.
    #[error("varint is longer than 64 bits")]
    Overflow,
}

/// The number of bytes that `value` takes.
#[must_use]
pub const fn len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Writes `value` in its shortest form.
///
/// # Panics
///
/// As [`BufMut`] does, when `out` is of a fixed size and has less than [`len`] bytes left.
pub fn encode(mut value: u64, out: &mut impl BufMut) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Reads a varint from the front of `bytes`: the value and how many bytes it took, or `None` when the
/// bytes end before it does.
///
/// # Errors
///
/// When no continuation of `bytes` makes them a varint; see [`VarintError`].
pub fn decode(bytes: &[u8]) -> Result<Option<(u64, usize)>, VarintError> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        // The tenth group has room for the one bit that is left of 64.
        if index == MAX_LEN - 1 && byte > 1 {
            return Err(VarintError::Overflow);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // spec: unsigned-varint, "Practical": values are encoded in the fewest bytes, other forms are refused.
            return if byte == 0 && index > 0 {
                Err(VarintError::NonMinimal)
            } else {
                Ok(Some((value, index + 1)))
            };
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, &mut out);
        out
    }

    #[test]
    fn known_values() {
        // The examples of the specification, and the borders of 64 bits.
        for (value, bytes) in [
            (0, "00"),
            (1, "01"),
            (127, "7f"),
            (128, "8001"),
            (255, "ff01"),
            (300, "ac02"),
            (16384, "808001"),
            (u64::MAX >> 1, "ffffffffffffffff7f"),
            (u64::MAX, "ffffffffffffffffff01"),
        ] {
            assert_eq!(hex::encode(encoded(value)), bytes);
            assert_eq!(
                decode(&hex::decode(bytes).unwrap()),
                Ok(Some((value, bytes.len() / 2)))
            );
        }
    }

    #[test]
    fn refusals() {
        for (bytes, error) in [
            ("8000", VarintError::NonMinimal),
            ("ff00", VarintError::NonMinimal),
            ("80808080808080808000", VarintError::NonMinimal),
            ("ffffffffffffffffff02", VarintError::Overflow),
            ("8080808080808080808001", VarintError::Overflow),
        ] {
            assert_eq!(decode(&hex::decode(bytes).unwrap()), Err(error), "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(value: u64, tail: Vec<u8>) {
            let mut bytes = encoded(value);
            prop_assert_eq!(bytes.len(), len(value));
            for cut in 0..bytes.len() {
                prop_assert_eq!(decode(&bytes[..cut]), Ok(None));
            }
            let taken = bytes.len();
            bytes.extend(tail);
            prop_assert_eq!(decode(&bytes), Ok(Some((value, taken))));
        }

        #[test]
        fn what_decodes_is_the_only_form(bytes: Vec<u8>) {
            if let Ok(Some((value, taken))) = decode(&bytes) {
                prop_assert_eq!(&encoded(value)[..], &bytes[..taken]);
            }
        }
    }
}
