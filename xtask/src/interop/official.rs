//! The files with which Sinew joins the official suites: an image for each, or a rule that makes its program, and its entry in
//! their lists.

use std::{path::Path, process::Command};

use super::{InteropError, peers::Peer, results::store};

/// Where the sources are that the images are built of.
const REPOSITORY: &str = "https://github.com/sinew-rs/sinew";

/// The suites with images whose contracts `interop-node` meets.
const SUITES: [&str; 2] = ["transport", "perf"];

/// Writes them below this folder, where they lie in the repository of the official suites; the entries have to be added
/// to the lists there.
pub(super) fn write(ours: &Peer, root: &Path, folder: &Path) -> Result<(), InteropError> {
    let commit = commit(root)?;
    for suite in SUITES {
        let image = format!("{suite}/images/sinew/{}", tag());
        store(
            &folder.join(image).join("Dockerfile"),
            &dockerfile(suite, &commit),
        )?;
        store(&folder.join(suite).join("images.yaml"), &entry(ours))?;
    }
    let gossipsub = folder.join("gossipsub-interop");
    store(&gossipsub.join("Makefile"), &makefile(&commit))?;
    store(&gossipsub.join("experiment.py"), IMPLEMENTATION)
}

/// The entry among the implementations that the gossipsub suite knows.
const IMPLEMENTATION: &str = "    # Written by `cargo xtask interop official-files`, for IMPLEMENTATIONS.\n    \
                              \"sinew\": \"sinew/gossipsub-bin\",\n";

/// The rule that makes the program of the gossipsub suite, which has no images.
fn makefile(commit: &str) -> String {
    format!(
        "# Written by `cargo xtask interop official-files`.\n\
         SINEW_COMMIT = {commit}\n\
         sinew/gossipsub-bin:\n\
         \t@if [ ! -d sinew-src ]; then git clone {REPOSITORY} sinew-src; fi\n\
         \tcd sinew-src && git checkout $(SINEW_COMMIT)\n\
         \tcd sinew-src && cargo build --locked --release --package sinew-interop-node\n\
         \t@mkdir -p sinew\n\
         \tcp sinew-src/target/release/interop-node $@\n\
         \n\
         binaries: sinew/gossipsub-bin\n"
    )
}

fn tag() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let minor = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
    format!("v{minor}")
}

/// What the images are built of: what is checked out.
fn commit(root: &Path) -> Result<String, InteropError> {
    let asked = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(root)
        .output();
    let told = asked.ok().filter(|asked| asked.status.success());
    let commit = told.map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned());
    commit.ok_or(InteropError::NoCommit)
}

fn dockerfile(suite: &str, commit: &str) -> String {
    format!(
        "# Sinew in the {suite} suite. Written by `cargo xtask interop official-files`.\n\
         FROM rust:1-trixie AS builder\n\
         RUN git clone {REPOSITORY} /sinew && git -C /sinew checkout {commit}\n\
         WORKDIR /sinew\n\
         RUN cargo build --locked --release --package sinew-interop-node\n\
         \n\
         FROM debian:trixie-slim\n\
         COPY --from=builder /sinew/target/release/interop-node /usr/local/bin/interop-node\n\
         ENTRYPOINT [\"/usr/local/bin/interop-node\", \"{suite}\"]\n"
    )
}

/// The same for both suites: the path is seen from each suite's own folder.
fn entry(ours: &Peer) -> String {
    let tag = tag();
    format!(
        "  # Written by `cargo xtask interop official-files`.\n  \
         - id: sinew-{tag}\n    \
         source:\n      \
         type: local\n      \
         path: images/sinew/{tag}\n      \
         dockerfile: Dockerfile\n    \
         transports: [{}]\n    \
         secureChannels: [{}]\n    \
         muxers: [{}]\n",
        ours.transports.join(", "),
        ours.security.join(", "),
        ours.muxers.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        interop::peers::{Places, load},
        workspace,
    };

    #[test]
    fn every_suite_has_an_image_and_an_entry() {
        let folder = tempfile::tempdir().unwrap();
        let peers = load(&Places::new(workspace::root())).unwrap();
        write(peers.ours().unwrap(), &workspace::root(), folder.path()).unwrap();
        for suite in SUITES {
            let read = |path: &str| std::fs::read_to_string(folder.path().join(suite).join(path)).unwrap();
            let image = read("images/sinew/v0.1/Dockerfile");
            assert!(
                image.ends_with(&format!(
                    "ENTRYPOINT [\"/usr/local/bin/interop-node\", \"{suite}\"]\n"
                )),
                "{image}"
            );
            let entry = read("images.yaml");
            assert!(
                entry.contains("  - id: sinew-v0.1\n    source:\n      type: local\n"),
                "{entry}"
            );
            assert!(
                entry.contains("    transports: [tcp, ws, wss, quic-v1]\n    secureChannels: [noise, tls]\n"),
                "{entry}"
            );
        }
        let read =
            |path: &str| std::fs::read_to_string(folder.path().join("gossipsub-interop").join(path)).unwrap();
        let (rule, entry) = (read("Makefile"), read("experiment.py"));
        assert!(rule.contains("\nsinew/gossipsub-bin:\n\t@if "), "{rule}");
        assert!(
            entry.ends_with("\n    \"sinew\": \"sinew/gossipsub-bin\",\n"),
            "{entry}"
        );
    }
}
