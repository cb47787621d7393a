//! Rule `dependency`: `docs/dependencies.md` lists exactly the third-party crates of our manifests, each with a reason.
//!
//! An entry is a line of the form ``- `name`: why``.

use std::collections::BTreeMap;

use super::{
    finding::Finding,
    tree::{Package, Tree},
};

/// Checks both directions.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let listed = entries(&tree.dependencies.text);
    let used = used(tree);
    let mut findings = Vec::new();
    for (name, package) in &used {
        if !listed.contains_key(name) {
            let problem = format!("`{name}` is not in {}", tree.dependencies.path);
            findings.push(finding(
                package.path(),
                package.line_of(name),
                problem,
                "add a line: - `name`: why",
            ));
        }
    }
    for (name, entry) in &listed {
        let place = (tree.dependencies.path.clone(), entry.line);
        if !used.contains_key(name) {
            findings.push(finding(
                place.0,
                place.1,
                format!("no manifest names `{name}`"),
                "remove the line",
            ));
        } else if entry.repeated || entry.reason.is_empty() {
            let remedy = "one line a crate, with the reason that it is there";
            findings.push(finding(
                place.0,
                place.1,
                format!("`{name}` is listed twice or without a reason"),
                remedy,
            ));
        }
    }
    findings
}

/// A line of the list.
struct Entry<'a> {
    line: usize,
    reason: &'a str,
    repeated: bool,
}

fn entries(text: &str) -> BTreeMap<&str, Entry<'_>> {
    let mut entries: BTreeMap<&str, Entry<'_>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let Some((name, reason)) = line.strip_prefix("- `").and_then(|rest| rest.split_once('`')) else {
            continue;
        };
        let reason = reason.trim_start_matches(':').trim();
        let repeated = entries.contains_key(name);
        let entry = Entry {
            line: index + 1,
            reason,
            repeated,
        };
        entries.insert(name, entry);
    }
    entries
}

/// Every third-party crate, with the first package that names it.
fn used(tree: &Tree) -> BTreeMap<&str, &Package> {
    let mut used = BTreeMap::new();
    for package in &tree.packages {
        for edge in package.dependencies.iter().filter(|edge| edge.member.is_none()) {
            used.entry(edge.name.as_str()).or_insert(package);
        }
    }
    used
}

fn finding(file: String, line: usize, problem: String, remedy: &'static str) -> Finding {
    Finding {
        file,
        line,
        rule: "dependency",
        problem,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::{Dependency, Document, Kind};

    fn problems(list: &str) -> Vec<String> {
        let edge = |name: &str, member: Option<&str>| Dependency {
            name: name.into(),
            kind: Kind::Dev,
            member: member.map(Into::into),
            features: Vec::new(),
            optional: false,
        };
        let tree = Tree {
            packages: vec![Package {
                folder: "crates/core".into(),
                manifest: "[dependencies]\nbytes.workspace = true\n".into(),
                dependencies: vec![edge("bytes", None), edge("sinew-wire", Some("crates/base/wire"))],
                ..Package::default()
            }],
            dependencies: Document {
                path: "docs/dependencies.md".into(),
                text: list.into(),
            },
            ..Tree::default()
        };
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_exact_list_passes() {
        assert_eq!(
            problems("# List\n\n- `bytes`: shared slices of buffers\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_crate_that_is_not_listed_is_found_in_its_manifest() {
        let found = problems("");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/core/Cargo.toml:2: "), "{}", found[0]);
    }

    #[test]
    fn a_line_without_a_crate_a_reason_or_a_second_one_is_found() {
        let unused = problems("- `bytes`: slices\n- `left-pad`: padding\n");
        assert!(unused.len() == 1 && unused[0].starts_with("docs/dependencies.md:2: "));
        assert_eq!(problems("- `bytes`:\n").len(), 1);
        assert_eq!(problems("- `bytes`: slices\n- `bytes`: slices\n").len(), 1);
    }
}
