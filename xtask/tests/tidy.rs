//! `cargo xtask tidy` on a tiny workspace of its own: it passes, and each forbidden thing makes it fail.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const MACHINE: &str = "crates/muxers/yamux/src/machine.rs";

/// A workspace of three crates that keeps every rule.
fn tiny() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    let members = "crates/base/wire\", \"crates/core\", \"crates/muxers/yamux";
    write(
        root.path(),
        "Cargo.toml",
        &format!("[workspace]\nresolver = \"3\"\nmembers = [\"{members}\"]\n"),
    );
    package(root.path(), "crates/base/wire", "tiny-wire", "");
    package(
        root.path(),
        "crates/core",
        "tiny-core",
        "tiny-wire = { path = \"../base/wire\" }\n",
    );
    package(
        root.path(),
        "crates/muxers/yamux",
        "tiny-yamux",
        "tiny-core = { path = \"../../core\" }\n",
    );
    write(
        root.path(),
        "crates/muxers/yamux/src/lib.rs",
        "//! A muxer.\n\nmod machine;\n",
    );
    write(root.path(), MACHINE, "//! The muxer's machine.\n");
    write(
        root.path(),
        "docs/architecture.md",
        "`tiny-wire`, `tiny-core` and `tiny-yamux`.\n",
    );
    write(root.path(), "docs/dependencies.md", "None.\n");
    root
}

fn package(root: &Path, folder: &str, name: &str, dependencies: &str) {
    let head = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    write(
        root,
        &format!("{folder}/Cargo.toml"),
        &format!("{head}\n[dependencies]\n{dependencies}"),
    );
    write(root, &format!("{folder}/src/lib.rs"), "//! A crate.\n");
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(path, text).expect("written");
}

fn tidy(root: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("tidy")
        .arg("--root")
        .arg(root)
        .output()
        .expect("tidy runs")
}

/// Runs tidy, which must fail with one finding that begins so.
fn fails_with(root: &Path, begin: &str) {
    let output = tidy(root);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with(begin)),
        "{begin:?} is not in:\n{text}"
    );
    assert!(text.contains("error: 1 finding(s)"), "{text}");
}

#[test]
fn a_tidy_tree_passes() {
    let root = tiny();
    let output = tidy(root.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_forbidden_edge_fails() {
    let root = tiny();
    let edge = "tiny-yamux = { path = \"../muxers/yamux\" }\n";
    package(root.path(), "crates/core", "tiny-core", edge);
    package(root.path(), "crates/muxers/yamux", "tiny-yamux", "");
    fails_with(root.path(), "crates/core/Cargo.toml:7: [layer]");
}

#[test]
fn a_clock_in_a_machine_fails() {
    let root = tiny();
    let text = "//! The muxer's machine.\n\nfn late() -> bool {\n    std::time::Instant::now().elapsed().is_zero()\n}\n";
    write(root.path(), MACHINE, text);
    fails_with(
        root.path(),
        &format!("{MACHINE}:4: [pure] `std::time::Instant::now` is a clock; "),
    );
}

#[test]
fn an_unlisted_dependency_fails() {
    let root = tiny();
    package(root.path(), "crates/base/wire", "tiny-wire", "bytes = \"1\"\n");
    fails_with(root.path(), "crates/base/wire/Cargo.toml:7: [dependency]");
}

#[test]
fn a_file_without_a_head_fails() {
    let root = tiny();
    write(root.path(), MACHINE, "fn f() {}\n");
    fails_with(root.path(), &format!("{MACHINE}:1: [form]"));
}

#[test]
fn a_crate_that_the_page_forgets_fails() {
    let root = tiny();
    write(
        root.path(),
        "docs/architecture.md",
        "`tiny-wire` and `tiny-core`.\n",
    );
    fails_with(root.path(), "docs/architecture.md:1: [architecture]");
}
