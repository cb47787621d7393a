//! `cargo xtask fuzz`: builds the fuzzer and gives each target some processor time.
//!
//! libFuzzer comes from the crate `libfuzzer-sys` and works on stable with the compiler's coverage flags passed by hand;
//! address sanitizer needs nightly and would find nothing in code without `unsafe`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::workspace;
use rustix::process::Pid;

mod stopwatch;

/// Coverage for libFuzzer: counters, a table of places, and compared values to guess at.
const FLAGS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];

/// The most memory that a target may take, in MiB: all decoders are bounded far below.
const MAX_MEMORY: &str = "512";

/// The longest that one input may take, in seconds.
const MAX_INPUT_TIME: &str = "5";

/// What `cargo xtask fuzz` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this target; may be given several times. All of them otherwise.
    #[arg(long)]
    target: Vec<String>,
    /// Seconds of processor time for each target; on a busy machine that takes longer by the clock.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many targets run side by side.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Afterwards keep in the corpus the fewest inputs that reach everything that was found.
    #[arg(long)]
    minimise: bool,
}

/// Why fuzzing was not done, or found something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FuzzError {
    #[error("cannot run {program}")]
    Start { program: String, source: io::Error },
    #[error("the fuzzer does not build")]
    Build,
    #[error("{}: cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("there is no target {0}; each target has a folder in fuzz/corpus")]
    NoTarget(String),
    #[error("{target} fails; the input is in {}", artifacts.display())]
    Found { target: String, artifacts: PathBuf },
}

/// Runs the targets and prints how many inputs each of them was given, and in how much processor time.
pub(crate) fn run(args: &Args) -> Result<(), FuzzError> {
    let fuzz = workspace::root().join("fuzz");
    let targets = targets(&fuzz, &args.target)?;
    let fuzzer = build(&fuzz)?;
    let waiting = Mutex::new(targets.iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> Result<(), FuzzError> {
        while let Some(target) = next() {
            Runner {
                fuzz: &fuzz,
                fuzzer: &fuzzer,
                target,
            }
            .all(args)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..args.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let ended = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker does not panic"));
        ended.fold(Ok(()), Result::and)
    })
}

/// The wanted targets, or all: the names of the corpora.
fn targets(fuzz: &Path, wanted: &[String]) -> Result<Vec<String>, FuzzError> {
    let path = fuzz.join("corpus");
    let failed = |source| FuzzError::File {
        path: path.clone(),
        source,
    };
    let mut all = Vec::new();
    for entry in fs::read_dir(&path).map_err(failed)? {
        all.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    all.sort();
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        return Err(FuzzError::NoTarget(unknown.clone()));
    }
    Ok(if wanted.is_empty() { all } else { wanted.to_vec() })
}

fn build(fuzz: &Path) -> Result<PathBuf, FuzzError> {
    let host = host()?;
    let target_dir = fuzz.join("target");
    // Naming the target keeps the flags away from build scripts and macros.
    let built = Command::new("cargo")
        .args(["build", "--release", "--target", &host, "--manifest-path"])
        .arg(fuzz.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("RUSTFLAGS", FLAGS.join(" "))
        .status()
        .map_err(|source| FuzzError::Start {
            program: "cargo".into(),
            source,
        })?;
    if !built.success() {
        return Err(FuzzError::Build);
    }
    Ok(target_dir.join(host).join("release/sinew-fuzz"))
}

/// The name of this machine's platform.
fn host() -> Result<String, FuzzError> {
    let output = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output()
        .map_err(|source| FuzzError::Start {
            program: "rustc".into(),
            source,
        })?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// One target and where its things lie: the committed corpus, what this machine has found, and inputs that fail.
struct Runner<'a> {
    fuzz: &'a Path,
    fuzzer: &'a Path,
    target: &'a str,
}

/// What a run of one target came to.
struct Ran {
    executions: u64,
    spent: Duration,
}

impl Runner<'_> {
    fn all(&self, args: &Args) -> Result<(), FuzzError> {
        let Ran { executions, spent } = self.run(Duration::from_secs(args.seconds))?;
        println!(
            "{}: {executions} executions in {} s of processor time",
            self.target,
            spent.as_secs()
        );
        if args.minimise { self.minimise() } else { Ok(()) }
    }

    fn run(&self, time: Duration) -> Result<Ran, FuzzError> {
        let (found, artifacts) = (self.folder("found")?, self.folder("artifacts")?);
        let child = self
            .command()
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-print_final_stats=1", "-verbosity=0"])
            .args([found, self.folder("corpus")?])
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| self.not_started(source))?;
        let pid = Pid::from_child(&child);
        let (output, spent) = thread::scope(|scope| {
            let watching = scope.spawn(|| stopwatch::watch(pid, time));
            let output = child.wait_with_output();
            (output, watching.join().expect("the watch does not panic"))
        });
        let output = output.map_err(|source| self.not_started(source))?;
        let report = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            eprintln!("{report}");
            return Err(FuzzError::Found {
                target: self.target.into(),
                artifacts,
            });
        }
        let executions = report
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        Ok(Ran {
            executions: executions
                .and_then(|count| count.trim().parse().ok())
                .unwrap_or(0),
            spent,
        })
    }

    /// Merges what was found into an empty corpus, which takes the place of the old one.
    fn minimise(&self) -> Result<(), FuzzError> {
        let (found, corpus, fewest) = (
            self.folder("found")?,
            self.folder("corpus")?,
            self.folder("fewest")?,
        );
        let merged = self
            .command()
            .args(["-merge=1", "-verbosity=0"])
            .args([&fewest, &corpus, &found])
            .output()
            .map_err(|source| self.not_started(source))?;
        if !merged.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&merged.stderr));
            return Err(FuzzError::Found {
                target: self.target.into(),
                artifacts: found,
            });
        }
        let replaced = fs::remove_dir_all(&corpus).and_then(|()| fs::rename(&fewest, &corpus));
        replaced.map_err(|source| FuzzError::File { path: corpus, source })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.fuzzer);
        command
            .env("SINEW_FUZZ_TARGET", self.target)
            .arg(format!("-rss_limit_mb={MAX_MEMORY}"))
            .arg(format!("-timeout={MAX_INPUT_TIME}"));
        command
    }

    /// `fuzz/<kind>/<target>`, made if it is not there.
    fn folder(&self, kind: &str) -> Result<PathBuf, FuzzError> {
        let path = self.fuzz.join(kind).join(self.target);
        fs::create_dir_all(&path).map_err(|source| FuzzError::File {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    fn not_started(&self, source: io::Error) -> FuzzError {
        FuzzError::Start {
            program: self.fuzzer.display().to_string(),
            source,
        }
    }
}
