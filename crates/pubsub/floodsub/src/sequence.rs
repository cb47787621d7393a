//! Sequence numbers of our own messages.

use sinew_machine::WallTime;

/// The least sequence number. js floodsub strips zeros at the front before it verifies a signature, so there are none.
const LEAST: u64 = 1 << 56;

/// Counts our own messages: by the wall clock, and always upwards.
#[derive(Default, Debug)]
pub struct Sequence {
    last: u64,
}

impl Sequence {
    /// The next number. It goes on upwards across restarts, unless the clock is set back.
    pub fn next(&mut self, wall: WallTime) -> u64 {
        self.last = wall.0.max(self.last + 1).max(LEAST);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAST, Sequence};
    use sinew_machine::WallTime;

    #[test]
    fn numbers_go_up_and_begin_with_no_zero() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.next(WallTime(0)), LEAST);
        assert_eq!(sequence.next(WallTime(LEAST + 9)), LEAST + 9);
        assert_eq!(
            sequence.next(WallTime(5)),
            LEAST + 10,
            "though the clock was set back"
        );
    }
}
