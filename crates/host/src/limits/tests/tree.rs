//! Random operations on the tree of scopes: what the children hold is what their parents count, whatever happens.

use super::{
    super::meter::Meter,
    assert_empty,
    rig::{Rig, step},
    tight,
};
use proptest::prelude::*;
use sinew_core::Resource;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn parents_count_what_their_children_hold(steps in prop::collection::vec(step(), 0..200)) {
        let mut rig = Rig::new(tight());
        let mut refused = 0;
        for step in steps {
            let before = rig.told();
            if rig.take(step) {
                refused += 1;
                prop_assert_eq!(&before, &rig.told(), "a refusal changes nothing: {:?}", step);
            }
            prop_assert_eq!(rig.told(), rig.expected(), "{:?}", step);
        }
        prop_assert_eq!(rig.refusals(), refused, "every refusal is counted");
        let limits = tight();
        let usage = rig.system.snapshot().system;
        let bounded = usage.iter().filter(|usage| usage.resource != Resource::Unread);
        prop_assert!(bounded.into_iter().all(|usage| usage.used <= usage.limit), "{usage:?}");
        prop_assert!(rig.system.peers.all().iter().all(|peer| peer.lock().amounts[Meter::Memory] <= limits.memory_per_peer));
        let Rig { system, places, streams, reservations, .. } = rig;
        drop((places, streams, reservations));
        assert_empty(&system);
    }

    #[test]
    fn a_dry_run_records_and_refuses_nothing(steps in prop::collection::vec(step(), 0..200)) {
        let mut limits = tight();
        limits.dry_run = true;
        let (mut dry, mut wet) = (Rig::new(limits), Rig::new(tight()));
        let mut first_refusal = false;
        for step in steps {
            prop_assert!(!dry.take(step), "{:?} is refused", step);
            prop_assert_eq!(dry.told(), dry.expected());
            // Up to the first refusal both are alike; from there on the dry one holds more.
            first_refusal |= !first_refusal && wet.take(step);
            prop_assert_eq!(dry.refusals() > 0, first_refusal);
        }
        prop_assert!(dry.system.snapshot().dry_run);
        let Rig { system, places, streams, reservations, .. } = dry;
        drop((places, streams, reservations));
        assert_empty(&system);
    }
}
