//! Protobuf messages from strangers: bounded in bytes and in the entries of their lists.
//!
//! prost allocates for every entry of a repeated field as it meets it, and an entry of two bytes on the wire
//! can be many more in memory. [`Bounds`] are therefore checked by a pass over the bytes that allocates nothing,
//! before prost sees them. prost does not enforce presence either: declare required fields `optional` in the
//! `.proto` file and take them out with [`required`].

use bytes::Buf;
use prost::Message;
use thiserror::Error;

/// What a message may be at most.
///
/// ```
/// use sinew_wire::protobuf::Bounds;
///
/// // Eight kibibytes; at most 1,024 entries in field 3 and 64 in field 2.
/// const BOUNDS: Bounds<'static> = Bounds::new(8 * 1024, &[(3, 1024), (2, 64)]);
/// assert!(BOUNDS.check(&[0x1a, 0x01, b'a']).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds<'a> {
    bytes: usize,
    fields: &'a [(u32, usize)],
}

/// Why bytes are not the message that they should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message is longer than its maximum.
    #[error("message of {len} bytes where at most {max} are allowed")]
    TooLong {
        /// The length of the message.
        len: usize,
        /// The maximum.
        max: usize,
    },
    /// A field occurs more often than its maximum.
    #[error("more than {max} entries in field {field}")]
    TooMany {
        /// The number of the field.
        field: u32,
        /// The maximum.
        max: usize,
    },
    /// The bytes are not made of protobuf fields.
    #[error("not a protobuf message: {0}")]
    Wire(#[from] WireError),
    /// A known field has a value of the wrong kind, or text that is not UTF-8.
    #[error("protobuf: {0}")]
    Message(#[from] prost::DecodeError),
    /// A field that must be there is not.
    #[error("field {0} is missing")]
    Missing(&'static str),
}

/// Where the bytes of a message stop being protobuf fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// A varint is longer than 64 bits.
    #[error("varint is longer than 64 bits")]
    Overflow,
    /// The message ends inside a field.
    #[error("message ends inside a field")]
    Truncated,
    /// The number of a field is zero or beyond 29 bits.
    #[error("field number out of range")]
    FieldNumber,
    /// The wire type is a group, which no libp2p message has, or none at all.
    #[error("wire type {0} is not supported")]
    WireType(u8),
}

impl<'a> Bounds<'a> {
    /// At most `bytes` in all, and for each `(field, max)` at most `max` occurrences of that field in the
    /// outermost message.
    ///
    /// Fields that are not listed are bounded by `bytes` alone. A packed list counts as one occurrence. For lists
    /// in inner messages walk [`fields`] and check the inner bytes with bounds of their own.
    #[must_use]
    pub const fn new(bytes: usize, fields: &'a [(u32, usize)]) -> Self {
        Self { bytes, fields }
    }

    /// Whether `message` keeps the bounds. Allocates nothing; takes time linear in the length of the message.
    ///
    /// # Errors
    ///
    /// When a bound is broken, or the bytes are no protobuf fields.
    pub fn check(&self, message: &[u8]) -> Result<(), DecodeError> {
        self.admit(message.len())?;
        check(message, self.fields)
    }

    fn admit(&self, len: usize) -> Result<(), DecodeError> {
        if len > self.bytes {
            Err(DecodeError::TooLong { len, max: self.bytes })
        } else {
            Ok(())
        }
    }
}

/// Decodes a message of at most `max` bytes that has no lists worth bounding.
///
/// From `Bytes`, fields of type `Bytes` share the memory of the message instead of copying.
///
/// # Errors
///
/// When the message is too long or prost refuses it.
pub fn decode<M: Message + Default>(message: impl Buf, max: usize) -> Result<M, DecodeError> {
    Bounds::new(max, &[]).admit(message.remaining())?;
    Ok(M::decode(message)?)
}

/// Decodes a message after its bounds were checked.
///
/// `message` must be one contiguous piece, as `Bytes`, `BytesMut` and slices are; of other buffers only the first
/// piece would be checked, so these are refused as [`WireError::Truncated`].
///
/// # Errors
///
/// When a bound is broken or prost refuses the message.
pub fn decode_bounded<M: Message + Default>(
    message: impl Buf,
    bounds: &Bounds<'_>,
) -> Result<M, DecodeError> {
    if message.chunk().len() != message.remaining() {
        return Err(WireError::Truncated.into());
    }
    bounds.check(message.chunk())?;
    Ok(M::decode(message)?)
}

/// Whether no field of `limits`, which are pairs of field number and maximum, occurs more often than it may.
///
/// # Errors
///
/// When one does, or the bytes are no protobuf fields.
pub fn check(message: &[u8], limits: &[(u32, usize)]) -> Result<(), DecodeError> {
    // Limits are few; one pass a limit needs no table of counters.
    for &(field, max) in limits {
        let mut seen = 0;
        for entry in fields(message) {
            seen += usize::from(entry?.number == field);
            if seen > max {
                return Err(DecodeError::TooMany { field, max });
            }
        }
    }
    Ok(())
}

/// Takes a field that must be present.
///
/// # Errors
///
/// [`DecodeError::Missing`] with the name when it is not.
pub fn required<T>(field: Option<T>, name: &'static str) -> Result<T, DecodeError> {
    field.ok_or(DecodeError::Missing(name))
}

/// The fields of a message in the order of the wire, without allocating. Ends after the first error.
#[must_use]
pub const fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

/// The iterator that [`fields`] gives.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// One field as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number in the `.proto` file.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
}

/// The value of a field by wire type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer, enum or bool.
    Varint(u64),
    /// Eight bytes.
    Fixed64([u8; 8]),
    /// Bytes, text, an inner message or a packed list.
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed32([u8; 4]),
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    /// What was not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn field(&mut self) -> Result<Field<'a>, WireError> {
        let key = self.varint()?;
        let number = u32::try_from(key).map_err(|_| WireError::FieldNumber)? >> 3;
        if number == 0 {
            return Err(WireError::FieldNumber);
        }
        let value = match (key & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                Value::Bytes(self.take(len)?)
            }
            5 => Value::Fixed32(self.array()?),
            other => return Err(WireError::WireType(other)),
        };
        Ok(Field { number, value })
    }

    /// A protobuf varint. Unlike those of multiformats it may be longer than it need be, and encoders make use
    /// of that.
    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for index in 0..crate::varint::MAX_LEN {
            let [byte] = self.array()?;
            if index == crate::varint::MAX_LEN - 1 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Overflow)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}
