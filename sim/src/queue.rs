//! What is to happen, the earliest first; of what happens at one moment, what was planned first.

use sinew_machine::Instant;
use std::{cmp::Ordering, collections::BinaryHeap};

/// Events by time.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Planned<E>>,
    planned: u64,
}

#[derive(Debug)]
struct Planned<E> {
    at: Instant,
    order: u64,
    event: E,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            planned: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Plans an event.
    pub(crate) fn push(&mut self, at: Instant, event: E) {
        let order = self.planned;
        self.planned += 1;
        self.heap.push(Planned { at, order, event });
    }

    /// The next event that happens at `until` or before.
    pub(crate) fn pop(&mut self, until: Instant) -> Option<(Instant, E)> {
        if self.heap.peek()?.at > until {
            return None;
        }
        let Planned { at, event, .. } = self.heap.pop()?;
        Some((at, event))
    }
}

impl<E> Ord for Planned<E> {
    /// The heap gives its greatest first: that is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Planned<E> {}

#[cfg(test)]
mod tests {
    use super::Queue;
    use sinew_machine::Instant;

    #[test]
    fn by_time_and_then_by_plan() {
        let mut queue = Queue::default();
        for (at, name) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b'), (9, 'e')] {
            queue.push(Instant(at), name);
        }
        let until_five: String = std::iter::from_fn(|| queue.pop(Instant(5)).map(|(_, name)| name)).collect();
        assert_eq!(until_five, "abcd");
        assert_eq!(queue.pop(Instant(9)), Some((Instant(9), 'e')));
        assert_eq!(queue.pop(Instant(99)), None);
    }
}
