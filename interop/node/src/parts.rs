//! Partial messages as the gossipsub suite has them: eight parts of 1 KiB, and a bit for each as metadata.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use sinew::{
    PeerId,
    gossipsub::{Gossipsub, Handled, InvalidPartial, Partial, PublishPartialError, ReceivedPartial, Topic},
};

/// Bytes of a part.
const PART: usize = 1024;

/// Numbers of eight bytes in a part.
const NUMBERS: u64 = 128;

/// More than any scenario has; peers that name more are not followed there.
const MAX_GROUPS: usize = 1024;

/// Is told what there is of a message.
type Told = dyn Fn(&Topic, &Parts) + Send + Sync;

/// What a node has of every message.
pub(crate) struct Groups {
    groups: Mutex<BTreeMap<(Topic, u64), Parts>>,
    told: Box<Told>,
}

impl Groups {
    /// Nothing yet; `told` is told whenever there are more parts of a message.
    pub(crate) fn new(told: impl Fn(&Topic, &Parts) + Send + Sync + 'static) -> Self {
        Self {
            groups: Mutex::default(),
            told: Box::new(told),
        }
    }

    /// Adds parts of a message, filled as the suite asks for, and gives what there is of it.
    pub(crate) fn add(&self, topic: Topic, group: u64, bits: u8) -> Parts {
        let mut groups = self.lock();
        let key = (topic, group);
        let parts = groups.entry(key.clone()).or_insert_with(|| Parts::new(group));
        if parts.fill(bits) {
            (self.told)(&key.0, parts);
        }
        parts.clone()
    }

    /// Adds parts, tells peers, or those of the mesh, what there is now, and has what they lack sent to them.
    pub(crate) async fn publish(
        &self,
        gossipsub: &Gossipsub,
        (topic, group): (Topic, u64),
        bits: u8,
        peers: &[PeerId],
    ) -> Result<(), PublishPartialError> {
        let parts = Arc::new(self.add(topic.clone(), group, bits));
        let group = group.to_be_bytes().to_vec();
        gossipsub.publish_partial(&topic, group, parts, peers).await?;
        Ok(())
    }

    /// Takes in what a peer has sent.
    pub(crate) fn take(&self, received: &ReceivedPartial) -> Handled {
        let partial = &received.partial;
        let group = partial.group[..].try_into().map_err(|_| InvalidPartial)?;
        let key = (partial.topic.clone(), u64::from_be_bytes(group));
        let mut groups = self.lock();
        if groups.len() >= MAX_GROUPS && !groups.contains_key(&key) {
            return Ok(None);
        }
        let parts = groups
            .entry(key)
            .or_insert_with_key(|(_, group)| Parts::new(*group));
        if let Some(message) = &partial.message
            && parts.take(message)?
        {
            (self.told)(&partial.topic, parts);
        }
        Ok(Some(Arc::new(parts.clone())))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Topic, u64), Parts>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some of the parts of one message.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// Which message.
    pub(crate) group: u64,
    parts: [Option<Bytes>; 8],
}

impl Parts {
    fn new(group: u64) -> Self {
        Self {
            group,
            parts: [const { None }; 8],
        }
    }

    /// Which parts are there, the first in the lowest bit.
    pub(crate) fn bits(&self) -> u8 {
        let bit = |(number, part): (usize, &Option<Bytes>)| u8::from(part.is_some()) << number;
        self.parts.iter().enumerate().map(bit).sum()
    }

    /// Whether all are there.
    pub(crate) fn is_whole(&self) -> bool {
        self.bits() == 0xff
    }

    /// The bytes of those that are there, in order.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.parts.iter().flatten().flatten().copied().collect()
    }

    /// Fills parts with numbers that count from the group's on, each of eight bytes; whether there are more now.
    fn fill(&mut self, bits: u8) -> bool {
        let before = self.bits();
        for (number, part) in (0..8).zip(&mut self.parts) {
            if bits & (1 << number) != 0 {
                let first = number * NUMBERS;
                let numbers = (first..first + NUMBERS).map(|n| self.group.wrapping_add(n));
                *part = Some(numbers.flat_map(u64::to_be_bytes).collect());
            }
        }
        self.bits() != before
    }

    /// Takes in encoded parts; whether there are more now.
    fn take(&mut self, message: &[u8]) -> Result<bool, InvalidPartial> {
        let (bits, parts) = self.decoded(message)?;
        let before = self.bits();
        let there = (0..self.parts.len()).filter(|number| bits & (1 << number) != 0);
        for (number, part) in there.zip(parts.chunks(PART)) {
            self.parts[number].get_or_insert_with(|| Bytes::copy_from_slice(part));
        }
        Ok(self.bits() != before)
    }

    /// Which parts are encoded, and their bytes.
    fn decoded<'a>(&self, message: &'a [u8]) -> Result<(u8, &'a [u8]), InvalidPartial> {
        let (bits, rest) = message.split_first().ok_or(InvalidPartial)?;
        let (parts, group) = rest.split_last_chunk().ok_or(InvalidPartial)?;
        let is_whole = parts.len() == bits.count_ones() as usize * PART;
        match *group == self.group.to_be_bytes() && is_whole {
            true => Ok((*bits, parts)),
            false => Err(InvalidPartial),
        }
    }
}

