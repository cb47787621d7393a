//! `ls`: which protocols there are. Optional in the specification; go-libp2p answers it with `na`.
//!
//! ```text
//!   length | ( length | name | '\n' )* | '\n'
//! ```

use super::{
    HEADER, MAX_LIST, Negotiation, Violation,
    message::{self, Expected, LIST, NOT_AVAILABLE, Reader},
};
use bytes::{BufMut, BytesMut};
use sinew_machine::ProtocolId;
use sinew_wire::varint;
use std::mem::take;

/// The longest list that is sent, in bytes: half of what a negotiation may take, so that one list always fits.
const MAX_SENT: usize = super::MAX_BYTES / 2;

/// Names that are read of one list. go-libp2p keeps as many of an identify message.
const MAX_NAMES: usize = 1024;

/// Appends the answer to `ls`. Names that do not fit any more are left out.
pub(crate) fn encode(protocols: &[ProtocolId], out: &mut BytesMut) {
    let mut names = BytesMut::new();
    for protocol in protocols
        .iter()
        .filter(|protocol| message::is_sendable(protocol.as_str()))
    {
        if names.len() + protocol.as_str().len() > MAX_SENT - 8 {
            break;
        }
        message::encode(protocol.as_str(), &mut names);
    }
    varint::encode(names.len() as u64 + 1, out);
    out.put_slice(&names);
    out.put_u8(b'\n');
}

/// Reads the names of a list, whose own newline is already cut off.
fn decode(mut list: &[u8]) -> Result<Vec<ProtocolId>, Violation> {
    let mut names = Vec::new();
    while !list.is_empty() {
        let (length, head) = varint::decode(list).ok().flatten().ok_or(Violation::List)?;
        let rest = &list[head..];
        let length = usize::try_from(length).map_err(|_| Violation::List)?;
        let Some((b'\n', name)) = rest.get(..length).and_then(<[u8]>::split_last) else {
            return Err(Violation::List);
        };
        let name = std::str::from_utf8(name).map_err(|_| Violation::Utf8)?;
        if names.len() == MAX_NAMES || !message::is_sendable(name) {
            return Err(Violation::List);
        }
        names.push(ProtocolId::from(name));
        list = &rest[length..];
    }
    Ok(names)
}

/// Asks which protocols there are. Comes to `None` where the remote does not tell.
#[derive(Debug)]
pub struct ListQuery {
    phase: Phase,
    reader: Reader,
    output: BytesMut,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Header,
    Asked,
    Over,
}

impl ListQuery {
    /// A query. The header and the question are ready to be sent at once.
    #[must_use]
    pub fn new() -> Self {
        let mut output = BytesMut::new();
        message::encode(HEADER, &mut output);
        message::encode(LIST, &mut output);
        Self {
            phase: Phase::Header,
            reader: Reader::new(MAX_LIST),
            output,
        }
    }

    fn expected(&self) -> Expected<'static> {
        match self.phase {
            Phase::Header => Expected::OneOf(&[HEADER]),
            Phase::Asked | Phase::Over => Expected::Lines,
        }
    }
}

impl Default for ListQuery {
    fn default() -> Self {
        Self::new()
    }
}

impl Negotiation for ListQuery {
    type Outcome = Option<Vec<ProtocolId>>;

    fn transmit(&mut self) -> BytesMut {
        take(&mut self.output)
    }

    fn wanted(&self) -> usize {
        match self.phase {
            Phase::Over => 0,
            Phase::Header | Phase::Asked => self.reader.wanted(self.expected()),
        }
    }

    fn receive(&mut self, input: &[u8]) -> Result<(usize, Option<Self::Outcome>), Violation> {
        let mut taken = 0;
        while taken < input.len() && self.phase != Phase::Over {
            let read = self.reader.read(&input[taken..], self.expected());
            match (self.phase, read) {
                (Phase::Header, Err(_)) => return Err(Violation::Header),
                (_, Err(violation)) => return Err(violation),
                (_, Ok((read, None))) => taken += read,
                (Phase::Header, Ok((read, Some(_)))) => {
                    taken += read;
                    self.phase = Phase::Asked;
                }
                (_, Ok((read, Some(message)))) => {
                    self.phase = Phase::Over;
                    let names = (message != NOT_AVAILABLE.as_bytes())
                        .then(|| decode(&message))
                        .transpose()?;
                    return Ok((taken + read, Some(names)));
                }
            }
        }
        Ok((taken, None))
    }
}
