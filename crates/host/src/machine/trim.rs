//! Which connections are closed when there are too many.

use crate::config::Watermarks;
use sinew_identity::PeerId;
use sinew_machine::{ConnectionId, Direction, Instant};
use std::collections::BTreeMap;

/// What trimming knows of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: ConnectionId,
    pub(crate) peer: PeerId,
    pub(crate) direction: Direction,
    pub(crate) established: Instant,
    /// When it was of use for the last time.
    pub(crate) last_used: Instant,
    /// Whether there is a handle of it, or a stream that is worth keeping it for.
    pub(crate) useful: bool,
    /// Whether nothing may close it to make room.
    pub(crate) kept: bool,
    /// What the tags of its peer add up to.
    pub(crate) value: i64,
}

/// Those that are closed so that no more than the low watermark are left, and no more than `inbound` inbound ones, worst
/// first: of the least valuable peers first, then those that nobody uses, then inbound ones, then those that were of no
/// use for longest. Fewer, if too many of them are kept, young, or the last ones to the least number of peers.
pub(crate) fn victims(
    watermarks: &Watermarks,
    inbound: usize,
    now: Instant,
    connections: &[Candidate],
) -> Vec<ConnectionId> {
    let is_inbound = |connection: &&Candidate| connection.direction == Direction::Inbound;
    let mut excess = connections.len().saturating_sub(watermarks.low);
    let of_inbound = connections.iter().filter(is_inbound).count();
    let mut excess_inbound = of_inbound.saturating_sub(inbound);
    let mut peers: BTreeMap<PeerId, usize> = BTreeMap::new();
    for connection in connections {
        *peers.entry(connection.peer).or_default() += 1;
    }
    let is_candidate =
        |connection: &&Candidate| !connection.kept && connection.established + watermarks.grace <= now;
    let mut candidates: Vec<_> = connections.iter().filter(is_candidate).collect();
    candidates.sort_unstable_by_key(|connection| {
        let outbound = connection.direction == Direction::Outbound;
        (
            connection.value,
            connection.useful,
            outbound,
            connection.last_used,
            connection.id,
        )
    });
    let mut left = peers.len();
    let mut goes = |connection: &&Candidate| {
        let inbound = usize::from(is_inbound(connection));
        if excess == 0 && excess_inbound * inbound == 0 {
            return false;
        }
        let count = peers.entry(connection.peer).or_default();
        if *count == 1 && left <= watermarks.min_peers {
            return false;
        }
        *count -= 1;
        left -= usize::from(*count == 0);
        excess = excess.saturating_sub(1);
        excess_inbound = excess_inbound.saturating_sub(inbound);
        true
    };
    let victims = candidates.into_iter().filter(|connection| goes(connection));
    victims.map(|connection| connection.id).collect()
}

#[cfg(test)]
mod tests {
    use super::{Candidate, victims};
    use crate::config::Watermarks;
    use proptest::prelude::*;
    use sinew_identity::PeerId;
    use sinew_machine::{ConnectionId, Direction, Instant};
    use std::{collections::BTreeSet, time::Duration};

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn candidate(id: u64) -> Candidate {
        Candidate {
            id: ConnectionId(id),
            peer: PeerId::random(),
            direction: Direction::Inbound,
            established: at(0),
            last_used: at(id),
            useful: false,
            kept: false,
            value: 0,
        }
    }

