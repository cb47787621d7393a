//! Which tests there are: every test of every pair of dialler and listener over every stack that both have.

use super::{
    peers::Peer,
    rows::{Company, Suite, TESTS, Test},
    stack::{self, Stack},
};

/// Nodes of all kinds in one network.
pub(super) const NETWORK: usize = 20;

/// One test of one pair.
#[derive(Clone, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) dialer: &'a Peer,
    pub(crate) listener: &'a Peer,
    pub(crate) stack: Stack,
    pub(crate) test: &'static Test,
    /// Who takes part beside these two.
    pub(crate) others: Vec<&'a Peer>,
}

impl<'a> Case<'a> {
    /// Everybody who takes part.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &'a Peer> {
        [self.dialer, self.listener]
            .into_iter()
            .chain(self.others.iter().copied())
    }

    /// The pair, spelled as in the official suites.
    pub(crate) fn pair(&self) -> String {
        format!("{} x {} ({})", self.dialer.id, self.listener.id, self.stack)
    }

    /// The pair and the test.
    pub(crate) fn id(&self) -> String {
        format!("{} {}", self.pair(), self.test.name)
    }
}

/// Our peer dials each of the others, and is dialled by it; among the others it may be itself. In some tests everybody takes
/// part.
pub(crate) fn against<'a>(ours: &'a Peer, others: &[&'a Peer], everybody: &'a [Peer]) -> Vec<Case<'a>> {
    let pairs = others.iter().flat_map(|other| match other.is_ours() {
        true => vec![pair(ours, ours, everybody)],
        false => vec![pair(ours, other, everybody), pair(other, ours, everybody)],
    });
    pairs.flatten().collect()
}

/// Each of these dials each of them, itself included.
pub(crate) fn among<'a>(peers: &[&'a Peer]) -> Vec<Case<'a>> {
    let pairs = peers
        .iter()
        .flat_map(|dialer| peers.iter().map(move |listener| (dialer, listener)));
    pairs
        .flat_map(|(dialer, listener)| pair(dialer, listener, &[]))
        .collect()
}

/// Leaves out what is not asked for; an empty list of suites stands for all.
pub(crate) fn select(cases: &mut Vec<Case<'_>>, suites: &[Suite], filter: Option<&str>) {
    cases.retain(|case| {
        (suites.is_empty() || suites.contains(&case.test.suite()))
            && filter.is_none_or(|filter| case.id().contains(filter))
    });
}

