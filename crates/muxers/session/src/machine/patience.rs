//! Patience with those who do not read, for whose sake others cannot be served.

use sinew_machine::Instant;
use std::time::Duration;

/// Between two looks: each goes through all streams.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Since when too much lies unread, and when to see who is to blame.
#[derive(Default, Debug)]
pub struct Patience {
    held_up: Option<HeldUp>,
}

#[derive(Clone, Copy, Debug)]
struct HeldUp {
    since: Instant,
    look_at: Instant,
}

impl Patience {
    /// Whether too much lies unread now: the patience of so long begins, goes on, or is over.
    pub fn watch(&mut self, now: Instant, held_up: bool, patience: Duration) {
        let begun = HeldUp {
            since: now,
            look_at: now + patience,
        };
        self.held_up = held_up.then(|| self.held_up.unwrap_or(begun));
    }

    /// When to look for somebody who has not read for too long.
    #[must_use]
    pub fn look_at(&self) -> Option<Instant> {
        self.held_up.map(|held_up| held_up.look_at)
    }

    /// Whether the patience is at an end with the stream that was left unread longest, since `unread_since`. If it is not,
    /// it is time to look again when it would be, but not at once.
    pub fn ends(&mut self, now: Instant, unread_since: Instant, patience: Duration) -> bool {
        let Some(held_up) = &mut self.held_up else {
            return false;
        };
        let end = unread_since.max(held_up.since) + patience;
        held_up.look_at = end.max(now + BETWEEN_LOOKS);
        end <= now
    }
}

#[cfg(test)]
mod tests {
    use super::{BETWEEN_LOOKS, Patience};
    use sinew_machine::Instant;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_reads_is_waited_for_and_who_does_not_is_not() {
        let at = |seconds: u32| Instant::ZERO + SECOND * seconds;
        let mut patience = Patience::default();
        assert!(!patience.ends(at(9), at(0), SECOND * 5), "nobody is held up");
        patience.watch(at(10), true, SECOND * 5);
        patience.watch(at(11), true, SECOND * 5);
        assert_eq!(patience.look_at(), Some(at(15)));
        assert!(
            !patience.ends(at(15), at(13), SECOND * 5),
            "it was read meanwhile"
        );
        assert_eq!(patience.look_at(), Some(at(18)));
        assert!(
            !patience.ends(at(14), at(0), SECOND * 5),
            "nor before anybody was held up"
        );
        assert!(patience.ends(at(15), at(0), SECOND * 5));
        let soon = at(13) + Duration::from_millis(1);
        assert!(!patience.ends(at(18), soon, SECOND * 5));
        assert_eq!(patience.look_at(), Some(at(18) + BETWEEN_LOOKS), "not at once");
        patience.watch(at(16), false, SECOND * 5);
        patience.watch(at(17), true, SECOND * 5);
        assert_eq!(patience.look_at(), Some(at(22)), "it begins anew");
    }
}
