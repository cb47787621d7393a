//! The dialler's side: proposes protocols in order until one is accepted.
//!
//! ```text
//!            header ok           `na`, more left: propose the next
//!   Header ------------> Proposed ------------------------------> Proposed
//!                           |  \
//!                     echoed|   \ `na`, none left
//!                           v    v
//!                     Accepted  Refused
//! ```

use super::{
    HEADER, MAX_MESSAGE, Negotiation, Unsendable, Violation,
    message::{self, Expected, NOT_AVAILABLE, Read, Reader},
};
use bytes::BytesMut;
use sinew_machine::ProtocolId;
use std::mem::take;

/// Proposes protocols in order. The header and the first proposal are ready to be sent at once.
#[derive(Debug)]
pub struct Dialer {
    protocols: Vec<ProtocolId>,
    proposed: usize,
    phase: Phase,
    reader: Reader,
    output: BytesMut,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Header,
    Proposed,
    Over,
}

/// What a dialler's negotiation comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Choice {
    /// The remote agreed to this protocol. Every later byte belongs to it.
    Accepted(ProtocolId),
    /// The remote knows none of the protocols that were proposed.
    Refused,
}

impl Dialer {
    /// A dialler that proposes `protocols` in their order.
    ///
    /// # Errors
    /// [`Unsendable`] if there are none, or one of them cannot be carried.
    pub fn new(protocols: Vec<ProtocolId>) -> Result<Self, Unsendable> {
        let first = protocols.first().ok_or(Unsendable::Nothing)?;
        if let Some(bad) = protocols
            .iter()
            .find(|protocol| !message::is_sendable(protocol.as_str()))
        {
            return Err(Unsendable::Name(bad.clone()));
        }
        // spec: multistream-select, Protocol Selection: the header and the proposal in one packet
        let length = HEADER.len() + first.as_str().len() + 2 * message::AROUND;
        let mut output = BytesMut::with_capacity(length);
        message::encode(HEADER, &mut output);
        message::encode(first.as_str(), &mut output);
        let reader = Reader::new(MAX_MESSAGE);
        Ok(Self {
            protocols,
            proposed: 0,
            phase: Phase::Header,
            reader,
            output,
        })
    }

    /// The protocols, in the order in which they are proposed.
    #[must_use]
    pub fn protocols(&self) -> &[ProtocolId] {
        &self.protocols
    }

    /// The protocol whose answer is awaited.
    #[must_use]
    pub fn proposed(&self) -> &ProtocolId {
        &self.protocols[self.proposed]
    }

    fn answered(&mut self, message: &[u8]) -> Option<Choice> {
        if self.phase == Phase::Header {
            self.phase = Phase::Proposed;
            return None;
        }
        if message == self.proposed().as_str().as_bytes() {
            self.phase = Phase::Over;
            return Some(Choice::Accepted(self.proposed().clone()));
        }
        let Some(next) = self.protocols.get(self.proposed + 1) else {
            self.phase = Phase::Over;
            return Some(Choice::Refused);
        };
        message::encode(next.as_str(), &mut self.output);
        self.proposed += 1;
        None
    }

    fn read<'a>(&mut self, input: &'a [u8]) -> Result<Read<'a>, Violation> {
        let proposed = self.protocols[self.proposed].as_str();
        match self.phase {
            Phase::Header => {
                let read = self.reader.read(input, Expected::OneOf(&[HEADER]));
                // spec: connections, multistream-select: anything else as first message ends the negotiation
                read.map_err(|_| Violation::Header)
            }
            Phase::Proposed => self
                .reader
                .read(input, Expected::OneOf(&[NOT_AVAILABLE, proposed])),
            Phase::Over => Ok((0, None)),
        }
    }
}

impl Negotiation for Dialer {
    type Outcome = Choice;

    fn transmit(&mut self) -> BytesMut {
        take(&mut self.output)
    }

    fn wanted(&self) -> usize {
        match self.phase {
            Phase::Header => self.reader.wanted(Expected::OneOf(&[HEADER])),
            Phase::Proposed => self
                .reader
                .wanted(Expected::OneOf(&[NOT_AVAILABLE, self.proposed().as_str()])),
            Phase::Over => 0,
        }
    }

    fn receive(&mut self, input: &[u8]) -> Result<(usize, Option<Choice>), Violation> {
        let mut taken = 0;
        while taken < input.len() && self.phase != Phase::Over {
            let (read, message) = self.read(&input[taken..])?;
            taken += read;
            if let Some(choice) = message.and_then(|message| self.answered(&message)) {
                return Ok((taken, Some(choice)));
            }
        }
        Ok((taken, None))
    }
}
