//! The room that the streams of a session share for what they were given to send.

use std::collections::VecDeque;

/// Room that a writer waits for: writing a few bytes at a time would make small frames of large chunks.
const SHARE: usize = 16 * 1024;

/// Payload that waits to leave, bounded over all streams, and the streams whose writers wait for room.
#[derive(Debug)]
pub struct Room<Id> {
    size: usize,
    queued: usize,
    in_batch: usize,
    writers: VecDeque<Id>,
}

impl<Id> Room<Id> {
    /// Room for `size` bytes.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            size,
            queued: 0,
            in_batch: 0,
            writers: VecDeque::new(),
        }
    }

    /// What somebody may queue who wants to write `len` bytes: not a few bytes of many, and while others wait one share.
    #[must_use]
    pub fn offer(&self, len: usize) -> usize {
        let free = self.free();
        if free < len.min(SHARE) {
            return 0;
        }
        let most = if self.writers.is_empty() { free } else { SHARE };
        len.min(free).min(most)
    }

    /// Payload that streams hold.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// A stream took `count` bytes.
    pub fn queue(&mut self, count: usize) {
        self.queued += count;
    }

    /// A stream sent or dropped `count` bytes of what it had.
    pub fn unqueue(&mut self, count: usize) {
        self.queued -= count;
    }

    /// Bytes of frames that left the machine and that the connection has not taken.
    #[must_use]
    pub fn in_batch(&self) -> usize {
        self.in_batch
    }

    /// `count` bytes of frames left the machine.
    pub fn batched(&mut self, count: usize) {
        self.in_batch += count;
    }

    /// The connection took `count` bytes of frames.
    pub fn taken(&mut self, count: usize) {
        self.in_batch -= count;
    }

    /// The writer of a stream waits for room.
    pub fn wait(&mut self, id: Id) {
        self.writers.push_back(id);
    }

    /// Shares that are free now; for each of them somebody may be woken.
    #[must_use]
    pub fn shares(&self) -> usize {
        self.free() / SHARE
    }

    /// The stream whose writer has waited longest.
    pub fn next_writer(&mut self) -> Option<Id> {
        self.writers.pop_front()
    }

    /// Whether somebody waits although all room is free: those who were woken have not used it.
    #[must_use]
    pub fn is_starving(&self) -> bool {
        !self.writers.is_empty() && self.queued + self.in_batch == 0
    }

    /// Gives back memory that is not used.
    pub fn shrink(&mut self) {
        self.writers.shrink_to_fit();
    }

    fn free(&self) -> usize {
        self.size.saturating_sub(self.queued + self.in_batch)
    }
}

#[cfg(test)]
mod tests {
    use super::{Room, SHARE};

    #[test]
    fn room_is_given_in_shares_while_somebody_waits() {
        let mut room = Room::new(4 * SHARE);
        assert_eq!(room.offer(usize::MAX), 4 * SHARE);
        room.queue(3 * SHARE);
        room.wait('a');
        assert_eq!((room.offer(usize::MAX), room.shares()), (SHARE, 1));
        room.queue(1);
        assert_eq!(room.offer(usize::MAX), 0, "not a few bytes of many");
        assert_eq!(room.offer(100), 100);
        room.unqueue(3 * SHARE + 1);
        room.batched(3 * SHARE);
        assert!(!room.is_starving());
        room.taken(3 * SHARE);
        assert!(room.is_starving());
        assert_eq!((room.next_writer(), room.next_writer()), (Some('a'), None));
        assert_eq!((room.queued(), room.in_batch()), (0, 0));
    }
}
