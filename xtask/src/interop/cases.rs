//! Which tests there are: every test of every pair of dialler and listener.

use std::fmt;

use super::peers::Peer;

/// The transport, the security and the muxer of every test so far.
const STACK: &str = "tcp, noise, yamux";

/// What is tested; `steps` says how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// Pings in both directions.
    Ping,
    /// What each side learns of the other.
    Identify,
    /// What each side is told when the other begins to listen on one more address.
    Push,
    /// Nothing, 1 kB and 16 MiB there and back, with checksum and half-close.
    Echo,
    /// 200 streams from each side, at most 50 of them at once.
    Streams,
    /// A reset in the middle of a stream, by each side.
    Reset,
    /// A dial that expects another peer id.
    WrongPeer,
    /// The dialler's process ends.
    Leave,
    /// Both sides with a key of this type: identify and ping.
    Key(String),
}

/// The tests that do not depend on what the peers can do.
const TESTS: [Test; 8] = [
    Test::Ping,
    Test::Identify,
    Test::Push,
    Test::Echo,
    Test::Streams,
    Test::Reset,
    Test::WrongPeer,
    Test::Leave,
];

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("ping"),
            Self::Identify => f.write_str("identify"),
            Self::Push => f.write_str("push"),
            Self::Echo => f.write_str("echo"),
            Self::Streams => f.write_str("streams"),
            Self::Reset => f.write_str("reset"),
            Self::WrongPeer => f.write_str("wrong-peer"),
            Self::Leave => f.write_str("leave"),
            Self::Key(key_type) => write!(f, "key-{key_type}"),
        }
    }
}

/// One test of one pair.
#[derive(Clone, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) dialer: &'a Peer,
    pub(crate) listener: &'a Peer,
    pub(crate) test: Test,
}

impl Case<'_> {
    /// The pair, spelled as in the official suites.
    pub(crate) fn pair(&self) -> String {
        format!("{} x {} ({STACK})", self.dialer.id, self.listener.id)
    }

    /// The pair and the test.
    pub(crate) fn id(&self) -> String {
        format!("{} {}", self.pair(), self.test)
    }

    /// The key type of both sides.
    pub(crate) fn key_type(&self) -> &str {
        match &self.test {
            Test::Key(key_type) => key_type,
            _ => "ed25519",
        }
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
    let keys = dialer
        .key_types
        .iter()
        .filter(|key_type| listener.key_types.contains(key_type));
    let tests = TESTS.into_iter().chain(keys.cloned().map(Test::Key));
    tests
        .map(|test| Case {
            dialer,
            listener,
            test,
        })
        .collect()
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
        let count = |pair: &str| cases.iter().filter(|case| case.pair() == pair).count();
        assert_eq!(count("sinew x rust (tcp, noise, yamux)"), 12);
        assert_eq!(count("rust x sinew (tcp, noise, yamux)"), 12);
        assert_eq!(count("sinew x js (tcp, noise, yamux)"), 11);
        assert_eq!(count("js x sinew (tcp, noise, yamux)"), 11);
        assert_eq!(cases.len(), 46);
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
}
