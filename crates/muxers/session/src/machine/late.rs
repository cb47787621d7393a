//! Streams that ended a moment ago: what the remote sent before it knew is no offence.

use std::collections::VecDeque;

/// Streams that are remembered. More than any peer has in flight when its acknowledged backlog is 256.
const REMEMBERED: usize = 256;

/// The streams that ended last, with what may still arrive on each.
#[derive(Debug)]
pub struct Late<Id> {
    ended: VecDeque<Ended<Id>>,
}

#[derive(Debug)]
struct Ended<Id> {
    stream: Id,
    frames: u16,
    bytes: u32,
}

impl<Id> Default for Late<Id> {
    fn default() -> Self {
        Self {
            ended: VecDeque::new(),
        }
    }
}

impl<Id: Copy + PartialEq> Late<Id> {
    /// `stream` has ended; the remote may have so many `frames` and `bytes` more under way.
    pub fn remember(&mut self, stream: Id, frames: u16, bytes: u32) {
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(Ended {
            stream,
            frames,
            bytes,
        });
    }

    /// A frame that counts for so many `frames` and `bytes` arrived on `stream`. Whether it may have been under way when
    /// the stream ended; `None` when the stream is not remembered.
    pub fn allows(&mut self, stream: Id, frames: u16, bytes: u32) -> Option<bool> {
        let ended = self.ended.iter_mut().rev().find(|ended| ended.stream == stream)?;
        if ended.frames < frames || ended.bytes < bytes {
            return Some(false);
        }
        ended.frames -= frames;
        ended.bytes -= bytes;
        Some(true)
    }

    /// Forgets everything and gives the memory back.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::Late;

    #[test]
    fn sixty_four_frames_or_one_window() {
        let mut late = Late::default();
        late.remember(1, 64, 100);
        late.remember(3, 64, 100);
        assert_eq!(late.allows(5, 1, 0), None);
        assert_eq!((0..70).filter(|_| late.allows(1, 1, 0) == Some(true)).count(), 64);
        assert_eq!(late.allows(3, 1, 60), Some(true));
        assert_eq!(late.allows(3, 1, 60), Some(false));
        assert_eq!(late.allows(3, 1, 40), Some(true));
    }

    #[test]
    fn only_the_last_are_remembered() {
        let mut late = Late::default();
        (0..300).for_each(|stream| late.remember(stream, 64, 0));
        assert_eq!(late.allows(43, 1, 0), None);
        assert_eq!(late.allows(44, 1, 0), Some(true));
    }
}
