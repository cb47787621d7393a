//! Under which addresses others see this node: candidates, and confirmed once several who do not belong together agree.

use super::source::customer;
use multiaddr::{Multiaddr, Protocol};
use sinew_addr::{IpRange, Scope};
use sinew_core::ConnectionInfo;
use sinew_machine::ConnectionId;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Observers that have to agree: go-libp2p's number (`ActivationThresh`).
const ENOUGH: usize = 4;

/// Addresses believed for one that is listened on: go-libp2p's number. Of a node behind a NAT that gives each remote
/// another port, none gets that far.
const MOST: usize = 3;

/// Live observations of one observer that count; it cannot be sure of more, and a liar does not fill the table.
const PER_OBSERVER: usize = 8;

/// Distinct observations that are kept. When there are as many, the observer that alone says most makes room.
const MAX_SEEN: usize = 256;

/// Candidates that are told; a liar on each connection cannot make it more. Of those that one observer sees, the word of
/// whom says least comes first.
const MAX_CANDIDATES: usize = 64;

/// What the remotes of the connections that are open say. Nothing here needs to expire: what a remote said goes with
/// its connection.
#[derive(Default, Debug)]
pub(crate) struct Observations {
    by_connection: BTreeMap<ConnectionId, (Seen, Observer)>,
    /// How many connections of each observer say so.
    seen: BTreeMap<Seen, BTreeMap<Observer, usize>>,
    by_observer: BTreeMap<Observer, usize>,
}

/// Who sees us at `local` says it sees `public`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Seen {
    local: Waist,
    public: Waist,
}

/// Who counts as one observer: a customer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Observer(IpRange);

/// The beginning of an address that several transports share, a socket address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Waist {
    ip: IpAddr,
    udp: bool,
    port: u16,
}

impl Waist {
    /// The waist of an address, and what follows it.
    fn split(addr: &Multiaddr) -> Option<(Self, Multiaddr)> {
        let mut components = addr.iter();
        let ip = match components.next()? {
            Protocol::Ip4(ip) => ip.into(),
            Protocol::Ip6(ip) => ip.into(),
            _ => return None,
        };
        let (udp, port) = match components.next()? {
            Protocol::Udp(port) => (true, port),
            Protocol::Tcp(port) => (false, port),
            _ => return None,
        };
        Some((Self { ip, udp, port }, components.collect()))
    }

    fn join(self, rest: &Multiaddr) -> Multiaddr {
        let port = if self.udp {
            Protocol::Udp(self.port)
        } else {
            Protocol::Tcp(self.port)
        };
        let waist = Multiaddr::from(self.ip).with(port);
        rest.iter().fold(waist, Multiaddr::with)
    }
}

impl Observer {
    fn of(remote: &Multiaddr) -> Option<Self> {
        let (Waist { ip, .. }, _) = Waist::split(remote)?;
        Some(Self(customer(ip)))
    }
}

impl Observations {
    /// Takes in what the remote of a connection says; a later word takes the place of an earlier one. Tells whether
    /// anything changed.
    pub(crate) fn add(
        &mut self,
        connection: &ConnectionInfo,
        said: &Multiaddr,
        listen: &[Multiaddr],
    ) -> bool {
        let judged = judge(connection, said, listen);
        if judged.is_some() && self.by_connection.get(&connection.id) == judged.as_ref() {
            return false;
        }
        let changed = self.remove(connection.id);
        let Some((seen, observer)) = judged else {
            return changed;
        };
        let voices = self.voices(&observer);
        let known = self.seen.contains_key(&seen);
        if voices >= PER_OBSERVER || !(known || self.seen.len() < MAX_SEEN || self.make_room(voices)) {
            return changed;
        }
        self.by_connection.insert(connection.id, (seen, observer));
        *self.by_observer.entry(observer).or_default() += 1;
        *self.seen.entry(seen).or_default().entry(observer).or_default() += 1;
        true
    }