fn pair<'a>(dialer: &'a Peer, listener: &'a Peer, everybody: &'a [Peer]) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for stack in stack::common(dialer, listener) {
        let tests = TESTS.iter().filter(|test| test.fits(dialer, listener, &stack));
        cases.extend(tests.map(|test| Case {
            dialer,
            listener,
            stack: stack.clone(),
            test,
            others: match test.setup.company {
                Company::None => Vec::new(),
                Company::Another => vec![dialer],
                // The dialler and the listener are two of the twenty.
                Company::Everybody => everybody.iter().cycle().skip(1).take(NETWORK - 2).collect(),
            },
        }));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        interop::peers::{Peers, Places, load},
        workspace,
    };

    fn peers() -> Peers {
        load(&Places::new(workspace::root())).unwrap()
    }

    fn all(peers: &Peers) -> Vec<Case<'_>> {
        let mut others = peers.select(&[]).unwrap();
        others.push(peers.ours().unwrap());
        against(peers.ours().unwrap(), &others, peers.all())
    }

    #[test]
    fn each_peer_is_dialled_and_dials() {
        let peers = peers();
        let cases = all(&peers);
        let tests = |pair: &str| -> Vec<&str> {
            let of_pair = cases.iter().filter(|case| case.pair() == pair);
            let about_streams = of_pair.filter(|case| case.test.suite() != Suite::Pubsub);
            about_streams.map(|case| case.test.name).collect()
        };
        let first = [
            "wrong-peer",
            "identify",
            "ping",
            "push",
            "echo",
            "streams",
            "reset",
        ];
        let more = ["sizes", "slow-reader", "many-streams"];
        let steps = [&first[..], &more, &["leave"]].concat();
        let keys = ["key-secp256k1", "key-ecdsa", "key-rsa"];
        for pair in [
            "sinew x rust (tcp, noise, yamux)",
            "rust x sinew (tcp, noise, yamux)",
        ] {
            assert_eq!(
                tests(pair),
                [
                    &["transport", "perf"],
                    &steps[..],
                    &keys,
                    &["both-muxers", "limits"]
                ]
                .concat()
            );
        }
        let few_keys = ["key-secp256k1", "key-rsa"];
        let own_setup = ["late-muxer", "both-muxers", "limits"];
        assert_eq!(
            tests("sinew x js (tcp, noise, yamux)"),
            [&["transport", "perf"], &steps[..], &few_keys, &own_setup].concat()
        );
        let codes = ["reset-code", "close-code"];
        assert_eq!(
            tests("sinew x go (tcp, noise, yamux)"),
            [&["transport", "perf"], &steps[..], &codes, &keys, &own_setup].concat()
        );
        assert_eq!(
            tests("py x sinew (tcp, noise, mplex)")[..2],
            ["transport", "perf"]
        );
        assert_eq!(
            tests("js x sinew (tcp, pnet, noise, yamux)"),
            [&first[..], &["leave"]].concat()
        );
        assert_eq!(
            tests("sinew x sinew (quic-v1)"),
            ["transport", "transport-legacy", "perf", "perf-legacy"]
        );
    }

    #[test]
    fn scenarios_have_many_nodes_of_one_program() {
        let peers = peers();
        let mut cases = all(&peers);
        select(&mut cases, &[Suite::Gossipsub], None);
        let names: Vec<_> = cases.iter().map(|case| case.test.name).collect();
        let parts = [
            "partial-messages",
            "partial-messages-chain",
            "partial-messages-fanout",
        ];
        assert_eq!(
            names,
            [&["subnet-blob-msg", "simple-fanout"][..], &parts].concat()
        );
        assert!(
            cases
                .iter()
                .all(|case| case.pair() == "sinew x sinew (tcp, noise, yamux)")
        );
    }

    #[test]
    fn tests_of_a_setup_stand_where_it_makes_a_difference() {
        let peers = peers();
        let cases = all(&peers);
        let ids = |test: &str| -> Vec<String> {
            let of_test = cases.iter().filter(|case| case.test.name.starts_with(test));
            of_test.map(Case::id).collect()
        };
        let spellings = ids("spelling");
        assert!(spellings.contains(&"js x sinew (wss, noise, yamux) spelling-tls-sni-ws".to_owned()));
        assert!(!spellings.contains(&"py x sinew (wss, noise, yamux) spelling-tls-ws".to_owned()));
        assert!(spellings.iter().all(|id| id.contains("(wss, noise, yamux)")));
        let late = ids("late-muxer");
        assert!(late.contains(&"sinew x js (tcp, tls, mplex) late-muxer".to_owned()));
        assert!(late.iter().all(|id| !id.contains("rust") && !id.contains("py")));
    }

    #[test]
    fn publish_and_subscribe_goes_over_one_stack() {
        let peers = peers();
        let mut cases = all(&peers);
        select(&mut cases, &[Suite::Pubsub], None);
        let tests = |pair: &str| -> Vec<&str> {
            let of_pair = cases.iter().filter(|case| case.pair() == pair);
            of_pair.map(|case| case.test.name).collect()
        };
        assert_eq!(
            tests("py x sinew (tcp, noise, yamux)"),
            [
                "gossipsub",
                "gossipsub-leave",
                "floodsub",
                "gossipsub-to-floodsub",
                "test-extension",
                "idontwant"
            ]
        );
        assert_eq!(
            tests("sinew x js (tcp, noise, yamux)")[..2],
            ["gossipsub", "gossipsub-anonymous"]
        );
        assert_eq!(tests("sinew x sinew (tcp, noise, yamux)"), ["network"]);
        assert!(
            cases
                .iter()
                .all(|case| case.stack.to_string() == "tcp, noise, yamux")
        );
        let network = cases.iter().find(|case| case.test.name == "network").unwrap();
        assert_eq!(network.peers().count(), NETWORK);
        for peer in peers.all() {
            assert!(network.peers().filter(|other| other.id == peer.id).count() >= 3);
        }
    }

    #[test]
    fn reference_pairs_leave_us_out() {
        let peers = peers();
        let cases = among(&peers.select(&[]).unwrap());
        assert!(
            cases
                .iter()
                .all(|case| !case.dialer.is_ours() && !case.listener.is_ours())
        );
        let has = |id: &str| cases.iter().any(|case| case.id() == id);
        assert!(has("rust x rust (tcp, noise, yamux) key-rsa"));
        // They speak different dialects.
        assert!(has("go x py (tcp, noise, yamux) perf") && !has("go x rust (tcp, noise, yamux) perf"));
    }

    #[test]
    fn suites_and_texts_select() {
        let peers = peers();
        let mut cases = all(&peers);
        select(&mut cases, &[Suite::Perf], Some("x py (tcp, noise"));
        let ids: Vec<_> = cases.iter().map(Case::id).collect();
        assert_eq!(
            ids,
            [
                "sinew x py (tcp, noise, yamux) perf",
                "sinew x py (tcp, noise, mplex) perf"
            ]
        );
    }
}
