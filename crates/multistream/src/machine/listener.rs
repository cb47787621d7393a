//! The listener's side: answers proposals until it accepts one.
//!
//! ```text
//!            header ok            other: `na`; `ls`: the list
//!   Header ------------> Proposal ----------------------------> Proposal
//!                            |
//!                   on offer | echo
//!                            v
//!                           Over
//! ```

use super::{
    HEADER, MAX_BYTES, MAX_MESSAGE, MAX_MESSAGES, Negotiation, Violation, list,
    message::{self, Expected, LIST, NOT_AVAILABLE, Reader},
};
use bytes::BytesMut;
use sinew_machine::ProtocolId;
use std::mem::take;

/// What a listener has to offer.
pub trait Offer {
    /// The protocol of this name, if it is on offer. It may be one that no list names: a match function.
    fn accept(&self, name: &str) -> Option<ProtocolId>;

    /// The protocols that can be listed, in any order.
    fn list(&self) -> Vec<ProtocolId>;
}

impl Offer for [ProtocolId] {
    fn accept(&self, name: &str) -> Option<ProtocolId> {
        // spec: connections, Protocol Negotiation: names are matched literally unless a match function says otherwise
        self.iter().find(|protocol| protocol.as_str() == name).cloned()
    }

    fn list(&self) -> Vec<ProtocolId> {
        self.to_vec()
    }
}

impl<T: Offer + ?Sized> Offer for Box<T> {
    fn accept(&self, name: &str) -> Option<ProtocolId> {
        (**self).accept(name)
    }

    fn list(&self) -> Vec<ProtocolId> {
        (**self).list()
    }
}

impl<T: Offer + ?Sized> Offer for &T {
    fn accept(&self, name: &str) -> Option<ProtocolId> {
        (**self).accept(name)
    }

    fn list(&self) -> Vec<ProtocolId> {
        (**self).list()
    }
}

/// Answers proposals out of an [`Offer`]. The header is sent once the remote's came, so that it leaves in one piece with
/// the first answer.
#[derive(Debug)]
pub struct Listener<O> {
    offer: O,
    phase: Phase,
    reader: Reader,
    output: BytesMut,
    messages: usize,
    bytes: usize,
    refused: Option<ProtocolId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Header,
    Proposal,
    Over,
}

impl<O: Offer> Listener<O> {
    /// A listener with this offer.
    #[must_use]
    pub fn new(offer: O) -> Self {
        let reader = Reader::new(MAX_MESSAGE);
        Self {
            offer,
            phase: Phase::Header,
            reader,
            output: BytesMut::new(),
            messages: 0,
            bytes: 0,
            refused: None,
        }
    }

    /// How many messages were read so far: what a negotiation that came to nothing has cost.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// The proposal that was refused last. What cannot be read behind it may be no message at all, but the data of a
    /// dialler that expected it to be accepted.
    #[must_use]
    pub fn refused(&self) -> Option<&ProtocolId> {
        self.refused.as_ref()
    }

    fn expected(&self) -> Expected<'static> {
        match self.phase {
            Phase::Header => Expected::OneOf(&[HEADER]),
            Phase::Proposal | Phase::Over => Expected::Line,
        }
    }

    fn answer(&mut self, message: &[u8]) -> Result<Option<ProtocolId>, Violation> {
        self.messages += 1;
        if self.phase == Phase::Header {
            self.phase = Phase::Proposal;
            message::encode(HEADER, &mut self.output);
            return Ok(None);
        }
        let name = std::str::from_utf8(message).map_err(|_| Violation::Utf8)?;
        if name == LIST {
            let before = self.output.len();
            list::encode(&self.offer.list(), &mut self.output);
            // An answer that is a hundred times its question counts against the same bound.
            self.spend(self.output.len() - before)?;
        } else if let Some(protocol) = self.offer.accept(name) {
            self.phase = Phase::Over;
            message::encode(name, &mut self.output);
            return Ok(Some(protocol));
        } else {
            message::encode(NOT_AVAILABLE, &mut self.output);
            self.refused = Some(name.into());
        }
        self.check_messages()
    }

    /// Refuses at the last message that is allowed, rather than to wait for one more.
    fn check_messages(&self) -> Result<Option<ProtocolId>, Violation> {
        match self.messages {
            MAX_MESSAGES.. => Err(Violation::TooManyMessages),
            _ => Ok(None),
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Violation> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            Err(Violation::TooManyBytes)
        } else {
            Ok(())
        }
    }
}

impl<O: Offer> Negotiation for Listener<O> {
    type Outcome = ProtocolId;

    fn transmit(&mut self) -> BytesMut {
        take(&mut self.output)
    }

    fn wanted(&self) -> usize {
        match self.phase {
            Phase::Over => 0,
            Phase::Header | Phase::Proposal => self.reader.wanted(self.expected()),
        }
    }

    fn receive(&mut self, input: &[u8]) -> Result<(usize, Option<ProtocolId>), Violation> {
        let mut taken = 0;
        while taken < input.len() && self.phase != Phase::Over {
            let read = self.reader.read(&input[taken..], self.expected());
            let (read, message) = match self.phase {
                // spec: connections, multistream-select: anything else as first message ends the negotiation
                Phase::Header => read.map_err(|_| Violation::Header)?,
                Phase::Proposal | Phase::Over => read?,
            };
            taken += read;
            self.spend(read)?;
            let Some(message) = message else { continue };
            if let Some(protocol) = self.answer(&message)? {
                return Ok((taken, Some(protocol)));
            }
        }
        Ok((taken, None))
    }
}
