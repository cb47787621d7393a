//! Rule `pure`: a machine and the base read no clock, no entropy, no socket, and never iterate in hash order.

use super::{
    finding::Finding,
    source::{Named, Source},
    tree::Tree,
};

/// A kind of impurity: what is forbidden, and what to do instead.
struct Ban {
    what: &'static str,
    remedy: &'static str,
    /// Paths that begin with one of these.
    prefixes: &'static [&'static str],
    /// Paths that hold one of these words as a part.
    words: &'static [&'static str],
}

const BANS: [Ban; 5] = [
    Ban {
        what: "a clock",
        remedy: "take the time as an argument (sinew_machine::Now)",
        prefixes: &["std::time::Instant", "std::time::SystemTime", "Instant::now"],
        words: &["SystemTime", "UNIX_EPOCH"],
    },
    Ban {
        what: "entropy",
        remedy: "take random numbers as an argument (sinew_machine::Rng)",
        prefixes: &["rand::", "getrandom"],
        words: &["OsRng", "thread_rng", "RandomState"],
    },
    Ban {
        what: "a thread",
        remedy: "spawn in the runtime crate",
        prefixes: &["std::thread", "thread::spawn"],
        words: &[],
    },
    Ban {
        what: "a socket or an asynchronous runtime",
        remedy: "take bytes and facts as arguments; waiting belongs to service.rs",
        prefixes: &["tokio", "mio::", "socket2", "std::os::fd", "std::os::unix::net"],
        words: &["TcpStream", "TcpListener", "UdpSocket", "UnixStream"],
    },
    Ban {
        what: "a map in hash order",
        remedy: "use BTreeMap or BTreeSet: the same input must give the same effects",
        prefixes: &[],
        words: &["HashMap", "HashSet", "hash_map", "hash_set"],
    },
];

/// The seam to the operating system's generator; keys are made there, machines never ask it.
const GENERATOR: &str = "sinew_crypto::random";

/// Checks machines wherever they lie, and the whole base but the crypto seam.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pure = tree
        .sources
        .iter()
        .filter(|source| is_machine(&source.path) || is_base(&source.path));
    pure.flat_map(source).collect()
}

fn is_machine(path: &str) -> bool {
    path.starts_with("crates/") && (path.contains("/src/machine/") || path.ends_with("/src/machine.rs"))
}

fn is_base(path: &str) -> bool {
    let inside = path.strip_prefix("crates/base/");
    inside.is_some_and(|rest| !rest.starts_with("crypto/") && rest.contains("/src/"))
}

fn source(source: &Source) -> Vec<Finding> {
    if source.is_test() {
        return Vec::new();
    }
    source
        .paths
        .iter()
        .filter_map(|named| judge(source, named))
        .collect()
}

fn judge(source: &Source, named: &Named) -> Option<Finding> {
    let path = named.path.as_str();
    let generator = is_machine(&source.path) && path.starts_with(GENERATOR);
    let ban = if generator {
        Some(&BANS[1])
    } else {
        BANS.iter().find(|ban| ban.covers(path))
    }?;
    Some(Finding {
        file: source.path.clone(),
        line: named.line,
        rule: "pure",
        problem: format!("`{path}` is {}", ban.what),
        remedy: ban.remedy,
    })
}

impl Ban {
    fn covers(&self, path: &str) -> bool {
        let begins = |prefix: &&str| match path.strip_prefix(*prefix) {
            Some(rest) => prefix.ends_with("::") || rest.is_empty() || rest.starts_with("::"),
            None => false,
        };
        self.prefixes.iter().any(begins) || path.split("::").any(|part| self.words.contains(&part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let source = Source::parse(path.into(), text.into()).unwrap();
        let tree = Tree {
            sources: vec![source],
            ..Tree::default()
        };
        check(&tree).into_iter().map(|finding| finding.problem).collect()
    }

    const MACHINE: &str = "crates/muxers/yamux/src/machine/windows.rs";

    #[test]
    fn impurities_of_a_machine() {
        let impure = [
            "use std::time::{Duration, Instant};",
            "fn f() -> u64 { Instant::now() }",
            "use std::time::SystemTime;",
            "fn f() { rand::random::<u8>() }",
            "fn f() { sinew_crypto::random(&mut out) }",
            "use std::{thread};",
            "use tokio::sync::mpsc;",
            "use std::net::UdpSocket;",
            "use std::collections::{BTreeMap, HashMap};",
        ];
        for text in impure {
            assert_eq!(findings(MACHINE, text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_a_machine_may_use() {
        let pure = [
            "use std::time::Duration; use sinew_machine::{Instant, Rng};",
            "use std::net::{IpAddr, SocketAddr};",
            "use std::collections::BTreeMap;",
            "fn tokio_like(random: u64) {}",
            "#[cfg(test)] mod tests { use std::collections::HashMap; }",
            "// std::time::Instant::now() would not do\nfn f() {}",
        ];
        for text in pure {
            assert_eq!(findings(MACHINE, text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn where_the_rule_holds() {
        let text = "use std::collections::HashMap;";
        for path in [
            "crates/protocols/ping/src/machine.rs",
            "crates/base/wire/src/frame.rs",
        ] {
            assert_eq!(findings(path, text).len(), 1, "{path}");
        }
        for path in [
            "crates/host/src/table.rs",
            "crates/base/crypto/src/lib.rs",
            "crates/base/wire/tests/vectors.rs",
            "crates/base/wire/src/tests.rs",
        ] {
            assert!(findings(path, text).is_empty(), "{path}");
        }
    }

    #[test]
    fn the_base_may_ask_the_seam_for_keys() {
        let text = "fn f() { sinew_crypto::random(&mut out) }";
        assert!(findings("crates/base/identity/src/peer_id.rs", text).is_empty());
    }
}
