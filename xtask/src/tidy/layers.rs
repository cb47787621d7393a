//! Rule `layer`: where a crate lies says what it may depend on (the table in `docs/architecture.md`).

use super::{
    finding::Finding,
    tree::{Dependency, Kind, Package, Tree},
};

const RULE: &str = "layer";

/// Crates of asynchronous plumbing, which the pure layer knows nothing of.
pub(super) const ASYNC: [&str; 4] = ["tokio", "tokio-util", "futures-util", "async-trait"];

/// What a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer<'a> {
    Base,
    Core,
    Runtime,
    Multistream,
    Dns,
    Peerstore,
    Metrics,
    Transport(&'a str),
    Security(&'a str),
    Muxer(&'a str),
    Protocol(&'a str),
    Host,
    Facade,
    Conformance,
    /// What programs on several libraries measure: it knows none of ours.
    Measuring,
    /// Programs: they use anything and nothing uses them.
    Top,
}

/// Checks every normal and build edge between members, and asynchronous crates below the runtime.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.packages.iter().flat_map(package).collect()
}

fn package(package: &Package) -> Vec<Finding> {
    let Some(from) = layer(&package.folder) else {
        return vec![finding(
            package,
            1,
            format!("`{}` is in no layer's folder", package.folder),
            "move the crate, or give the folder a layer in xtask/src/tidy/layers.rs",
        )];
    };
    let edges = package.dependencies.iter().filter(|edge| edge.kind != Kind::Dev);
    edges
        .filter_map(|edge| edge_finding(package, from, edge))
        .collect()
}

fn edge_finding(package: &Package, from: Layer<'_>, edge: &Dependency) -> Option<Finding> {
    let line = package.line_of(&edge.name);
    let Some(folder) = &edge.member else {
        return foreign(package, from, edge, line);
    };
    if layer(folder).is_some_and(|to| may_use(from, to)) {
        return None;
    }
    Some(finding(
        package,
        line,
        format!("`{}` may not depend on `{folder}`", package.folder),
        "turn the edge around, meet in the facade, or put what both need into a lower layer",
    ))
}

/// The base knows nothing asynchronous; the core knows tokio's traits and cells, never its runtime.
fn foreign(package: &Package, from: Layer<'_>, edge: &Dependency, line: usize) -> Option<Finding> {
    let name = edge.name.as_str();
    let problem = match from {
        Layer::Base if ASYNC.contains(&name) => format!("a base crate may not depend on `{name}`"),
        Layer::Core if name == "tokio" && edge.features.iter().any(|feature| feature != "sync") => {
            format!(
                "the core may use no feature of tokio but `sync`, not {:?}",
                edge.features
            )
        }
        _ => return None,
    };
    let remedy = "what waits, spawns or tells the time belongs into a layer above";
    Some(finding(package, line, problem, remedy))
}

fn finding(package: &Package, line: usize, problem: String, remedy: &'static str) -> Finding {
    Finding {
        file: package.path(),
        line,
        rule: RULE,
        problem,
        remedy,
    }
}

fn layer(folder: &str) -> Option<Layer<'_>> {
    let parts: Vec<&str> = folder.split('/').collect();
    Some(match parts.as_slice() {
        ["crates", "base", _] => Layer::Base,
        ["crates", "core"] => Layer::Core,
        ["crates", "runtime"] => Layer::Runtime,
        ["crates", "multistream"] => Layer::Multistream,
        ["crates", "dns"] => Layer::Dns,
        ["crates", "peerstore"] => Layer::Peerstore,
        ["crates", "metrics"] => Layer::Metrics,
        ["crates", "transports", name] => Layer::Transport(name),
        ["crates", "security", name] => Layer::Security(name),
        ["crates", "muxers", name] => Layer::Muxer(name),
        [
            "crates",
            "protocols" | "pubsub" | "routing" | "discovery" | "nat",
            name,
        ] => Layer::Protocol(name),
        ["crates", "host"] => Layer::Host,
        ["crates", "sinew"] => Layer::Facade,
        ["crates", "conformance"] => Layer::Conformance,
        ["benches", "cases"] => Layer::Measuring,
        ["crates", "cli"] => Layer::Top,
        [
            "attack" | "sim" | "interop" | "benches" | "fuzz" | "examples" | "xtask",
            ..,
        ] => Layer::Top,
        _ => return None,
    })
}

fn may_use(from: Layer<'_>, to: Layer<'_>) -> bool {
    use Layer::{
        Base, Conformance, Core, Dns, Facade, Host, Measuring, Metrics, Multistream, Muxer, Peerstore,
        Protocol, Runtime, Security, Top, Transport,
    };
    let below = matches!(to, Base | Core | Runtime);
    match from {
        Base | Core => to == Base,
        Runtime => matches!(to, Base | Core),
        Multistream | Dns | Peerstore | Metrics | Security(_) | Conformance => below,
        Muxer(name) => below || (name != "session" && to == Muxer("session")),
        Transport(name) => below || transport_may_use(name, to),
        Protocol(name) => below || (name == "gossipsub" && to == Protocol("floodsub")),
        Host => below || matches!(to, Multistream | Peerstore),
        Facade => !matches!(to, Facade | Conformance | Measuring | Top),
        Measuring => false,
        Top => !matches!(to, Conformance | Top),
    }
}

/// Edges between siblings that the specifications ask for.
fn transport_may_use(name: &str, to: Layer<'_>) -> bool {
    match name {
        "socket" => false,
        _ if to == Layer::Transport("socket") => true,
        "quic" => to == Layer::Security("tls"),
        "webtransport" => matches!(to, Layer::Transport("quic") | Layer::Security("noise")),
        "webrtc" => to == Layer::Security("noise"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(folder: &str, kind: Kind, to: &str) -> Tree {
        let name = to.rsplit('/').next().unwrap_or(to).to_owned();
        let package = Package {
            folder: folder.to_owned(),
            manifest: format!("[dependencies]\n{name}.workspace = true\n"),
            dependencies: vec![Dependency {
                name,
                kind,
                member: to.contains('/').then(|| to.to_owned()),
                features: Vec::new(),
                optional: false,
            }],
            ..Package::default()
        };
        Tree {
            packages: vec![package],
            ..Tree::default()
        }
    }

    fn allowed(from: &str, to: &str) -> bool {
        check(&tree(from, Kind::Normal, to)).is_empty()
    }

    #[test]
    fn edges_that_the_table_allows() {
        let edges = [
            ("crates/base/identity", "crates/base/wire"),
            ("crates/core", "crates/base/machine"),
            ("crates/runtime", "crates/core"),
            ("crates/multistream", "crates/runtime"),
            ("crates/dns", "crates/runtime"),
            ("crates/transports/tcp", "crates/transports/socket"),
            ("crates/transports/quic", "crates/security/tls"),
            ("crates/transports/webtransport", "crates/transports/quic"),
            ("crates/muxers/yamux", "crates/muxers/session"),
            ("crates/pubsub/gossipsub", "crates/pubsub/floodsub"),
            ("crates/host", "crates/multistream"),
            ("benches/node", "benches/cases"),
            ("crates/sinew", "crates/host"),
            ("examples", "crates/sinew"),
        ];
        for (from, to) in edges {
            assert!(allowed(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn edges_that_it_forbids() {
        let edges = [
            ("crates/base/wire", "crates/core"),
            ("crates/core", "crates/runtime"),
            ("crates/runtime", "crates/host"),
            ("crates/transports/tcp", "crates/security/tls"),
            ("crates/transports/tcp", "crates/transports/memory"),
            ("crates/transports/socket", "crates/transports/tcp"),
            ("crates/protocols/ping", "crates/host"),
            ("crates/protocols/ping", "crates/protocols/identify"),
            ("crates/host", "crates/transports/tcp"),
            ("crates/sinew", "crates/cli"),
            ("crates/muxers/yamux", "crates/muxers/mplex"),
            ("crates/muxers/session", "crates/muxers/yamux"),
            ("crates/muxers/yamux", "crates/conformance"),
            ("crates/sinew", "crates/conformance"),
            ("crates/host", "crates/nowhere/else"),
        ];
        for (from, to) in edges {
            assert!(!allowed(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn a_finding_names_the_line_of_the_edge() {
        let findings = check(&tree("crates/core", Kind::Build, "crates/runtime"));
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].file.as_str(), findings[0].line),
            ("crates/core/Cargo.toml", 2)
        );
    }

    #[test]
    fn tests_may_use_anything() {
        assert!(check(&tree("crates/muxers/yamux", Kind::Dev, "crates/conformance")).is_empty());
    }

    #[test]
    fn a_crate_outside_every_layer_is_found() {
        assert!(!allowed("crates/misc/thing", "crates/base/wire"));
    }

    #[test]
    fn the_base_stays_free_of_tokio() {
        assert!(!allowed("crates/base/wire", "tokio"));
        assert!(allowed("crates/core", "tokio"));
        let mut core = tree("crates/core", Kind::Normal, "tokio");
        core.packages[0].dependencies[0].features = vec!["sync".into()];
        assert!(check(&core).is_empty());
        core.packages[0].dependencies[0].features.push("rt".into());
        assert_eq!(check(&core).len(), 1);
    }
}
