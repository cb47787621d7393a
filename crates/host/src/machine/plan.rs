//! The plan of a dial: which addresses, in which order, and when each is started.

use multiaddr::{Multiaddr, Protocol};
use sinew_addr::Transport;
use std::time::Duration;

/// Addresses of one dial; more are left out, best first. Peers announce a dozen; a liar announces what fits into
/// identify.
pub(crate) const MAX_ADDRS: usize = 32;

/// How far apart addresses are started that everybody can reach: RFC 8305, section 5 recommends 250 ms.
const STEP: Duration = Duration::from_millis(250);

/// The same for addresses of this machine and its networks, which answer sooner: go-libp2p's number.
const LOCAL_STEP: Duration = Duration::from_millis(30);

/// What is dialled only for want of anything better waits so long behind the rest: go-libp2p's numbers.
const LAST: Duration = Duration::from_secs(1);
const LOCAL_LAST: Duration = Duration::from_millis(100);

/// How long relays wait for a direct connection: go-libp2p's number.
const RELAY_DELAY: Duration = Duration::from_millis(500);

/// One address of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Planned {
    /// Its place among the addresses that were given.
    pub(crate) index: usize,
    /// When it is started, counted from the beginning of the race.
    pub(crate) delay: Duration,
}

/// Addresses without the doubles, as many as one dial looks at.
pub(crate) fn distinct<T>(candidates: Vec<T>, addr: impl Fn(&T) -> &Multiaddr) -> Vec<T> {
    let mut unique: Vec<T> = Vec::new();
    for candidate in candidates {
        if unique.len() < MAX_ADDRS * 4 && !unique.iter().any(|known| addr(known) == addr(&candidate)) {
            unique.push(candidate);
        }
    }
    unique
}

/// Plans a race. Local addresses come before public ones, and those before relayed ones; inside each, QUIC before TCP
/// before what runs over them, and IPv6 and IPv4 in turn, IPv6 first (RFC 8305, section 4). What exceeds
/// [`MAX_ADDRS`] is left out. `at_once` starts all together, as a punch through two NATs must.
pub(crate) fn plan(addrs: &[&Multiaddr], at_once: bool) -> Vec<Planned> {
    let mut planned = Vec::with_capacity(addrs.len());
    let local = group(addrs, Reach::Local, Duration::ZERO);
    // A network that is near answers within its own step, or is not there.
    let public = group(
        addrs,
        Reach::Public,
        if local.is_empty() {
            Duration::ZERO
        } else {
            LOCAL_STEP
        },
    );
    let direct = !local.is_empty() || !public.is_empty();
    let relayed = group(
        addrs,
        Reach::Relayed,
        if direct { RELAY_DELAY } else { Duration::ZERO },
    );
    planned.extend(local.into_iter().chain(public).chain(relayed));
    planned.sort_by_key(|planned| planned.delay);
    planned.truncate(MAX_ADDRS);
    if at_once {
        planned
            .iter_mut()
            .for_each(|planned| planned.delay = Duration::ZERO);
    }
    planned
}

/// How far an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    /// This machine, or a network that it is in.
    Local,
    /// Anywhere, or nobody knows.
    Public,
    /// Through another peer.
    Relayed,
}

impl Reach {
    fn of(addr: &Multiaddr) -> Self {
        if sinew_addr::is_circuit(addr) {
            return Self::Relayed;
        }
        match sinew_addr::scope(addr) {
            Some(scope) if scope.is_local() => Self::Local,
            _ => Self::Public,
        }
    }
}

/// What is tried first among the addresses of one reach. A connection over an earlier lane costs fewer round trips
/// and less work than one over a later lane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Lane {
    Quic,
    Stream,
    /// Bytes in HTTP: who can be reached so can mostly be reached by what lies below.
    Web,
    /// WebRTC, and what nobody knows.
    Last,
}

impl Lane {
    const ALL: [Self; 4] = [Self::Quic, Self::Stream, Self::Web, Self::Last];

    fn of(addr: &Multiaddr) -> Self {
        // Of a relayed address, what the relay is reached by.
        let relay = sinew_addr::split_circuit(addr).map(|(relay, _)| relay);
        match sinew_addr::transport(relay.as_ref().unwrap_or(addr)) {
            Some(Transport::Quic) => Self::Quic,
            Some(Transport::Tcp | Transport::Memory) => Self::Stream,
            Some(Transport::WebSocket | Transport::SecureWebSocket | Transport::WebTransport) => Self::Web,
            _ => Self::Last,
        }
    }
}