    fn voices(&self, observer: &Observer) -> usize {
        self.by_observer.get(observer).copied().unwrap_or_default()
    }

    /// How many observations the only observer of one has; none where several agree.
    fn of_the_only(&self, observers: &BTreeMap<Observer, usize>) -> usize {
        match observers.keys().next() {
            Some(only) if observers.len() == 1 => self.voices(only),
            _ => 0,
        }
    }

    /// Forgets one observation of whoever says most that nobody else says, for one who has said less even then.
    fn make_room(&mut self, voices: usize) -> bool {
        let busiest = self
            .seen
            .iter()
            .max_by_key(|(_, observers)| self.of_the_only(observers));
        let Some((seen, observers)) =
            busiest.filter(|(_, observers)| self.of_the_only(observers) > voices + 1)
        else {
            return false;
        };
        debug_assert_eq!(observers.len(), 1, "nothing that several see makes room");
        let seen = *seen;
        let words = self.by_connection.iter().filter(|(_, (said, _))| *said == seen);
        let gone: Vec<_> = words.map(|(id, _)| *id).collect();
        gone.into_iter().all(|id| self.remove(id))
    }

    /// Forgets what the remote of a connection said.
    pub(crate) fn remove(&mut self, connection: ConnectionId) -> bool {
        let Some((seen, observer)) = self.by_connection.remove(&connection) else {
            return false;
        };
        if let Some(observers) = self.seen.get_mut(&seen) {
            take_one(observers, &observer);
            if observers.is_empty() {
                self.seen.remove(&seen);
            }
        }
        take_one(&mut self.by_observer, &observer);
        true
    }

    /// Under which addresses anybody sees us, those of most observers first.
    pub(crate) fn candidates(&self, listen: &[Multiaddr]) -> Vec<Multiaddr> {
        self.agreed(listen, 1, usize::MAX).take(MAX_CANDIDATES).collect()
    }

    /// Under which addresses enough observers see us.
    pub(crate) fn confirmed(&self, listen: &[Multiaddr]) -> Vec<Multiaddr> {
        self.agreed(listen, ENOUGH, MOST).collect()
    }

    /// For each address that is listened on, the best of what `enough` observers see. What is seen of one transport
    /// holds for the others on its port. They are put together as they are taken.
    fn agreed(&self, listen: &[Multiaddr], enough: usize, most: usize) -> impl Iterator<Item = Multiaddr> {
        let mut agreed: Vec<(Weight, Waist, Multiaddr)> = Vec::new();
        for (waist, rest) in listen.iter().filter_map(Waist::split) {
            let of_it = self.seen.iter().filter(|(seen, _)| seen.local == waist);
            let mut of_it: Vec<_> = of_it
                .filter(|(_, observers)| observers.len() >= enough)
                .map(|(seen, observers)| {
                    let weight = (Reverse(observers.len()), self.of_the_only(observers));
                    (weight, seen.public)
                })
                .collect();
            of_it.sort_unstable();
            let best = of_it.into_iter().take(most);
            agreed.extend(best.map(|(weight, public)| (weight, public, rest.clone())));
        }
        agreed.sort_by_key(|(weight, ..)| *weight);
        let mut told: BTreeSet<Multiaddr> = listen.iter().cloned().collect();
        let addrs = agreed.into_iter().map(|(_, public, rest)| public.join(&rest));
        addrs.filter(move |addr| told.insert(addr.clone()))
    }
}

/// What comes first: what most observers see, then what one sees who sees little else.
type Weight = (Reverse<usize>, usize);

fn take_one(counts: &mut BTreeMap<Observer, usize>, observer: &Observer) {
    if let Some(count) = counts.get_mut(observer) {
        *count -= 1;
        if *count == 0 {
            counts.remove(observer);
        }
    }
}

