//! Black holes: a network that swallows UDP, or IPv6, without a word.

use multiaddr::{Multiaddr, Protocol};
use sinew_addr::Scope;
use std::collections::VecDeque;

/// Dials that are judged by, and of how many one is let through to see whether the hole is still there: go-libp2p's
/// number, as the next one.
const WINDOW: usize = 100;

/// With fewer successes than this among them there is a hole. Dials that another address outran count as failures:
/// in a hole nothing ever fails in time. That is why so few are enough.
const LEAST: usize = 5;

/// What a network may swallow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Udp,
    Ip6,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Ip6 => "IPv6",
        }
    }

    /// Whether a dial to `addr` says something of it: only what leaves the local networks, and by itself.
    fn has(self, addr: &Multiaddr) -> bool {
        let leaves = sinew_addr::scope(addr) == Some(Scope::Global) && !sinew_addr::is_circuit(addr);
        leaves
            && addr.iter().any(|component| match self {
                Self::Udp => matches!(component, Protocol::Udp(_)),
                Self::Ip6 => matches!(component, Protocol::Ip6(_)),
            })
    }
}

/// What is known of both.
#[derive(Default, Debug)]
pub(crate) struct BlackHoles {
    udp: Detector,
    ip6: Detector,
}

impl BlackHoles {
    /// Looks at the addresses of one dial: those that are to be left out, and why. A dial that probes one kind takes
    /// all its addresses of that kind, whatever the other says.
    pub(crate) fn refuse(&mut self, addrs: &[&Multiaddr]) -> Vec<Option<Kind>> {
        let mut ask = |kind: Kind| {
            let any = addrs.iter().any(|addr| kind.has(addr));
            any.then(|| self.of(kind).ask())
        };
        let states = [(Kind::Udp, ask(Kind::Udp)), (Kind::Ip6, ask(Kind::Ip6))];
        let judge = |addr: &&Multiaddr| {
            let mut touching = states.iter().filter(|(kind, _)| kind.has(addr));
            if touching.clone().any(|(_, state)| *state == Some(State::Probing)) {
                return None;
            }
            touching
                .find(|(_, state)| *state == Some(State::Blocked))
                .map(|(kind, _)| *kind)
        };
        addrs.iter().map(judge).collect()
    }

    /// An address was dialled: whether it was reached.
    pub(crate) fn record(&mut self, addr: &Multiaddr, reached: bool) {
        for kind in [Kind::Udp, Kind::Ip6] {
            if kind.has(addr) {
                self.of(kind).record(reached);
            }
        }
    }

    fn of(&mut self, kind: Kind) -> &mut Detector {
        match kind {
            Kind::Udp => &mut self.udp,
            Kind::Ip6 => &mut self.ip6,
        }
    }
}

/// `Probing` until the window is full, then `Allowed` or `Blocked` by what is in it. A success while it is blocked
/// begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Probing,
    Allowed,
    Blocked,
}

#[derive(Default, Debug)]
struct Detector {
    /// The last dials, oldest first.
    window: VecDeque<bool>,
    /// Dials that asked since it was blocked.
    asked: usize,
}

impl Detector {
    fn state(&self) -> State {
        let reached = self.window.iter().filter(|reached| **reached).count();
        match self.window.len() {
            seen if seen < WINDOW => State::Probing,
            _ if reached >= LEAST => State::Allowed,
            _ => State::Blocked,
        }
    }

    /// The state for one more dial: of those that meet a hole, every hundredth probes it.
    fn ask(&mut self) -> State {
        let state = self.state();
        if state != State::Blocked {
            self.asked = 0;
            return state;
        }
        self.asked += 1;
        if self.asked.is_multiple_of(WINDOW) {
            State::Probing
        } else {
            State::Blocked
        }
    }

    fn record(&mut self, reached: bool) {
        if reached && self.state() == State::Blocked {
            self.window.clear();
            return;
        }
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(reached);
    }
}

#[cfg(test)]
mod tests {
    use super::{BlackHoles, Detector, Kind, LEAST, State, WINDOW};
    use multiaddr::Multiaddr;
    use proptest::{collection::vec, prelude::*};

    const UDP4: &str = "/ip4/8.8.8.8/udp/1/quic-v1";
    const UDP6: &str = "/ip6/2606:4700::1/udp/1/quic-v1";
    const TCP4: &str = "/ip4/8.8.8.8/tcp/1";
    const TCP6: &str = "/ip6/2606:4700::1/tcp/1";