    /// The ids of those that are closed after a minute, with nothing kept but `low`.
    fn closed(low: usize, connections: &[Candidate]) -> Vec<u64> {
        let victims = victims(&Watermarks::new(low, 100), usize::MAX, at(60), connections);
        victims.into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn worst_first() {
        let mut all: Vec<_> = (0..7).map(candidate).collect();
        (all[0].value, all[1].value) = (5, -5);
        all[2].useful = true;
        all[3].direction = Direction::Outbound;
        all[5].last_used = at(3);
        assert_eq!(closed(0, &all), [1, 5, 4, 6, 3, 2, 0]);
        assert_eq!(closed(5, &all), [1, 5]);
        assert_eq!(closed(7, &all), []);
    }

    #[test]
    fn too_many_inbound_ones_go_whatever_there_is_in_all() {
        let mut all: Vec<_> = (0..6).map(candidate).collect();
        all[0].direction = Direction::Outbound;
        (all[0].value, all[1].useful) = (-5, true);
        let gone = |low, inbound| {
            let gone = victims(&Watermarks::new(low, 100), inbound, at(60), &all);
            gone.into_iter().map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(
            gone(6, 3),
            [2, 3],
            "the outbound one is worth less, but not too many"
        );
        assert_eq!(gone(5, 5), [0]);
        assert_eq!(gone(4, 4), [0, 2], "one does for both");
        assert_eq!(gone(6, 0), [2, 3, 4, 5, 1]);
    }

    #[test]
    fn the_kept_and_the_young_stay_whatever_the_watermark() {
        let mut all: Vec<_> = (0..4).map(candidate).collect();
        all[0].kept = true;
        all[1].established = at(41);
        all[2].established = at(40);
        assert_eq!(closed(0, &all), [2, 3], "twenty seconds of grace");
    }

    #[test]
    fn the_last_peers_stay_and_their_second_connections_go() {
        let mut all: Vec<_> = (0..4).map(candidate).collect();
        all[1].peer = all[0].peer;
        let watermarks = Watermarks::new(0, 100).min_peers(2);
        let victims = victims(&watermarks, usize::MAX, at(60), &all);
        assert_eq!(
            victims,
            [ConnectionId(0), ConnectionId(1)],
            "one peer may go, the others are the last two"
        );
    }

    proptest! {
        #[test]
        fn never_below_the_marks_and_never_what_is_kept(
            given in prop::collection::vec((0usize..5, any::<bool>(), 0u64..40, any::<bool>(), -2i64..3, any::<bool>()), 0..40),
            low in 0usize..20,
            inbound in 0usize..20,
            min_peers in 0usize..6,
        ) {
            let peers: [PeerId; 5] = std::array::from_fn(|_| PeerId::random());
            let all: Vec<_> = given.into_iter().enumerate().map(|(id, (peer, kept, established, useful, value, outbound))| Candidate {
                direction: if outbound { Direction::Outbound } else { Direction::Inbound },
                peer: peers[peer], kept, established: at(established), useful, value, ..candidate(id as u64)
            }).collect();
            let watermarks = Watermarks::new(low, 100).min_peers(min_peers);
            let gone: BTreeSet<_> = victims(&watermarks, inbound, at(40), &all).into_iter().collect();
            let left: Vec<_> = all.iter().filter(|one| !gone.contains(&one.id)).collect();
            let count = |all: &mut dyn Iterator<Item = PeerId>| all.collect::<BTreeSet<_>>().len();
            let (before, after) = (count(&mut all.iter().map(|one| one.peer)), count(&mut left.iter().map(|one| one.peer)));
            let of_inbound = |one: &&Candidate| one.direction == Direction::Inbound;
            let inbound_left = left.iter().copied().filter(of_inbound).count();
            prop_assert!(left.len() >= low.min(all.len()) || inbound_left >= inbound);
            prop_assert!(after >= min_peers.min(before));
            for one in all.iter().filter(|one| gone.contains(&one.id)) {
                prop_assert!(!one.kept && one.established <= at(20));
            }
            // Whoever is left beyond the marks was kept, young, or among the last peers.
            let stays = |one: &&Candidate| one.kept || one.established > at(20) || after == min_peers.min(before);
            prop_assert!(left.len() <= low || left.iter().copied().all(|one| stays(&one)));
            prop_assert!(inbound_left <= inbound || left.iter().copied().filter(of_inbound).all(|one| stays(&one)));
        }
    }
}
