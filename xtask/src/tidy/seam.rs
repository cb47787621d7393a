//! Rule `seam`: one crate names the cryptography backend, so that another backend can take its seat.

use super::{finding::Finding, tree::Tree};

/// Crates of the backend.
const BACKEND: [&str; 2] = ["aws-lc-rs", "aws-lc-sys"];

/// The one crate that may name them.
const SEAM: &str = "crates/base/crypto";

/// Checks every edge of every kind.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let others = tree.packages.iter().filter(|package| package.folder != SEAM);
    let edges = others.flat_map(|package| package.dependencies.iter().map(move |edge| (package, edge)));
    let named = edges.filter(|(_, edge)| BACKEND.contains(&edge.name.as_str()));
    named
        .map(|(package, edge)| Finding {
            file: package.path(),
            line: package.line_of(&edge.name),
            rule: "seam",
            problem: format!("names `{}`", edge.name),
            remedy: "call sinew-crypto; give it the function that is missing",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::{Dependency, Kind, Package};

    fn found(folder: &str, kind: Kind) -> usize {
        let package = Package {
            folder: folder.into(),
            dependencies: vec![Dependency {
                name: "aws-lc-rs".into(),
                kind,
                member: None,
                features: Vec::new(),
                optional: false,
            }],
            ..Package::default()
        };
        check(&Tree {
            packages: vec![package],
            ..Tree::default()
        })
        .len()
    }

    #[test]
    fn only_the_seam_names_the_backend() {
        assert_eq!(found("crates/base/crypto", Kind::Normal), 0);
        assert_eq!(found("crates/base/identity", Kind::Normal), 1);
        assert_eq!(found("crates/security/noise", Kind::Dev), 1);
    }
}
