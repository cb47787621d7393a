//! The bytes of messages: written at once, read in whatever pieces they come.
//!
//! ```text
//!   length (varint) | text | '\n'          length counts the newline
//! ```
//!
//! A [`Reader`] refuses at the first byte that cannot be right, takes nothing beyond the end of a message and
//! says how many bytes may be asked for without reading too far.

use super::Violation;
use bytes::{BufMut, BytesMut};
use sinew_wire::varint;
use std::{borrow::Cow, mem::take};

/// The header that both sides send first.
pub const HEADER: &str = "/multistream/1.0.0";

/// The answer to a proposal that is refused.
pub(crate) const NOT_AVAILABLE: &str = "na";

/// The question which protocols there are.
pub(crate) const LIST: &str = "ls";

/// The longest proposal that is read or sent, its newline included. js-libp2p reads no longer one; rust-libp2p reads
/// 16,383 bytes and go-libp2p 65,536, and no known protocol needs a tenth of it.
pub const MAX_MESSAGE: usize = 1024;

/// The longest list of protocols that is read, in bytes: the most that a length of two bytes can say, which is
/// also what rust-libp2p reads.
pub const MAX_LIST: usize = (1 << 14) - 1;

/// Messages that a listener reads in one negotiation. A dialler that proposes each version of a protocol needs a
/// handful; the rest is there to bound the work that one stream can ask for.
pub const MAX_MESSAGES: usize = 64;

/// Bytes that a listener reads, or lists in answers, in one negotiation.
pub const MAX_BYTES: usize = 16 * 1024;

/// What the length and the newline add to a text at most.
pub(crate) const AROUND: usize = 3;

/// Space for a message that comes in pieces, so that the usual one makes it grow no more.
const PIECES: usize = 64;

/// Appends one message.
///
/// The caller has made sure that the text is short enough for the other side.
pub(crate) fn encode(text: &str, out: &mut BytesMut) {
    out.reserve(text.len() + AROUND);
    varint::encode(text.len() as u64 + 1, out);
    out.put_slice(text.as_bytes());
    out.put_u8(b'\n');
}

/// Whether a text can be sent as a proposal: a path of one line, and no longer than others read.
pub(crate) fn is_sendable(name: &str) -> bool {
    name.starts_with('/') && name.len() < MAX_MESSAGE && !name.contains('\n')
}

/// What the next message may be.
#[derive(Clone, Copy)]
pub(crate) enum Expected<'a> {
    /// One of these texts, and nothing else.
    OneOf(&'a [&'a str]),
    /// Any text of one line.
    Line,
    /// Anything that ends in a newline: a list has newlines inside.
    Lines,
}

/// How many bytes were taken, and the message without its newline once it is whole.
pub(crate) type Read<'a> = (usize, Option<Cow<'a, [u8]>>);

/// Reads messages from pieces of any size.
#[derive(Debug)]
pub(crate) struct Reader {
    max: usize,
    length: Length,
    body: Vec<u8>,
}

/// A length as far as it was read. Two bytes are the most that it takes: the maxima are below 2^14.
#[derive(Clone, Copy, Debug)]
enum Length {
    None,
    Half(u8),
    Whole(usize),
}

impl Reader {
    /// A reader of messages up to `max` bytes, the newline included.
    pub(crate) fn new(max: usize) -> Self {
        debug_assert!(max < 1 << 14, "a length takes two bytes at most");
        Self {
            max,
            length: Length::None,
            body: Vec::new(),
        }
    }

    /// How many bytes can be asked for such that none of them lies behind the next message. Never zero.
    pub(crate) fn wanted(&self, expected: Expected<'_>) -> usize {
        match (self.length, expected) {
            (Length::Whole(length), _) => length - self.body.len(),
            (Length::Half(_), _) => 1,
            // The shortest message of all is a lone newline behind its length.
            (Length::None, Expected::Line | Expected::Lines) => 2,
            (Length::None, Expected::OneOf(texts)) => 2 + texts.iter().map(|t| t.len()).min().unwrap_or(0),
        }
    }

