//! Back-off: an address of a peer that failed is left alone for a while, longer each time.

use multiaddr::Multiaddr;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::{collections::BTreeMap, time::Duration};

/// Left alone for so long after the first failure: go-libp2p's numbers, as the next two.
const BASE: Duration = Duration::from_secs(5);

/// Times the square of the failures before.
const SLOPE: Duration = Duration::from_secs(1);

/// And never longer than this.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Peers that are kept account of; beyond it those whose time is over first go.
const MAX_PEERS: usize = 1024;

/// Addresses of one peer, as many as a dial looks at.
const MAX_ADDRS: usize = super::plan::MAX_ADDRS;

/// The addresses that failed lately.
#[derive(Default, Debug)]
pub(crate) struct Backoff {
    peers: BTreeMap<PeerId, Vec<Failed>>,
}

#[derive(Debug)]
struct Failed {
    addr: Multiaddr,
    times: u32,
    until: Instant,
}

impl Failed {
    /// How long it is left alone.
    fn pause(&self) -> Duration {
        let before = self.times - 1;
        (BASE + SLOPE * before.saturating_mul(before).min(300)).min(LONGEST)
    }

    /// What has been dialled again neither successfully nor otherwise for as long as it was left alone is forgotten.
    fn is_kept(&self, now: Instant) -> bool {
        self.until + self.pause() > now
    }
}

impl Backoff {
    /// How long an address is still to be left alone.
    pub(crate) fn left(&self, peer: &PeerId, addr: &Multiaddr, now: Instant) -> Option<Duration> {
        let failed = self.peers.get(peer)?.iter().find(|failed| failed.addr == *addr)?;
        (failed.until > now).then(|| failed.until - now)
    }

    /// An address failed.
    pub(crate) fn failed(&mut self, peer: &PeerId, addr: &Multiaddr, now: Instant) {
        if !self.peers.contains_key(peer) {
            self.make_room(now);
        }
        let known = self.peers.entry(*peer).or_default();
        known.retain(|failed| failed.is_kept(now));
        let index = known.iter().position(|failed| failed.addr == *addr);
        let mut failed = index.map_or_else(
            || Failed {
                addr: addr.clone(),
                times: 0,
                until: now,
            },
            |index| known.swap_remove(index),
        );
        failed.times += 1;
        failed.until = now + failed.pause();
        if known.len() < MAX_ADDRS {
            known.push(failed);
        }
    }

    /// The peer was reached: nothing that it did before counts.
    pub(crate) fn succeeded(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    fn make_room(&mut self, now: Instant) {
        if self.peers.len() < MAX_PEERS {
            return;
        }
        self.peers
            .retain(|_, known| known.iter().any(|failed| failed.is_kept(now)));
        let last = |known: &Vec<Failed>| known.iter().map(|failed| failed.until).max();
        if self.peers.len() >= MAX_PEERS
            && let Some((soonest, _)) = self.peers.iter().min_by_key(|(_, known)| last(known))
        {
            let soonest = *soonest;
            self.peers.remove(&soonest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, MAX_ADDRS, MAX_PEERS};
    use multiaddr::Multiaddr;
    use proptest::{collection::vec, prelude::*};
    use sinew_identity::PeerId;
    use sinew_machine::Instant;
    use std::time::Duration;

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn addr(port: u16) -> Multiaddr {
        format!("/ip4/8.8.8.8/tcp/{port}").parse().expect("an address")
    }

    #[test]
    fn pauses_grow_with_the_square_of_the_failures_up_to_five_minutes() {
        let (mut backoff, peer, mut now) = (Backoff::default(), PeerId::random(), at(0));
        let mut pauses = Vec::new();
        for _ in 0..20 {
            backoff.failed(&peer, &addr(1), now);
            let pause = backoff.left(&peer, &addr(1), now).expect("it failed just now");
            assert_eq!(backoff.left(&peer, &addr(1), now + pause), None);
            now = now + pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses[..5], [5, 6, 9, 14, 21]);
        assert_eq!(pauses[17..], [294, 300, 300]);
    }

    #[test]
    fn each_address_for_itself_until_one_of_them_is_reached() {
        let (mut backoff, [peer, other]) = (Backoff::default(), [PeerId::random(), PeerId::random()]);
        backoff.failed(&peer, &addr(1), at(0));
        backoff.failed(&other, &addr(2), at(0));
        assert!(backoff.left(&peer, &addr(1), at(1)).is_some());
        assert_eq!(backoff.left(&peer, &addr(2), at(1)), None);
        backoff.succeeded(&peer);
        assert_eq!(backoff.left(&peer, &addr(1), at(1)), None);
        assert_eq!(
            backoff.left(&other, &addr(2), at(1)),
            Some(Duration::from_secs(4))
        );
    }

    #[test]
    fn an_old_failure_is_forgotten() {
        let (mut backoff, peer) = (Backoff::default(), PeerId::random());
        backoff.failed(&peer, &addr(1), at(0));
        backoff.failed(&peer, &addr(1), at(11));
        let pause = backoff.left(&peer, &addr(1), at(11));
        assert_eq!(pause, Some(Duration::from_secs(5)), "as if it were the first");
    }

    #[test]
    fn the_peers_are_bounded_and_the_newest_is_among_them() {
        let mut backoff = Backoff::default();
        for _ in 0..MAX_PEERS + 100 {
            let newcomer = PeerId::random();
            backoff.failed(&newcomer, &addr(1), at(1000));
            assert!(backoff.left(&newcomer, &addr(1), at(1000)).is_some());
        }
        assert_eq!(backoff.peers.len(), MAX_PEERS);
        backoff.failed(&PeerId::random(), &addr(1), at(2000));
        assert_eq!(backoff.peers.len(), 1, "what is over makes room first");
    }

    proptest! {
        /// Whatever fails and is reached when: a pause is never longer than five minutes, and the addresses are bounded.
        #[test]
        fn pauses_and_addresses_are_bounded(events in vec((1..60u16, 0..60u64, prop::bool::weighted(0.05)), 1..200)) {
            let (mut backoff, peer, mut now) = (Backoff::default(), PeerId::random(), at(0));
            for (port, passed, reached) in events {
                now = now + Duration::from_secs(passed);
                if reached {
                    backoff.succeeded(&peer);
                    prop_assert_eq!(backoff.left(&peer, &addr(port), now), None);
                } else {
                    backoff.failed(&peer, &addr(port), now);
                    let left = backoff.left(&peer, &addr(port), now).unwrap_or_default();
                    prop_assert!(left <= Duration::from_secs(300));
                    prop_assert!(backoff.peers[&peer].len() <= MAX_ADDRS);
                }
            }
        }
    }
}