/// The addresses of one reach, in order and from `offset` on.
fn group(addrs: &[&Multiaddr], reach: Reach, offset: Duration) -> Vec<Planned> {
    let (step, last) = match reach {
        Reach::Local => (LOCAL_STEP, LOCAL_LAST),
        Reach::Public | Reach::Relayed => (STEP, LAST),
    };
    let mut planned: Vec<Planned> = Vec::new();
    for lane in Lane::ALL {
        let fits = |addr: &&Multiaddr| Reach::of(addr) == reach && Lane::of(addr) == lane;
        let members = addrs.iter().enumerate().filter(|(_, addr)| fits(addr));
        let gap = if lane == Lane::Last { last } else { step };
        let begin = planned.last().map_or(offset, |before| before.delay + gap);
        planned.extend(
            families_in_turn(members)
                .enumerate()
                .map(|(place, index)| Planned {
                    index,
                    // One alone, the other family, then the rest together: a peer with many addresses is not
                    // waited for one by one.
                    delay: begin + step * u32::try_from(place.min(2)).unwrap_or_default(),
                }),
        );
    }
    planned
}

/// IPv6 and the rest in turn; of each the lowest port first, which is the likeliest to be listened on.
fn families_in_turn<'a>(
    members: impl Iterator<Item = (usize, &'a &'a Multiaddr)>,
) -> impl Iterator<Item = usize> {
    let (mut six, mut rest): (Vec<_>, Vec<_>) = members.partition(|(_, addr)| is_ip6(addr));
    for family in [&mut six, &mut rest] {
        family.sort_by_key(|(_, addr)| port(addr));
    }
    let (mut six, mut rest) = (six.into_iter(), rest.into_iter());
    let mut turn = false;
    std::iter::from_fn(move || {
        turn = !turn;
        if turn {
            six.next().or_else(|| rest.next())
        } else {
            rest.next().or_else(|| six.next())
        }
    })
    .map(|(index, _)| index)
}

fn is_ip6(addr: &Multiaddr) -> bool {
    matches!(addr.iter().next(), Some(Protocol::Ip6(_) | Protocol::Ip6zone(_)))
}