    /// Takes bytes up to the end of the next message at most. One that comes in one piece is not copied.
    pub(crate) fn read<'a>(
        &mut self,
        input: &'a [u8],
        expected: Expected<'_>,
    ) -> Result<Read<'a>, Violation> {
        let mut taken = 0;
        let length = loop {
            if let Length::Whole(length) = self.length {
                break length;
            }
            let Some(&byte) = input.get(taken) else {
                return Ok((taken, None));
            };
            self.length = self.length.push(byte, self.max)?;
            taken += 1;
            self.check_length(expected)?;
        };
        let (_, rest) = input.split_at(taken);
        let piece = &rest[..rest.len().min(length - self.body.len())];
        taken += piece.len();
        let message = self.join(piece, length);
        check_body(&message, length, expected)?;
        if message.len() < length {
            self.body = message.into_owned();
            return Ok((taken, None));
        }
        self.length = Length::None;
        Ok((taken, Some(cut_newline(message))))
    }

    /// What has come of a message.
    fn join<'a>(&mut self, piece: &'a [u8], length: usize) -> Cow<'a, [u8]> {
        if piece.len() == length {
            return Cow::Borrowed(piece);
        }
        let mut body = take(&mut self.body);
        // The space grows with what has come, not with what was announced.
        if body.is_empty() {
            body.reserve(PIECES);
        }
        body.extend_from_slice(piece);
        Cow::Owned(body)
    }

    fn check_length(&self, expected: Expected<'_>) -> Result<(), Violation> {
        match expected {
            Expected::OneOf(texts) if !texts.iter().any(|t| self.length.may_become(t.len() + 1)) => {
                Err(Violation::Answer)
            }
            _ => Ok(()),
        }
    }
}

fn check_body(body: &[u8], length: usize, expected: Expected<'_>) -> Result<(), Violation> {
    let (text, end) = body.split_at(body.len().min(length - 1));
    match expected {
        Expected::Lines => {}
        Expected::Line if text.contains(&b'\n') => return Err(Violation::Newline),
        Expected::Line => {}
        Expected::OneOf(texts) => {
            let mut left = texts.iter().filter(|t| t.len() + 1 == length);
            left.find(|t| t.as_bytes().starts_with(text))
                .ok_or(Violation::Answer)?;
        }
    }
    match end {
        [] | [b'\n'] => Ok(()),
        _ => Err(Violation::Newline),
    }
}

fn cut_newline(message: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match message {
        Cow::Borrowed(message) => Cow::Borrowed(&message[..message.len() - 1]),
        Cow::Owned(mut message) => {
            message.pop();
            Cow::Owned(message)
        }
    }
}

impl Length {
    fn push(self, byte: u8, max: usize) -> Result<Self, Violation> {
        let decoded = match self {
            Self::Half(first) => varint::decode(&[first, byte]),
            Self::None | Self::Whole(_) => varint::decode(&[byte]),
        };
        match (decoded, self) {
            // spec: multiformats/unsigned-varint: the shortest encoding is the only one
            (Err(_) | Ok(Some((0, _))), _) => Err(Violation::Length),
            (Ok(Some((length, _))), _) => usize::try_from(length)
                .ok()
                .filter(|&length| length <= max)
                .map(Self::Whole)
                .ok_or(Violation::TooLong),
            (Ok(None), Self::Half(_)) => Err(Violation::TooLong),
            (Ok(None), _) => Ok(Self::Half(byte)),
        }
    }

    /// Whether a message of `length` bytes can begin as what was read of it.
    fn may_become(self, length: usize) -> bool {
        match self {
            Self::None => true,
            Self::Half(first) => length > 0x7f && length & 0x7f == usize::from(first & 0x7f),
            Self::Whole(read) => read == length,
        }
    }
}