/// What the word of a remote is worth.
///
/// Relayed and loopback remotes know nothing of where we are. A connection that did not use a port that is listened
/// on says nothing of it. What is seen must be of the same kind as what is listened on, and reach anybody.
fn judge(connection: &ConnectionInfo, said: &Multiaddr, listen: &[Multiaddr]) -> Option<(Seen, Observer)> {
    let relayed =
        connection.limited || sinew_addr::is_circuit(&connection.remote) || sinew_addr::is_circuit(said);
    if relayed || sinew_addr::scope(&connection.remote) == Some(Scope::Loopback) {
        return None;
    }
    let (local, _) = Waist::split(&connection.local)?;
    let (public, _) = Waist::split(said)?;
    let listened_on = listen
        .iter()
        .filter_map(Waist::split)
        .any(|(waist, _)| waist == local);
    let alike = public.udp == local.udp && public.ip.is_ipv4() == local.ip.is_ipv4() && public.port != 0;
    if !listened_on || !alike || !is_public(public.ip) {
        return None;
    }
    Some((Seen { local, public }, Observer::of(&connection.remote)?))
}

/// Whether strangers may reach it. What a translator makes of an address is of use to the one who told us alone.
fn is_public(ip: IpAddr) -> bool {
    let translated = match ip {
        IpAddr::V6(ip) => sinew_addr::embedded(ip).is_some(),
        IpAddr::V4(_) => false,
    };
    !translated && sinew_addr::ip_scope(ip).is_global()
}

#[cfg(test)]
mod tests {
    use super::{ENOUGH, MAX_CANDIDATES, MAX_SEEN, MOST, Observations, PER_OBSERVER};
    use multiaddr::Multiaddr;
    use proptest::{collection::vec, prelude::*};
    use sinew_core::ConnectionInfo;
    use sinew_identity::{Keypair, PublicKey};
    use sinew_machine::{ConnectionId, Direction};
    use std::sync::LazyLock;

    const HERE: &str = "/ip4/192.168.0.2/tcp/4001";
    const SEEN: &str = "/ip4/9.9.9.9/tcp/30000";

    static KEY: LazyLock<PublicKey> = LazyLock::new(|| Keypair::generate().public().clone());

    fn addr(text: &str) -> Multiaddr {
        text.parse().expect("an address")
    }

    fn listen() -> Vec<Multiaddr> {
        [
            HERE,
            "/ip4/192.168.0.2/tcp/4001/ws",
            "/ip4/192.168.0.2/udp/4001/quic-v1",
            "/ip6/fd00::2/tcp/4001",
        ]
        .map(addr)
        .to_vec()
    }

    fn connection(id: u64, local: &str, remote: &str) -> ConnectionInfo {
        let id = ConnectionId(id);
        ConnectionInfo::new(id, KEY.clone(), Direction::Inbound, addr(local), addr(remote))
    }

    fn remote(observer: u8) -> String {
        format!("/ip4/8.8.8.{observer}/tcp/1")
    }

    fn texts(addrs: &[Multiaddr]) -> Vec<String> {
        addrs.iter().map(Multiaddr::to_string).collect()
    }

    /// What is told of one word.
    fn counts(local: &str, remote: &str, said: &str) -> bool {
        let mut known = Observations::default();
        known.add(&connection(1, local, remote), &addr(said), &listen())
    }

    #[test]
    fn four_observers_confirm_and_one_fewer_does_not() {
        let (mut known, listen) = (Observations::default(), listen());
        for observer in 1..=4 {
            assert_eq!(known.confirmed(&listen), []);
            assert!(known.add(
                &connection(observer.into(), HERE, &remote(observer)),
                &addr(SEEN),
                &listen
            ));
        }
        // What holds for TCP holds for WebSocket on the same port.
        let both = [SEEN.to_owned(), SEEN.to_owned() + "/ws"];
        assert_eq!(texts(&known.confirmed(&listen)), both);
        assert!(known.remove(ConnectionId(2)) && !known.remove(ConnectionId(2)));
        assert_eq!(known.confirmed(&listen), []);
        assert_eq!(texts(&known.candidates(&listen)), both);
        for id in 1..=4 {
            known.remove(ConnectionId(id));
        }
        assert_eq!(known.candidates(&listen), []);
        assert!(known.by_connection.is_empty() && known.seen.is_empty() && known.by_observer.is_empty());
    }

