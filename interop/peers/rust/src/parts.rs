//! Messages that come in parts: eight of 1 KiB, and a bit for each as metadata, as in the official gossipsub suite.

use std::{collections::HashMap, sync::Arc};

use libp2p::{
    PeerId,
    gossipsub::partial_messages::{Metadata, Partial, PartialAction, PartialError},
};
use serde_json::json;

use crate::{journal::Journal, pubsub::hex};

/// Bytes of a part.
const PART: usize = 1024;

/// Numbers of eight bytes in a part.
const NUMBERS: u64 = 128;

/// What there is of every message, by topic and group.
pub struct Groups {
    journal: Arc<Journal>,
    groups: HashMap<(String, u64), Parts>,
}

/// Some of the parts of one message.
#[derive(Clone)]
pub struct Parts {
    group: u64,
    parts: [Option<Vec<u8>>; 8],
}

/// Which parts are there, the first in the lowest bit.
#[derive(Debug)]
struct Bits([u8; 1]);

impl Groups {
    /// Nothing yet; the journal is told whenever there are more parts of a message.
    pub fn new(journal: Arc<Journal>) -> Self {
        Self {
            journal,
            groups: HashMap::new(),
        }
    }

    /// Adds parts of a message, filled with numbers that count from the group's on.
    pub fn add(&mut self, topic: &str, group: u64, bits: u8) -> &Parts {
        let mut more = Parts::new(group);
        for (number, part) in (0..8).zip(&mut more.parts) {
            if bits & (1 << number) != 0 {
                let first = number * NUMBERS + group;
                *part = Some((first..first + NUMBERS).flat_map(u64::to_be_bytes).collect());
            }
        }
        self.extend(topic, more)
    }

    /// Takes in what a peer has sent.
    pub fn take(&mut self, topic: &str, group: &[u8], message: Option<&[u8]>) -> Result<&Parts, PartialError> {
        let group = group.try_into().map_err(|_| PartialError::InvalidFormat)?;
        let mut more = Parts::new(u64::from_be_bytes(group));
        if let Some(message) = message {
            more.decode(message)?;
        }
        Ok(self.extend(topic, more))
    }

    fn extend(&mut self, topic: &str, more: Parts) -> &Parts {
        let key = (topic.to_owned(), more.group);
        let parts = self.groups.entry(key).or_insert_with(|| Parts::new(more.group));
        let before = parts.bits();
        for (part, more) in parts.parts.iter_mut().zip(more.parts) {
            *part = part.take().or(more);
        }
        if parts.bits() != before {
            let sha256 = hex(&parts.bytes());
            let event = json!({ "topic": topic, "group": parts.group, "parts": parts.bits(), "sha256": sha256 });
            self.journal.record("parts", event);
        }
        parts
    }
}

impl Parts {
    fn new(group: u64) -> Self {
        Self {
            group,
            parts: [const { None }; 8],
        }
    }

    fn bits(&self) -> u8 {
        let bit = |(number, part): (usize, &Option<_>)| u8::from(part.is_some()) << number;
        self.parts.iter().enumerate().map(bit).sum()
    }

    /// The bytes of those that are there, in order.
    fn bytes(&self) -> Vec<u8> {
        self.parts.iter().flatten().flatten().copied().collect()
    }

    /// Takes in encoded parts.
    fn decode(&mut self, message: &[u8]) -> Result<(), PartialError> {
        let (bits, rest) = message.split_first().ok_or(PartialError::InvalidFormat)?;
        let (parts, group) = rest.split_last_chunk().ok_or(PartialError::InvalidFormat)?;
        if *group != self.group.to_be_bytes() || parts.len() != bits.count_ones() as usize * PART {
            return Err(PartialError::InvalidFormat);
        }
        let numbers = (0..self.parts.len()).filter(|number| bits & (1 << number) != 0);
        for (number, part) in numbers.zip(parts.chunks(PART)) {
            self.parts[number] = Some(part.to_vec());
        }
        Ok(())
    }

    /// Those parts that are there, encoded: which, the parts, and the group.
    fn encode(&self, bits: u8) -> Vec<u8> {
        let wanted = self.parts.iter().enumerate();
        let wanted = wanted.filter(|(number, _)| bits & (1 << number) != 0);
        let parts = wanted.flat_map(|(_, part)| part.iter().flatten().copied());
        let encoded = std::iter::once(bits).chain(parts);
        encoded.chain(self.group.to_be_bytes()).collect()
    }
}

impl Metadata for Bits {
    fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn update(&mut self, said: &[u8]) -> Result<bool, PartialError> {
        let before = self.0[0];
        self.0[0] |= bits(said)?;
        Ok(self.0[0] != before)
    }
}

impl Partial for Parts {
    fn group_id(&self) -> Vec<u8> {
        self.group.to_be_bytes().to_vec()
    }

    fn metadata(&self) -> Box<dyn Metadata> {
        Box::new(Bits([self.bits()]))
    }

    /// A peer that has said nothing is sent everything, as by the suite's program.
    fn partial_action_from_metadata(
        &self,
        _: PeerId,
        metadata: Option<&[u8]>,
    ) -> Result<PartialAction, PartialError> {
        let theirs = metadata.map_or(Ok(0), bits)?;
        let (ours, lacks) = (self.bits(), self.bits() & !theirs);
        let known: Box<dyn Metadata> = Box::new(Bits([theirs | ours]));
        Ok(PartialAction {
            need: theirs & !ours != 0,
            send: (lacks != 0).then(|| (self.encode(lacks), known)),
        })
    }
}

fn bits(metadata: &[u8]) -> Result<u8, PartialError> {
    match metadata {
        [bits] => Ok(*bits),
        _ => Err(PartialError::InvalidFormat),
    }
}
