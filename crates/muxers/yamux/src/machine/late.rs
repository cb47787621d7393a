//! Streams that ended a moment ago: what the remote sent before it knew is no offence.

use std::collections::VecDeque;

/// Streams that are remembered. More than any peer has in flight when its acknowledged backlog is 256.
const REMEMBERED: usize = 256;

/// The streams that ended last, with what may still arrive on each.
#[derive(Default, Debug)]
pub(crate) struct Late {
    ended: VecDeque<Ended>,
}

#[derive(Debug)]
struct Ended {
    stream: u32,
    frames: u16,
    bytes: u32,
}

impl Late {
    /// `stream` has ended; the remote may have so many `frames` and `bytes` more under way.
    pub(crate) fn remember(&mut self, stream: u32, frames: u16, bytes: u32) {
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(Ended {
            stream,
            frames,
            bytes,
        });
    }

    /// A frame with `bytes` of payload arrived on `stream`. Whether it may have been under way when the stream
    /// ended; `None` when the stream is not remembered.
    pub(crate) fn allows(&mut self, stream: u32, bytes: u32) -> Option<bool> {
        let ended = self.ended.iter_mut().rev().find(|ended| ended.stream == stream)?;
        if ended.frames == 0 || ended.bytes < bytes {
            return Some(false);
        }
        ended.frames -= 1;
        ended.bytes -= bytes;
        Some(true)
    }

    /// Forgets everything and gives the memory back.
    pub(crate) fn forget(&mut self) {
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
        assert_eq!(late.allows(5, 0), None);
        assert_eq!((0..70).filter(|_| late.allows(1, 0) == Some(true)).count(), 64);
        assert_eq!(late.allows(3, 60), Some(true));
        assert_eq!(late.allows(3, 60), Some(false));
        assert_eq!(late.allows(3, 40), Some(true));
    }

    #[test]
    fn only_the_last_are_remembered() {
        let mut late = Late::default();
        (0..300).for_each(|stream| late.remember(stream, 64, 0));
        assert_eq!(late.allows(43, 0), None);
        assert_eq!(late.allows(44, 0), Some(true));
    }
}
