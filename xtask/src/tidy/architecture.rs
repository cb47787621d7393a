//! Rule `architecture`: `docs/architecture.md` speaks of every crate.

use super::{finding::Finding, tree::Tree};

/// Checks that every package is named, in backticks.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let page = &tree.architecture;
    let absent = tree
        .packages
        .iter()
        .filter(|package| !page.text.contains(&format!("`{}`", package.name)));
    absent
        .map(|package| Finding {
            file: page.path.clone(),
            line: 1,
            rule: "architecture",
            problem: format!("says nothing of `{}` ({})", package.name, package.folder),
            remedy: "write what the crate knows and what it must never know",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::{Document, Package};

    #[test]
    fn every_crate_is_on_the_page() {
        let tree = Tree {
            packages: ["sinew-core", "sinew-wire"]
                .map(|name| Package {
                    name: name.into(),
                    ..Package::default()
                })
                .into(),
            architecture: Document {
                path: "docs/architecture.md".into(),
                text: "| `sinew-core` | interfaces | sockets |".into(),
            },
            ..Tree::default()
        };
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].problem.contains("sinew-wire"));
    }
}