    fn addr(text: &str) -> Multiaddr {
        text.parse().expect("an address")
    }

    fn refused(holes: &mut BlackHoles, texts: &[&str]) -> Vec<Option<Kind>> {
        let addrs: Vec<_> = texts.iter().map(|text| addr(text)).collect();
        holes.refuse(&addrs.iter().collect::<Vec<_>>())
    }

    fn record(holes: &mut BlackHoles, text: &str, reached: bool, times: usize) {
        (0..times).for_each(|_| holes.record(&addr(text), reached));
    }

    #[test]
    fn a_hundred_dials_decide_and_five_successes_are_enough() {
        let mut holes = BlackHoles::default();
        record(&mut holes, UDP4, false, WINDOW - 1);
        assert_eq!(refused(&mut holes, &[UDP4]), [None], "not enough seen");
        record(&mut holes, UDP4, false, 1);
        assert_eq!(
            refused(&mut holes, &[UDP4, TCP4, TCP6]),
            [Some(Kind::Udp), None, None]
        );
        let mut holes = BlackHoles::default();
        record(&mut holes, UDP4, false, WINDOW - LEAST);
        record(&mut holes, UDP4, true, LEAST);
        assert_eq!(refused(&mut holes, &[UDP4]), [None]);
        record(&mut holes, UDP4, false, WINDOW - LEAST);
        assert_eq!(refused(&mut holes, &[UDP4]), [None], "the five are still in it");
        record(&mut holes, UDP4, false, 1);
        assert_eq!(refused(&mut holes, &[UDP4]), [Some(Kind::Udp)]);
    }

    #[test]
    fn every_hundredth_dial_probes_and_one_success_begins_anew() {
        let mut holes = BlackHoles::default();
        record(&mut holes, TCP6, false, WINDOW);
        let let_through = (1..=300)
            .filter(|_| refused(&mut holes, &[TCP6, TCP4])[0].is_none())
            .count();
        assert_eq!(let_through, 3);
        record(&mut holes, TCP6, true, 1);
        assert_eq!(refused(&mut holes, &[TCP6]), [None]);
        assert_eq!(holes.ip6.window.len(), 0);
    }

    #[test]
    fn a_probe_of_one_kind_takes_all_its_addresses() {
        let mut holes = BlackHoles::default();
        record(&mut holes, TCP6, false, WINDOW);
        // UDP is not known yet: both of its addresses are dialled, the one over IPv6 too.
        assert_eq!(
            refused(&mut holes, &[UDP6, UDP4, TCP6]),
            [None, None, Some(Kind::Ip6)]
        );
        record(&mut holes, UDP4, true, WINDOW);
        assert_eq!(
            refused(&mut holes, &[UDP6, UDP4, TCP6]),
            [Some(Kind::Ip6), None, Some(Kind::Ip6)]
        );
    }

    #[test]
    fn what_stays_near_or_goes_through_others_says_nothing() {
        let mut holes = BlackHoles::default();
        let near = [
            "/ip4/10.0.0.1/udp/1/quic-v1",
            "/ip6/fd00::1/tcp/1",
            "/ip4/8.8.8.8/udp/1/quic-v1/p2p-circuit",
        ];
        for text in near {
            record(&mut holes, text, false, WINDOW);
        }
        assert_eq!(refused(&mut holes, &[UDP6, UDP4]), [None, None]);
        record(&mut holes, UDP6, false, WINDOW);
        assert_eq!(refused(&mut holes, &near), [None, None, None]);
        assert_eq!(refused(&mut holes, &[UDP4]), [Some(Kind::Udp)]);
    }

    proptest! {
        /// The state is what the last hundred dials say, and nothing grows.
        #[test]
        fn the_window_decides(dials in vec(prop::bool::weighted(0.05), 0..500)) {
            let mut detector = Detector::default();
            for reached in dials {
                let before = detector.state();
                detector.record(reached);
                prop_assert!(detector.window.len() <= WINDOW);
                let successes = detector.window.iter().filter(|reached| **reached).count();
                let expected = match detector.window.len() {
                    WINDOW if successes < LEAST => State::Blocked,
                    WINDOW => State::Allowed,
                    _ => State::Probing,
                };
                prop_assert_eq!(detector.state(), expected);
                prop_assert!(!(before == State::Blocked && reached) || expected == State::Probing);
            }
        }
    }
}
