//! Rule `half`: a protocol crate with a machine builds without its asynchronous half, on the base alone.
//!
//! What the service needs is optional, behind a feature; `cargo xtask test` then builds the crate without it.

use super::{
    finding::Finding,
    layers::ASYNC,
    source::Source,
    tree::{Dependency, Kind, Package, Tree},
};

/// Where protocols lie.
const PROTOCOLS: [&str; 5] = ["protocols", "pubsub", "routing", "discovery", "nat"];

/// Checks every protocol crate that holds a machine.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let protocols = tree
        .packages
        .iter()
        .filter(|package| is_protocol(&package.folder));
    let machines = protocols.filter(|package| tree.sources.iter().any(|source| is_machine(package, source)));
    machines.flat_map(package).collect()
}

fn is_protocol(folder: &str) -> bool {
    let layer = folder
        .strip_prefix("crates/")
        .and_then(|rest| rest.split_once('/'));
    layer.is_some_and(|(layer, _)| PROTOCOLS.contains(&layer))
}

fn is_machine(package: &Package, source: &Source) -> bool {
    let inside = source.path.strip_prefix(&package.folder);
    inside.is_some_and(|path| path == "/src/machine.rs" || path.starts_with("/src/machine/"))
}

fn package(package: &Package) -> impl Iterator<Item = Finding> {
    let always = package
        .dependencies
        .iter()
        .filter(|edge| edge.kind == Kind::Normal && !edge.optional);
    always.filter(|edge| is_above(edge)).map(|edge| Finding {
        file: package.path(),
        line: package.line_of(&edge.name),
        rule: "half",
        problem: format!(
            "the machine of `{}` cannot be built without `{}`",
            package.folder, edge.name
        ),
        remedy: "make the dependency optional, behind the feature `service`",
    })
}

fn is_above(edge: &Dependency) -> bool {
    match &edge.member {
        // Pure as well without its service: gossipsub has the same wire, and a machine of the same parts.
        Some(folder) => !folder.starts_with("crates/base/") && folder != "crates/pubsub/floodsub",
        None => ASYNC.contains(&edge.name.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &str, source: &str, edge: (&str, Option<&str>, bool)) -> usize {
        let (name, member, optional) = edge;
        let dependency = Dependency {
            name: name.into(),
            kind: Kind::Normal,
            member: member.map(Into::into),
            features: Vec::new(),
            optional,
        };
        let tree = Tree {
            packages: vec![Package {
                folder: folder.into(),
                dependencies: vec![dependency],
                ..Package::default()
            }],
            sources: vec![Source::parse(source.into(), String::new()).unwrap()],
            ..Tree::default()
        };
        check(&tree).len()
    }

    const KAD: &str = "crates/routing/kad";
    const MACHINE: &str = "crates/routing/kad/src/machine/query.rs";
    const MACHINE_OF_GOSSIPSUB: &str = "crates/pubsub/gossipsub/src/machine.rs";

    #[test]
    fn a_machine_stands_on_the_base_alone() {
        assert_eq!(found(KAD, MACHINE, ("sinew-core", Some("crates/core"), false)), 1);
        assert_eq!(found(KAD, MACHINE, ("tokio", None, false)), 1);
        assert_eq!(found(KAD, MACHINE, ("sinew-core", Some("crates/core"), true)), 0);
        assert_eq!(
            found(KAD, MACHINE, ("sinew-wire", Some("crates/base/wire"), false)),
            0
        );
        assert_eq!(found(KAD, MACHINE, ("bytes", None, false)), 0);
        let floodsub = ("sinew-floodsub", Some("crates/pubsub/floodsub"), false);
        assert_eq!(
            found("crates/pubsub/gossipsub", MACHINE_OF_GOSSIPSUB, floodsub),
            0
        );
    }

    #[test]
    fn only_protocols_with_a_machine_have_halves() {
        let edge = ("sinew-core", Some("crates/core"), false);
        assert_eq!(
            found("crates/protocols/ping", "crates/protocols/ping/src/lib.rs", edge),
            0
        );
        assert_eq!(
            found("crates/muxers/yamux", "crates/muxers/yamux/src/machine.rs", edge),
            0
        );
    }
}
