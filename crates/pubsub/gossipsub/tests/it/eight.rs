//! Partial messages as in the suite of the libp2p project: eight parts, and a bit for each as metadata.

use bytes::Bytes;
use sinew_gossipsub::{InvalidPartial, Partial};

/// Bytes of a part.
const PART: usize = 1024;

/// Some of eight parts of a message.
#[derive(Clone, Debug)]
pub(crate) struct Eight {
    /// Which are there.
    pub(crate) bits: u8,
}

impl Eight {
    pub(crate) fn new(bits: u8) -> Self {
        Self { bits }
    }

    /// Those parts, encoded: their bits and their bytes.
    pub(crate) fn encoded(bits: u8) -> Bytes {
        let parts = (0..8u8).filter(|n| bits & (1 << n) != 0);
        let parts = parts.flat_map(|n| [n; PART]);
        std::iter::once(bits).chain(parts).collect::<Vec<_>>().into()
    }

    /// Which parts are encoded.
    pub(crate) fn read(parts: &[u8]) -> Result<u8, InvalidPartial> {
        let bits = parts.first().copied().ok_or(InvalidPartial)?;
        if parts == Self::encoded(bits) {
            Ok(bits)
        } else {
            Err(InvalidPartial)
        }
    }
}

fn bits(metadata: &[u8]) -> Result<u8, InvalidPartial> {
    match metadata {
        [bits] => Ok(*bits),
        _ => Err(InvalidPartial),
    }
}

impl Partial for Eight {
    fn metadata(&self) -> Bytes {
        vec![self.bits].into()
    }

    fn merge(&self, known: &[u8], said: &[u8]) -> Result<Bytes, InvalidPartial> {
        Ok(vec![bits(known)? | bits(said)?].into())
    }

    fn metadata_of(&self, parts: &[u8]) -> Result<Bytes, InvalidPartial> {
        Ok(vec![Self::read(parts)?].into())
    }

    fn parts_for(&self, theirs: Option<&[u8]>, room: usize) -> Result<Option<Bytes>, InvalidPartial> {
        // Nothing is pushed to who has said nothing.
        let theirs = theirs.map_or(Ok(0xff), bits)?;
        let mut lacking = self.bits & !theirs;
        while 1 + lacking.count_ones() as usize * PART > room {
            // The highest bits wait.
            lacking &= !(1 << (7 - lacking.leading_zeros()));
        }
        Ok((lacking != 0).then(|| Self::encoded(lacking)))
    }
}
