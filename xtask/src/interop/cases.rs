//! Which tests there are: every test of every pair of dialler and listener over every stack that both have.

use std::fmt;

use super::{
    peers::Peer,
    stack::{self, Stack},
};

/// The type of the keys unless a test is about them.
const KEY_TYPE: &str = "ed25519";

/// Where an identity key is used in another way: over these stacks each type is tested.
const KEY_STACKS: [&str; 3] = ["tcp, noise, yamux", "tcp, tls, yamux", "quic-v1"];

/// What is tested; `steps` says how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// A dial that expects another peer id.
    WrongPeer,
    /// What each side learns of the other.
    Identify,
    /// Pings in both directions.
    Ping,
    /// What each side is told when the other begins to listen on one more address.
    Push,
    /// Nothing, 1 kB and 16 MiB there and back, with checksum and half-close.
    Echo,
    /// 200 streams from each side, at most 50 of them at once.
    Streams,
    /// A reset in the middle of a stream, by each side.
    Reset,
    /// The code of such a reset.
    ResetCode,
    /// The dialler's process ends.
    Leave,
    /// The listener closes the connection with a code.
    CloseCode,
    /// Both sides with a key of this type: identify and ping.
    Key(String),
}

/// In the order in which one pair of processes can run them: the connection starts with the first and ends with the last.
const TESTS: [Test; 8] = [
    Test::WrongPeer,
    Test::Identify,
    Test::Ping,
    Test::Push,
    Test::Echo,
    Test::Streams,
    Test::Reset,
    Test::Leave,
];

/// With peers that send and show codes.
const CODE_TESTS: [Test; 2] = [Test::ResetCode, Test::CloseCode];

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPeer => f.write_str("wrong-peer"),
            Self::Identify => f.write_str("identify"),
            Self::Ping => f.write_str("ping"),
            Self::Push => f.write_str("push"),
            Self::Echo => f.write_str("echo"),
            Self::Streams => f.write_str("streams"),
            Self::Reset => f.write_str("reset"),
            Self::ResetCode => f.write_str("reset-code"),
            Self::Leave => f.write_str("leave"),
            Self::CloseCode => f.write_str("close-code"),
            Self::Key(key_type) => write!(f, "key-{key_type}"),
        }
    }
}

/// One test of one pair.
#[derive(Clone, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) dialer: &'a Peer,
    pub(crate) listener: &'a Peer,
    pub(crate) stack: Stack,
    pub(crate) test: Test,
}

impl Case<'_> {
    /// The pair, spelled as in the official suites.
    pub(crate) fn pair(&self) -> String {
        format!("{} x {} ({})", self.dialer.id, self.listener.id, self.stack)
    }

    /// The pair and the test.
    pub(crate) fn id(&self) -> String {
        format!("{} {}", self.pair(), self.test)
    }

    /// The key type of both sides.
    pub(crate) fn key_type(&self) -> &str {
        match &self.test {
            Test::Key(key_type) => key_type,
            _ => KEY_TYPE,
        }
    }

    /// Whether the two tests can run in the same processes.
    pub(crate) fn shares_processes(&self, other: &Self) -> bool {
        self.pair() == other.pair() && self.key_type() == other.key_type()
    }
}

/// Our peer dials each of the others, and is dialled by it.
pub(crate) fn against<'a>(ours: &'a Peer, others: &[&'a Peer]) -> Vec<Case<'a>> {
    others
        .iter()
        .flat_map(|other| [pair(ours, other), pair(other, ours)])
        .flatten()
        .collect()
}

/// Each of these dials each of them, itself included.
pub(crate) fn among<'a>(peers: &[&'a Peer]) -> Vec<Case<'a>> {
    let pairs = peers
        .iter()
        .flat_map(|dialer| peers.iter().map(move |listener| (dialer, listener)));
    pairs
        .flat_map(|(dialer, listener)| pair(dialer, listener))
        .collect()
}

fn pair<'a>(dialer: &'a Peer, listener: &'a Peer) -> Vec<Case<'a>> {
    stack::common(dialer, listener)
        .into_iter()
        .flat_map(|stack| {
            tests(dialer, listener, &stack).into_iter().map(move |test| Case {
                dialer,
                listener,
                stack: stack.clone(),
                test,
            })
        })
        .collect()
}

fn tests(dialer: &Peer, listener: &Peer, stack: &Stack) -> Vec<Test> {
    let mut tests = TESTS.to_vec();
    // mplex and the secured bytes below it carry no codes.
    let muxer = stack.upgrade.as_ref().map(|upgrade| upgrade.muxer.as_str());
    if dialer.codes && listener.codes && muxer != Some("mplex") {
        tests.extend(CODE_TESTS);
    }
    if KEY_STACKS.contains(&stack.to_string().as_str()) {
        let both = dialer
            .key_types
            .iter()
            .filter(|kind| listener.key_types.contains(kind));
        tests.extend(both.filter(|kind| *kind != KEY_TYPE).cloned().map(Test::Key));
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        interop::peers::{Places, load},
        workspace,
    };

    #[test]
    fn each_peer_is_dialled_and_dials() {
        let peers = load(&Places::new(workspace::root())).unwrap();
        let cases = against(peers.ours().unwrap(), &peers.select(&[]).unwrap());
        let tests = |pair: &str| -> Vec<String> {
            let of_pair = cases.iter().filter(|case| case.pair() == pair);
            of_pair.map(|case| case.test.to_string()).collect()
        };
        let all = [
            "wrong-peer",
            "identify",
            "ping",
            "push",
            "echo",
            "streams",
            "reset",
            "leave",
        ];
        let keys = ["key-secp256k1", "key-ecdsa", "key-rsa"];
        for pair in [
            "sinew x rust (tcp, noise, yamux)",
            "rust x sinew (tcp, noise, yamux)",
        ] {
            assert_eq!(tests(pair), [&all[..], &keys].concat());
        }
        for pair in ["sinew x js (tcp, noise, yamux)", "py x sinew (tcp, noise, yamux)"] {
            assert_eq!(tests(pair), [&all[..], &["key-secp256k1", "key-rsa"]].concat());
        }
        let codes = ["reset-code", "close-code"];
        assert_eq!(
            tests("sinew x go (tcp, noise, yamux)"),
            [&all[..], &codes, &keys].concat()
        );
    }

    #[test]
    fn reference_pairs_leave_us_out() {
        let peers = load(&Places::new(workspace::root())).unwrap();
        let cases = among(&peers.select(&[]).unwrap());
        assert!(
            cases
                .iter()
                .all(|case| case.dialer.id != "sinew" && case.listener.id != "sinew")
        );
        assert!(
            cases
                .iter()
                .any(|case| case.id() == "rust x rust (tcp, noise, yamux) key-rsa")
        );
    }

    #[test]
    fn only_tests_with_the_same_keys_share_processes() {
        let peers = load(&Places::new(workspace::root())).unwrap();
        let cases = against(peers.ours().unwrap(), &peers.select(&["go".to_owned()]).unwrap());
        let find = |id: &str| cases.iter().find(|case| case.id() == id).unwrap();
        let ping = find("sinew x go (tcp, noise, yamux) ping");
        assert!(ping.shares_processes(find("sinew x go (tcp, noise, yamux) echo")));
        assert!(!ping.shares_processes(find("sinew x go (tcp, noise, yamux) key-rsa")));
        assert!(!ping.shares_processes(find("go x sinew (tcp, noise, yamux) ping")));
    }
}
