//! The programs: where they lie, and how they are built.

use std::{ffi::OsStr, path::PathBuf, process::Command};

use super::{BenchError, rows::Subject};
use crate::workspace;

/// Where reports and logs go.
pub(crate) fn folder() -> PathBuf {
    target().join("bench")
}

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace::root().join(target)
}

/// The program of a subject.
pub(crate) fn of(subject: Subject) -> PathBuf {
    let cache = workspace::root().join("benches/.cache");
    match subject {
        Subject::Sinew | Subject::Plain => target().join("release/sinew-bench-node"),
        Subject::Rust => cache.join("rust/release/bench-peer-rust"),
        Subject::Go => cache.join("go/bench-peer-go"),
    }
}

/// The program that carries packets between two networks.
pub(crate) fn link() -> PathBuf {
    target().join("release/sinew-bench-link")
}

/// The command that builds a subject's program, run in the workspace's root.
fn command(subject: Subject) -> (&'static str, &'static [&'static str]) {
    match subject {
        Subject::Sinew | Subject::Plain => {
            ("cargo", &["build", "--release", "--package", "sinew-bench-node"])
        }
        Subject::Rust => (
            "cargo",
            &[
                "build",
                "--release",
                "--locked",
                "--manifest-path",
                "benches/peers/rust/Cargo.toml",
                "--target-dir",
                "benches/.cache/rust",
            ],
        ),
        Subject::Go => (
            "go",
            &[
                "build",
                "-C",
                "benches/peers/go",
                "-trimpath",
                "-o",
                "../../.cache/go/bench-peer-go",
                ".",
            ],
        ),
    }
}

/// Builds the programs of the subjects, one after the other.
pub(crate) fn build(subjects: &[Subject]) -> Result<(), BenchError> {
    let subjects = subjects.iter().filter(|subject| **subject != Subject::Plain);
    subjects.map(|subject| command(*subject)).try_for_each(run)
}

/// Builds the one that carries packets.
pub(crate) fn build_link() -> Result<(), BenchError> {
    run(("cargo", &["build", "--release", "--package", "sinew-bench-link"]))
}

fn run((program, args): (&'static str, &[&str])) -> Result<(), BenchError> {
    let mut command = Command::new(program);
    // `cargo run` tells of its own package: build scripts that look at this would run again, and much be built anew.
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| is_of_this_package(name)).for_each(|name| {
        command.env_remove(name);
    });
    let status = command.args(args).current_dir(workspace::root()).status();
    let status = status.map_err(|source| BenchError::Start { program, source })?;
    if status.success() {
        Ok(())
    } else {
        Err(BenchError::Build(format!("{program} {}", args.join(" "))))
    }
}

fn is_of_this_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}
