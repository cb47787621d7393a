//! Known bugs of peers (interop/known.toml). Strict: a test that passes in spite of one is reported.

use serde::Deserialize;

use super::{
    InteropError,
    cases::Case,
    peers::{Places, read_toml},
};

/// One bug and the test it breaks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    dialer: String,
    listener: String,
    test: String,
    reason: String,
}

/// All known bugs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    known: Vec<Bug>,
}

impl Known {
    /// Why this test is known to fail, if it is.
    pub(crate) fn reason(&self, case: &Case<'_>) -> Option<&str> {
        let is_met = |bug: &&Bug| {
            bug.dialer == case.dialer.id
                && bug.listener == case.listener.id
                && bug.test == case.test.to_string()
        };
        self.known.iter().find(is_met).map(|bug| bug.reason.as_str())
    }
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
    fn every_entry_names_a_test() {
        let places = Places::new(workspace::root());
        let (known, peers) = (load(&places).unwrap(), peers::load(&places).unwrap());
        let others = peers.select(&[]).unwrap();
        let mut cases = cases::against(peers.ours().unwrap(), &others);
        cases.extend(cases::among(&others));
        let met = cases.iter().filter(|case| known.reason(case).is_some()).count();
        assert_eq!(met, known.known.len());
    }
}