fn bits(metadata: &[u8]) -> Result<u8, InvalidPartial> {
    match metadata {
        [bits] => Ok(*bits),
        _ => Err(InvalidPartial),
    }
}

impl Partial for Parts {
    fn metadata(&self) -> Bytes {
        vec![self.bits()].into()
    }

    fn merge(&self, known: &[u8], said: &[u8]) -> Result<Bytes, InvalidPartial> {
        Ok(vec![bits(known)? | bits(said)?].into())
    }

    fn metadata_of(&self, parts: &[u8]) -> Result<Bytes, InvalidPartial> {
        Ok(vec![self.decoded(parts)?.0].into())
    }

    /// Nothing to a peer that has not said what it has, as go's program does it.
    fn parts_for(&self, theirs: Option<&[u8]>, room: usize) -> Result<Option<Bytes>, InvalidPartial> {
        let theirs = theirs.map_or(Ok(0xff), bits)?;
        let mut message = vec![0];
        for (number, part) in self.parts.iter().enumerate() {
            if let Some(part) = part
                && theirs & (1 << number) == 0
                && message.len() + PART + 8 <= room
            {
                message[0] |= 1 << number;
                message.extend_from_slice(part);
            }
        }
        if message[0] == 0 {
            return Ok(None);
        }
        message.extend_from_slice(&self.group.to_be_bytes());
        Ok(Some(message.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew::gossipsub::PartialMessage;
    use std::sync::mpsc;

    #[test]
    fn parts_are_filled_with_numbers_that_count() {
        let mut parts = Parts::new(7);
        parts.fill(0b1000_0001);
        let number = |part: usize, at: usize| {
            let bytes = &parts.parts[part].as_ref().unwrap()[at..at + 8];
            u64::from_be_bytes(bytes.try_into().unwrap())
        };
        assert_eq!(
            [number(0, 0), number(0, 1016), number(7, 0), number(7, 1016)],
            [7, 134, 903, 1030]
        );
        assert_eq!((parts.bits(), parts.metadata()), (0x81, vec![0x81].into()));
    }

    #[test]
    fn a_peer_is_sent_what_it_lacks_and_takes_it() {
        let (mut ours, mut theirs) = (Parts::new(7), Parts::new(7));
        ours.fill(0b1110);
        theirs.fill(0b0010);
        assert_eq!(ours.parts_for(None, 1 << 20), Ok(None));
        assert_eq!(ours.parts_for(Some(&[0xff]), 1 << 20), Ok(None));
        let one = ours.parts_for(Some(&[0b0010]), 9 + PART).unwrap().unwrap();
        assert_eq!(
            ours.metadata_of(&one),
            Ok(vec![0b0100].into()),
            "there is room for one"
        );
        let sent = ours.parts_for(Some(&[0b0010]), 9 + 2 * PART).unwrap().unwrap();
        assert_eq!(sent.len(), 9 + 2 * PART);
        theirs.take(&sent).unwrap();
        assert_eq!(theirs.bits(), 0b1110);
        assert_eq!(theirs.parts, ours.parts);
        assert_eq!(ours.merge(&[1], &[4]), Ok(vec![5].into()));
    }

    #[test]
    fn what_is_no_part_is_refused() {
        let mut parts = Parts::new(7);
        let mut other = Parts::new(8);
        other.fill(1);
        let of_another = other.parts_for(Some(&[0]), 1 << 20).unwrap().unwrap();
        for wrong in [
            &b""[..],
            b"x",
            &[0; 8],
            &of_another,
            &[&[3], &[0; PART][..], &[0; 8]].concat(),
        ] {
            assert_eq!(parts.take(wrong), Err(InvalidPartial), "{}", wrong.len());
        }
        assert!(parts.merge(&[], &[1]).is_err() && parts.parts_for(Some(&[1, 2]), 1 << 20).is_err());
    }

    #[test]
    fn who_keeps_them_is_told_of_more_parts_alone() {
        let (tell, told) = mpsc::channel();
        let groups = Groups::new(move |topic, parts| {
            tell.send((topic.clone(), parts.group, parts.bits())).unwrap();
        });
        let topic: Topic = "t".parse().unwrap();
        let mut theirs = Parts::new(7);
        theirs.fill(0b0110);
        let partial = PartialMessage {
            topic: topic.clone(),
            group: 7u64.to_be_bytes().to_vec().into(),
            message: theirs.parts_for(Some(&[0]), 1 << 20).unwrap(),
            metadata: None,
        };
        let peer = PeerId::random();
        let received = ReceivedPartial { peer, partial };
        groups.add(topic.clone(), 7, 0b0010);
        for _ in 0..2 {
            let taken = groups.take(&received).unwrap().unwrap();
            assert_eq!(taken.metadata()[..], [0b0110]);
        }
        assert_eq!(groups.add(topic.clone(), 7, 0).bytes().len(), 2 * PART);
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!(told, [(topic.clone(), 7, 0b0010), (topic, 7, 0b0110)]);
    }
}
