//! Messages of one kind that wait for one peer.

use bytes::Bytes;
use sinew_floodsub::{Frame, MessageId, Waiting};
use sinew_machine::Instant;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Bytes of messages of one kind that wait for one peer.
pub const MAX_QUEUED: usize = 4 << 20;

/// Messages of one kind, oldest first, each once.
#[derive(Default, Debug)]
pub(in crate::machine) struct Lane {
    /// With gaps where messages were taken out; never at the front.
    queue: VecDeque<Option<Queued>>,
    /// The number of the one at the front.
    first: u64,
    /// By number. A peer says of many messages that it does not want them, while many wait.
    by_id: BTreeMap<MessageId, u64>,
    bytes: usize,
    /// The frames for which there was no room, or which were not taken in time, until somebody asks.
    pub(super) lost: Vec<Bytes>,
}

#[derive(Debug)]
struct Queued {
    id: MessageId,
    frame: Waiting,
    expires: Instant,
}

impl Lane {
    /// Adds a message, unless it waits already; `false` if there is no room.
    pub(in crate::machine) fn push(
        &mut self,
        now: Instant,
        id: MessageId,
        frame: &Arc<Frame>,
        expires: Instant,
    ) -> bool {
        self.expire(now);
        if self.by_id.contains_key(&id) {
            return true;
        }
        let frame = frame.wait();
        if self.bytes + frame.cost() > MAX_QUEUED {
            self.lost.push(frame.bytes().clone());
            return false;
        }
        self.bytes += frame.cost();
        self.by_id
            .insert(id.clone(), self.first + self.queue.len() as u64);
        self.queue.push_back(Some(Queued { id, frame, expires }));
        true
    }

    /// Takes a message out that the peer does not want; `false` if it does not wait.
    pub(in crate::machine) fn remove(&mut self, id: &MessageId) -> bool {
        let Some(number) = self.by_id.get(id) else {
            return false;
        };
        let place = usize::try_from(number - self.first).ok();
        let removed = place
            .and_then(|place| self.queue.get_mut(place))
            .and_then(Option::take);
        removed.map(|queued| self.forget(&queued)).is_some()
    }

    /// The oldest, if it is no longer than that.
    pub(super) fn pop(&mut self, max: usize) -> Option<Bytes> {
        self.front().filter(|queued| queued.frame.bytes().len() <= max)?;
        let queued = self.queue.front_mut()?.take()?;
        self.forget(&queued);
        Some(queued.frame.bytes().clone())
    }

    /// What waits, in bytes.
    pub(in crate::machine) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops all that waits.
    pub(in crate::machine) fn clear(&mut self) {
        while let Some(oldest) = self.pop(usize::MAX) {
            self.lost.push(oldest);
        }
    }

    /// Drops what is of no use any more. All of a lane wait equally long.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.front().is_some_and(|queued| queued.expires <= now) {
            let oldest = self.pop(usize::MAX);
            self.lost.extend(oldest);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.by_id.is_empty() && self.bytes == 0
    }

    fn front(&self) -> Option<&Queued> {
        self.queue.front()?.as_ref()
    }

    /// One was taken out.
    fn forget(&mut self, queued: &Queued) {
        self.by_id.remove(&queued.id);
        self.bytes -= queued.frame.cost();
        while let Some(None) = self.queue.front() {
            self.queue.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lane, MAX_QUEUED};
    use bytes::Bytes;
    use sinew_floodsub::{MessageId, Pool};
    use sinew_machine::Instant;

    fn id(n: u32) -> MessageId {
        n.to_be_bytes().to_vec().into()
    }

    #[test]
    fn messages_wait_within_a_bound_and_for_a_time() {
        let mut lane = Lane::default();
        let pool = Pool::default();
        let empty = pool.frame(Bytes::new());
        let frame = pool.frame(vec![0; MAX_QUEUED / 2 - empty.wait().cost()].into());
        assert!(lane.push(Instant(0), id(1), &frame, Instant(5)));
        assert!(lane.push(Instant(1), id(2), &frame, Instant(6)));
        assert!(!lane.push(Instant(2), id(3), &empty, Instant(7)));
        assert!(lane.push(Instant(5), id(3), &empty, Instant(9)), "one is too old");
        assert_eq!((lane.remove(&id(2)), lane.remove(&id(2))), (true, false));
        assert_eq!(lane.pop(0), Some(Bytes::new()));
        assert_eq!((lane.pop(0), lane.bytes), (None, 0));
        let lost: Vec<_> = lane.lost.iter().map(Bytes::len).collect();
        assert_eq!(
            lost,
            [0, frame.wait().bytes().len()],
            "what a peer does not want is not lost"
        );
    }

    #[test]
    fn taking_out_leaves_the_order_of_the_others() {
        let mut lane = Lane::default();
        let pool = Pool::default();
        let bytes = |n: u32| Bytes::copy_from_slice(&n.to_be_bytes());
        let frame = |n| pool.frame(bytes(n));
        for n in [0, 1, 2, 3, 4, 5, 2] {
            assert!(lane.push(Instant(0), id(n), &frame(n), Instant(9)));
        }
        assert!(lane.remove(&id(0)) && lane.remove(&id(3)) && lane.remove(&id(2)));
        assert!(
            lane.push(Instant(0), id(3), &frame(3), Instant(9)),
            "again, at the end"
        );
        let rest: Vec<_> = std::iter::from_fn(|| lane.pop(usize::MAX)).collect();
        assert_eq!(rest, [1, 4, 5, 3].map(bytes));
        assert!(lane.is_empty() && pool.used() == 0);
    }
}
