//! Known bugs of peers (interop/known.toml). Strict: a test that passes in spite of one is reported.

use serde::Deserialize;

use super::{
    InteropError,
    cases::Case,
    peers::{Places, read_toml},
};

/// One bug and the tests it breaks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bug {
    /// Ids of tests; `*` stands for any text.
    tests: Vec<String>,
    /// Whether the tests pass now and then.
    #[serde(default)]
    pub(crate) sometimes: bool,
    /// What is wrong, and the evidence that it is the peer.
    pub(crate) reason: String,
}

/// All known bugs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    known: Vec<Bug>,
}

impl Known {
    /// The bug that breaks this test, if there is one.
    pub(crate) fn bug(&self, case: &Case<'_>) -> Option<&Bug> {
        let id = case.id();
        self.known
            .iter()
            .find(|bug| bug.tests.iter().any(|pattern| fits(pattern, &id)))
    }
}

/// Whether the text is the pattern with something in the place of each `*`.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, mut rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    while let Some((part, later)) = rest.split_once('*') {
        let Some((_, after)) = text.split_once(part) else {
            return false;
        };
        (rest, text) = (later, after);
    }
    text.ends_with(rest)
}

/// Reads interop/known.toml.
pub(crate) fn load(places: &Places) -> Result<Known, InteropError> {
    read_toml(&places.root.join("interop/known.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        interop::{cases, peers},
        workspace,
    };

    #[test]
    fn every_pattern_names_a_test() {
        let places = Places::new(workspace::root());
        let (known, peers) = (load(&places).unwrap(), peers::load(&places).unwrap());
        let others = peers.select(&[]).unwrap();
        let mut cases = cases::among(&others);
        let all: Vec<_> = peers.all().iter().collect();
        cases.extend(cases::against(peers.ours().unwrap(), &all, peers.all()));
        for pattern in known.known.iter().flat_map(|bug| &bug.tests) {
            assert!(
                cases.iter().any(|case| fits(pattern, &case.id())),
                "no test is called {pattern}"
            );
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(fits("js x py (tcp) echo", "js x py (tcp) echo"));
        assert!(!fits("js x py (tcp) echo", "js x py (tcp) echoes"));
        assert!(fits("js x * (*) echo", "js x py (tcp, tls, yamux) echo"));
        assert!(fits("js x * (*, tls, *) *", "js x py (tcp, tls, yamux) ping"));
        assert!(!fits("js x * (*, tls, *) *", "js x py (tcp, noise, yamux) ping"));
        assert!(!fits("* x py (*) ping", "js x py (tcp) push"));
    }
}