    #[test]
    fn one_observer_is_one_however_often_it_connects() {
        let (mut known, listen) = (Observations::default(), listen());
        let v6 = "/ip6/fd00::2/tcp/4001";
        for id in 0..20u64 {
            known.add(&connection(id, HERE, &remote(1)), &addr(SEEN), &listen);
            // All in one /56.
            let remote = format!("/ip6/2606:4700:0:12{id:02x}::1/tcp/1");
            known.add(
                &connection(100 + id, v6, &remote),
                &addr("/ip6/2a00::1/tcp/5"),
                &listen,
            );
        }
        assert_eq!(known.confirmed(&listen), []);
        assert_eq!(known.by_connection.len(), 2 * PER_OBSERVER);
        for id in 0..3u64 {
            let remote = format!("/ip6/2606:4700:0:{:x}::1/tcp/1", 0x1300 + (id << 8));
            known.add(
                &connection(200 + id, v6, &remote),
                &addr("/ip6/2a00::1/tcp/5"),
                &listen,
            );
        }
        assert_eq!(texts(&known.confirmed(&listen)), ["/ip6/2a00::1/tcp/5"]);
    }

    #[test]
    fn only_words_about_a_port_that_is_listened_on_count() {
        assert!(counts(HERE, &remote(1), SEEN));
        for (local, remote, said) in [
            ("/ip4/192.168.0.2/tcp/51000", "/ip4/8.8.8.8/tcp/1", SEEN),
            (HERE, "/ip4/127.0.0.1/tcp/1", SEEN),
            (HERE, "/ip4/8.8.8.8/tcp/1/p2p-circuit", SEEN),
            (HERE, "/ip4/8.8.8.8/tcp/1", "/ip4/9.9.9.9/tcp/1/p2p-circuit"),
            (HERE, "/ip4/8.8.8.8/tcp/1", "/ip4/9.9.9.9/udp/1/quic-v1"),
            (HERE, "/ip4/8.8.8.8/tcp/1", "/ip6/2a00::1/tcp/1"),
            (HERE, "/ip4/8.8.8.8/tcp/1", "/ip4/9.9.9.9/tcp/0"),
            (HERE, "/ip4/8.8.8.8/tcp/1", "/ip4/10.0.0.1/tcp/1"),
            (HERE, "/ip4/8.8.8.8/tcp/1", "/ip4/127.0.0.1/tcp/1"),
            (HERE, "/ip4/8.8.8.8/tcp/1", "/dns4/example.org/tcp/1"),
            (
                "/ip6/fd00::2/tcp/4001",
                "/ip6/2606:4700::1/tcp/1",
                "/ip6/64:ff9b::9.9.9.9/tcp/1",
            ),
            ("/memory/1", "/memory/2", "/memory/3"),
        ] {
            assert!(!counts(local, remote, said), "{local} {remote} {said}");
        }
        let mut limited = connection(1, HERE, &remote(1));
        limited.limited = true;
        assert!(!Observations::default().add(&limited, &addr(SEEN), &listen()));
    }