fn port(addr: &Multiaddr) -> u16 {
    let port = addr.iter().find_map(|component| match component {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    });
    port.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{LOCAL_STEP, MAX_ADDRS, RELAY_DELAY, STEP, distinct, plan};
    use multiaddr::Multiaddr;
    use proptest::{collection::vec, prelude::*};
    use std::{collections::BTreeSet, time::Duration};

    const RELAY: &str =
        "/ip4/9.9.9.9/tcp/1/p2p/12D3KooWGC6TvWhfagifX6L2hjBYRWd8TqSGFBtcBXSwC6mYeLPZ/p2p-circuit";

    fn addrs(texts: &[&str]) -> Vec<Multiaddr> {
        texts
            .iter()
            .map(|text| text.parse().expect("an address"))
            .collect()
    }

    /// The plan as text and milliseconds.
    fn planned(texts: &[&str]) -> Vec<(String, u128)> {
        let addrs = addrs(texts);
        let refs: Vec<_> = addrs.iter().collect();
        plan(&refs, false)
            .iter()
            .map(|planned| (addrs[planned.index].to_string(), planned.delay.as_millis()))
            .collect()
    }

    fn check(expected: &[(&str, u128)]) {
        let mut texts: Vec<_> = expected.iter().map(|(text, _)| *text).collect();
        // The order in which they were given does not matter, except between equals.
        texts.reverse();
        let expected: Vec<_> = expected
            .iter()
            .map(|(text, millis)| ((*text).to_owned(), *millis))
            .collect();
        assert_eq!(planned(&texts), expected);
    }

    #[test]
    fn quic_before_tcp_and_families_in_turn() {
        check(&[
            ("/ip6/2606:4700::1/udp/1/quic-v1", 0),
            ("/ip4/8.8.8.8/udp/1/quic-v1", 250),
            ("/ip6/2606:4700::1/tcp/1", 500),
            ("/ip4/8.8.8.8/tcp/1", 750),
        ]);
        check(&[("/ip4/8.8.8.8/udp/1/quic-v1", 0), ("/ip4/8.8.8.8/tcp/1", 250)]);
        check(&[
            ("/ip4/192.168.0.2/udp/1/quic-v1", 0),
            ("/ip4/192.168.0.2/tcp/1", 30),
        ]);
        check(&[("/ip4/8.8.8.8/tcp/1", 0)]);
    }

    #[test]
    fn one_alone_then_another_then_the_rest_with_the_lowest_port_first() {
        check(&[
            ("/ip6/2606:4700::1/tcp/1", 0),
            ("/ip4/8.8.8.8/tcp/1", 250),
            ("/ip6/2606:4700::1/tcp/2", 500),
            ("/ip4/8.8.8.8/tcp/2", 500),
            ("/ip4/8.8.8.8/tcp/3", 500),
            ("/ip4/8.8.8.8/tcp/4001/ws", 750),
        ]);
    }

    #[test]
    fn the_web_comes_late_and_webrtc_last_unless_there_is_nothing_else() {
        check(&[
            ("/ip4/8.8.8.8/udp/1/quic-v1", 0),
            ("/ip4/8.8.8.8/tcp/1", 250),
            ("/ip4/8.8.8.8/udp/1/quic-v1/webtransport", 500),
            ("/ip4/8.8.8.8/tcp/2/tls/ws", 750),
            ("/ip4/8.8.8.8/udp/1/webrtc-direct", 1750),
        ]);
        check(&[("/ip4/8.8.8.8/udp/1/webrtc-direct", 0)]);
        check(&[
            ("/ip4/10.0.0.1/tcp/2/ws", 0),
            ("/ip4/10.0.0.1/udp/1/webrtc-direct", 100),
        ]);
    }

    #[test]
    fn local_before_public_before_relayed() {
        check(&[
            ("/ip4/10.0.0.1/tcp/1", 0),
            ("/ip4/8.8.8.8/tcp/1", 30),
            (RELAY, 500),
        ]);
        check(&[("/ip4/127.0.0.1/tcp/1", 0), (RELAY, 500)]);
        check(&[(RELAY, 0)]);
        assert_eq!((STEP * 2, LOCAL_STEP * 2 < STEP), (RELAY_DELAY, true));
    }

    #[test]
    fn a_punch_waits_for_nothing() {
        let addrs = addrs(&["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/udp/1/quic-v1", RELAY]);
        let refs: Vec<_> = addrs.iter().collect();
        let plan = plan(&refs, true);
        assert_eq!(
            plan.iter().map(|planned| planned.index).collect::<Vec<_>>(),
            [1, 0, 2]
        );
        assert!(plan.iter().all(|planned| planned.delay.is_zero()));
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let many: Vec<Multiaddr> = (1..=999)
            .map(|port| format!("/ip4/8.8.8.8/tcp/{port}").parse().expect("an address"))
            .collect();
        let twice = many.iter().chain(&many).cloned().collect();
        let unique = distinct(twice, |addr| addr);
        assert_eq!(unique.len(), MAX_ADDRS * 4);
        let refs: Vec<_> = unique.iter().collect();
        assert_eq!(plan(&refs, false).len(), MAX_ADDRS);
    }

    fn some_addr() -> impl Strategy<Value = Multiaddr> {
        let hosts = [
            "/ip4/8.8.8.8",
            "/ip6/2606:4700::1",
            "/ip4/10.0.0.1",
            "/ip6/fd00::1",
            "/ip4/127.0.0.1",
        ];
        let ends = [
            "/tcp/PORT",
            "/udp/PORT/quic-v1",
            "/tcp/PORT/ws",
            "/udp/PORT/webrtc-direct",
            "/tcp/PORT/p2p-circuit",
        ];
        (0..hosts.len(), 0..ends.len(), 1..9u16).prop_map(move |(host, end, port)| {
            let text = hosts[host].to_owned() + &ends[end].replace("PORT", &port.to_string());
            text.parse().expect("an address")
        })
    }

    proptest! {
        /// Every address is planned once, the first at once, and none later than its lanes can add up to.
        #[test]
        fn a_plan_is_a_permutation_that_begins_at_once(given in vec(some_addr(), 0..24)) {
            let unique = distinct(given, |addr| addr);
            let refs: Vec<_> = unique.iter().collect();
            let plan = plan(&refs, false);
            let indices: BTreeSet<_> = plan.iter().map(|planned| planned.index).collect();
            prop_assert_eq!(indices.len(), unique.len());
            prop_assert_eq!(plan.len(), unique.len());
            prop_assert!(plan.first().is_none_or(|planned| planned.delay.is_zero()));
            prop_assert!(plan.is_sorted_by_key(|planned| planned.delay));
            // Relay, three lanes of three steps, and the last one.
            let longest = RELAY_DELAY + STEP * 12 + Duration::from_secs(1);
            prop_assert!(plan.last().is_none_or(|planned| planned.delay <= longest));
        }
    }
}
