//! The stages of `cargo xtask test`, in the order in which they run: the quick ones first.

use crate::workspace::{self, Member};

/// Crates whose pure half has to build alone.
const PROTOCOLS: [&str; 5] = ["protocols", "pubsub", "routing", "discovery", "nat"];

/// Commands that are timed together.
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) commands: Vec<Vec<String>>,
    pub(super) environment: Vec<(&'static str, &'static str)>,
}

/// Every stage; those of CI last.
pub(super) fn all(members: &[Member], ci: bool) -> Vec<Stage> {
    let mut stages = vec![
        stage("fmt", ["cargo fmt --all -- --check"]),
        stage("tidy", ["cargo xtask tidy"]),
        stage("codegen", ["cargo xtask codegen --check"]),
        stage(
            "clippy",
            ["cargo clippy --locked --workspace --all-targets -- -D warnings"],
        ),
        stage("test", ["cargo test --locked --workspace --no-fail-fast"]),
        Stage {
            environment: vec![("RUSTDOCFLAGS", "-D warnings")],
            ..stage("doc", ["cargo doc --locked --workspace --no-deps"])
        },
        stage("machines alone", pure_halves(members)),
        stage("features alone", facade_features(members)),
    ];
    if ci {
        stages.push(stage("oldest compiler", oldest_compiler()));
        stages.push(stage("demo", ["cargo run --locked --release -- demo"]));
        stages.push(stage(
            "real peers",
            ["cargo xtask interop run --require go,rust,js,py"],
        ));
    }
    stages
}

fn stage<S: AsRef<str>>(name: &str, commands: impl IntoIterator<Item = S>) -> Stage {
    let split = |command: S| command.as_ref().split(' ').map(str::to_owned).collect();
    Stage {
        name: name.to_owned(),
        commands: commands.into_iter().map(split).collect(),
        environment: Vec::new(),
    }
}

/// Everything but the tests, by the compiler that the manifest promises to be enough.
fn oldest_compiler() -> [String; 2] {
    let version = env!("CARGO_PKG_RUST_VERSION");
    [
        format!("rustup toolchain install {version} --profile minimal --no-self-update"),
        format!("rustup run {version} cargo check --locked --quiet --workspace --target-dir target/oldest"),
    ]
}

/// Each protocol crate without its asynchronous half.
fn pure_halves(members: &[Member]) -> Vec<String> {
    let root = workspace::root();
    let is_protocol = |member: &&Member| {
        let path = workspace::relative(&root, &member.manifest_path);
        PROTOCOLS
            .iter()
            .any(|layer| path.starts_with(&format!("crates/{layer}/")))
    };
    let protocols = members.iter().filter(is_protocol);
    protocols.map(|member| lint(&member.name, "")).collect()
}

/// The facade with no feature, and with each feature alone.
fn facade_features(members: &[Member]) -> Vec<String> {
    let facade = members.iter().filter(|member| member.name == "sinew");
    let features = facade.flat_map(|member| member.features.keys());
    let alone = features
        .filter(|name| *name != "default")
        .map(|name| lint("sinew", name));
    [lint("sinew", "")].into_iter().chain(alone).collect()
}

fn lint(package: &str, feature: &str) -> String {
    let features = if feature.is_empty() {
        String::new()
    } else {
        format!(" --features {feature}")
    };
    format!(
        "cargo clippy --locked --package {package} --no-deps --no-default-features{features} -- -D warnings"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, folder: &str, features: &[&str]) -> Member {
        Member {
            name: name.into(),
            manifest_path: workspace::root().join(folder).join("Cargo.toml"),
            dependencies: Vec::new(),
            features: features
                .iter()
                .map(|name| ((*name).to_owned(), Vec::new()))
                .collect(),
        }
    }

    #[test]
    fn each_protocol_and_each_feature_is_built_alone() {
        let members = [
            member("sinew-ping", "crates/protocols/ping", &["default", "service"]),
            member("sinew-kad", "crates/routing/kad", &[]),
            member("sinew-tcp", "crates/transports/tcp", &[]),
            member("sinew", "crates/sinew", &["default", "tcp"]),
        ];
        let commands = |name: &str| {
            let stages = all(&members, false).into_iter();
            let of_name = stages.filter(|stage| stage.name == name);
            of_name
                .flat_map(|stage| stage.commands)
                .map(|words| words.join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            commands("machines alone"),
            [lint("sinew-ping", ""), lint("sinew-kad", "")]
        );
        assert_eq!(
            commands("features alone"),
            [lint("sinew", ""), lint("sinew", "tcp")]
        );
    }

    #[test]
    fn only_ci_talks_to_other_implementations() {
        let named = |ci| all(&[], ci).iter().any(|stage| stage.name == "real peers");
        assert!(named(true) && !named(false));
    }
}