    #[test]
    fn the_last_word_of_a_connection_counts_and_the_three_best_are_believed() {
        let (mut known, listen) = (Observations::default(), listen());
        let mut id = 0;
        for port in 1..=5u16 {
            for observer in 1..=4 + port.min(4) {
                id += 1;
                let observer = remote(u8::try_from(observer).expect("few"));
                let said = addr(&format!("/ip4/9.9.9.9/tcp/{port}"));
                known.add(&connection(id, HERE, &observer), &said, &listen[..1]);
            }
        }
        let expected = [4, 5, 3].map(|port| format!("/ip4/9.9.9.9/tcp/{port}"));
        assert_eq!(texts(&known.confirmed(&listen[..1])), expected);
        assert_eq!(expected.len(), MOST);
        let (mut known, first) = (Observations::default(), connection(1, HERE, &remote(1)));
        known.add(&first, &addr("/ip4/9.9.9.9/tcp/1"), &listen);
        known.add(&first, &addr(SEEN), &listen[..1]);
        assert_eq!(texts(&known.candidates(&listen[..1])), [SEEN]);
        assert!(!known.add(&first, &addr(SEEN), &listen), "it says the same again");
        assert!(
            known.add(&first, &addr("/ip4/10.0.0.1/tcp/1"), &listen),
            "it takes its word back"
        );
        assert_eq!(known.candidates(&listen), []);
    }

    /// So many liars as fill the table do not keep honest peers from being heard, whoever comes first.
    #[test]
    fn who_says_least_is_heard() {
        let (mut known, listen) = (Observations::default(), &listen()[..1]);
        let liars = MAX_SEEN / PER_OBSERVER;
        for n in 0..MAX_SEEN {
            let remote = format!("/ip4/7.7.7.{}/tcp/1", n % liars);
            let lie = addr(&format!("/ip4/1.1.1.1/tcp/{}", 1 + n));
            let id = u64::try_from(n).expect("few");
            assert!(known.add(&connection(id, HERE, &remote), &lie, listen));
        }
        for observer in 1..=4 {
            let honest = connection(1000 + u64::from(observer), HERE, &remote(observer));
            assert!(known.add(&honest, &addr(SEEN), listen), "{observer}");
            assert_eq!(texts(&known.candidates(listen))[0], SEEN);
        }
        assert_eq!(texts(&known.confirmed(listen)), [SEEN]);
        assert_eq!(known.seen.len(), MAX_SEEN);
        let liar = connection(2000, HERE, "/ip4/7.7.7.1/tcp/1");
        assert!(!known.add(&liar, &addr("/ip4/1.1.1.1/tcp/9999"), listen));
    }

    proptest! {
        // Long histories, so that the tables fill up.
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Whatever anybody says, in whatever order connections come and go: the tables are bounded, the counts are
        /// those of the open connections, and nothing is confirmed by fewer than four.
        #[test]
        fn tables_are_bounded_and_true(words in vec((0..600u64, any::<u8>(), 1..400u16, any::<bool>()), 0..1500)) {
            let (mut known, listen) = (Observations::default(), listen());
            for (id, observer, port, leaves) in words {
                if leaves {
                    known.remove(ConnectionId(id));
                } else {
                    let said = addr(&format!("/ip4/9.9.9.9/tcp/{port}"));
                    known.add(&connection(id, HERE, &remote(observer)), &said, &listen);
                }
            }
            prop_assert!(known.seen.len() <= MAX_SEEN);
            prop_assert!(known.candidates(&listen).len() <= MAX_CANDIDATES);
            prop_assert!(known.by_observer.values().all(|count| (1..=PER_OBSERVER).contains(count)));
            let voices: usize = known.seen.values().flat_map(|observers| observers.values()).sum();
            prop_assert_eq!(voices, known.by_connection.len());
            prop_assert_eq!(known.by_observer.values().sum::<usize>(), known.by_connection.len());
            for seen in known.confirmed(&listen[..1]) {
                let of_it = known.by_connection.values().filter(|(what, _)| what.public.join(&Multiaddr::empty()) == seen);
                let observers: std::collections::BTreeSet<_> = of_it.map(|(_, observer)| *observer).collect();
                prop_assert!(observers.len() >= ENOUGH);
            }
        }
    }
}
