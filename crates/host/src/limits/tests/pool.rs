//! The pool of unread bytes.

use crate::limits::pool::{OWN, Pool};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn connections_that_keep_to_their_shares_never_exceed_the_pool(wants in prop::collection::vec((0usize..20, 1u64..400), 1..400)) {
        let (pool, mut held) = (Pool::new(1000), [0u64; 20]);
        for (index, more) in wants {
            let share = pool.change(held[index], held[index]);
            // What it takes is there; a connection reads until it is at its share, and no further.
            let next = (held[index] + more).min(share.max(held[index]));
            pool.change(held[index], next);
            held[index] = next;
            let counted: u64 = held.iter().map(|held| held.saturating_sub(OWN)).sum();
            prop_assert_eq!(pool.held(), counted);
            prop_assert!(counted <= 1000);
        }
    }
}

#[test]
fn a_share_is_what_is_free() {
    let pool = Pool::new(100);
    assert_eq!(pool.change(0, OWN), OWN + 100, "one's own bytes are not counted");
    assert_eq!(pool.change(OWN, OWN + 50), OWN + 50, "one alone has half");
    assert_eq!(pool.change(0, OWN + 25), OWN + 25, "the next half of the rest");
    assert_eq!(pool.change(0, 0), OWN + 25);
    assert_eq!(pool.change(0, OWN + 500), OWN, "a full pool stops nobody's own");
    assert_eq!(pool.change(OWN + 50, 0), OWN);
    assert_eq!(pool.change(OWN + 500, 0), OWN + 75);
}
