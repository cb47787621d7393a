//! Builds the programs, and lets them take turns.

use std::{collections::BTreeMap, error::Error, ffi::OsStr, fs, path::PathBuf, process::Command};

use super::{
    BenchError,
    figures::{Sample, Summary},
    machine,
    pair::{self, Ready},
    report::{Cell, Line, Report},
    rows::{Row, Subject},
};
use crate::workspace;

/// How the comparison is made.
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    /// Beside whom; all if empty.
    pub(crate) peers: Vec<Subject>,
}

impl Settings {
    /// Who takes part, in their order.
    fn subjects(&self) -> Vec<Subject> {
        let all = [Subject::Sinew, Subject::Rust, Subject::Go, Subject::Plain];
        let chosen = |subject: &Subject| {
            *subject == Subject::Sinew || self.peers.is_empty() || self.peers.contains(subject)
        };
        all.into_iter().filter(chosen).collect()
    }
}

/// Where reports and logs go.
pub(crate) fn folder() -> PathBuf {
    target().join("bench")
}

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace::root().join(target)
}

/// The program of a subject.
pub(crate) fn program(subject: Subject) -> PathBuf {
    let cache = workspace::root().join("benches/.cache");
    match subject {
        Subject::Sinew | Subject::Plain => target().join("release/sinew-bench-node"),
        Subject::Rust => cache.join("rust/release/bench-peer-rust"),
        Subject::Go => cache.join("go/bench-peer-go"),
    }
}

/// The command that builds it, run in the workspace's root.
fn build_command(subject: Subject) -> (&'static str, &'static [&'static str]) {
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

/// Builds every program that takes part, one after the other.
pub(crate) fn build(settings: &Settings) -> Result<(), BenchError> {
    for subject in settings
        .subjects()
        .into_iter()
        .filter(|subject| *subject != Subject::Plain)
    {
        let (program, args) = build_command(subject);
        let mut command = Command::new(program);
        // `cargo run` tells of its own package: build scripts that look at this would run again, and much be built anew.
        let names = std::env::vars_os().map(|(name, _)| name);
        names.filter(|name| is_of_this_package(name)).for_each(|name| {
            command.env_remove(name);
        });
        let status = command.args(args).current_dir(workspace::root()).status();
        let status = status.map_err(|source| BenchError::Start { program, source })?;
        if !status.success() {
            return Err(BenchError::Build(subject));
        }
    }
    Ok(())
}

fn is_of_this_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Runs every row: in each round, everybody once.
pub(crate) fn run(rows: &[Row], settings: &Settings) -> Result<Report, BenchError> {
    let path = folder();
    let file = |source| BenchError::File {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(&path).map_err(file)?;
    pair::raise_descriptors().map_err(file)?;
    let (mut lines, mut versions) = (Vec::new(), BTreeMap::new());
    for (number, row) in rows.iter().enumerate() {
        eprintln!(
            "[{}/{}] {} {}",
            number + 1,
            rows.len(),
            row.case_name(),
            row.stack
        );
        lines.push(take_turns(row, settings, &mut versions));
    }
    Ok(Report {
        machine: machine::describe(),
        versions,
        rounds: settings.rounds,
        seconds: settings.seconds,
        lines,
    })
}

type Versions = BTreeMap<Subject, String>;

fn take_turns(row: &Row, settings: &Settings, versions: &mut Versions) -> Line {
    let subjects = settings.subjects().into_iter();
    let subjects: Vec<_> = subjects
        .filter(|subject| *subject != Subject::Plain || row.plain_stack().is_some())
        .collect();
    let mut samples: BTreeMap<Subject, Vec<Sample>> = BTreeMap::new();
    let mut failed: BTreeMap<Subject, String> = BTreeMap::new();
    for _ in 0..settings.rounds {
        for &subject in &subjects {
            match pair::run_once(row, subject, settings.seconds, &logs(row, subject)) {
                Ok((ready, sample)) => {
                    samples.entry(subject).or_default().push(sample);
                    note(versions, subject, &ready);
                }
                Err(error) => {
                    let reason = chain(&error);
                    eprintln!("  {subject}: {reason}");
                    failed.insert(subject, reason);
                }
            }
        }
    }
    let summaries = samples
        .into_iter()
        .filter_map(|(subject, samples)| Some((subject, Summary::of(samples)?)));
    let mut cells: BTreeMap<Subject, Cell> = summaries
        .map(|(subject, summary)| (subject, Cell::Measured(summary)))
        .collect();
    // A run that failed is no result, however the others went.
    cells.extend(
        failed
            .into_iter()
            .map(|(subject, reason)| (subject, Cell::Failed(reason))),
    );
    Line::new(row, cells)
}

/// What each subject is made of; the limits are two.
fn note(versions: &mut Versions, subject: Subject, ready: &Ready) {
    let name = format!("{} {}", ready.library, ready.version);
    let known = versions.entry(subject).or_default();
    if !known.contains(&name) {
        let between = if known.is_empty() { "" } else { ", " };
        *known = format!("{known}{between}{name}");
    }
}

fn logs(row: &Row, subject: Subject) -> PathBuf {
    let name = format!("{} {} {subject}", row.case_name(), row.stack.replace('/', "-"));
    folder().join("logs").join(name)
}

/// An error with everything that caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
