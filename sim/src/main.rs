//! `cargo xtask sim`: runs scenarios in virtual time, and compares what comes of them with floors and baselines.
#![allow(clippy::print_stdout, reason = "a program's results go to standard output")]

mod svg;
mod table;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use sinew_sim::{Figures, Report, Scenario, ScenarioError, run};
use std::{
    error::Error as _,
    fs, io,
    iter::successors,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};
use thiserror::Error;

/// Runs scenarios in virtual time, and compares what comes of them with floors and baselines.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
struct Cli {
    /// Names of `sim/scenarios`, or files; all of the former otherwise.
    scenarios: Vec<String>,
    /// Another seed than the scenario's; floors hold for each, baselines are not looked at then.
    #[arg(long)]
    seed: Option<u64>,
    /// One JSON object a scenario instead of a table.
    #[arg(long)]
    json: bool,
    /// Draws the runs there.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Writes baselines instead of comparing with them.
    #[arg(long, conflicts_with = "seed")]
    write: bool,
}

/// Why there is no result.
#[derive(Debug, Error)]
enum SimError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("{0} cannot be read or written")]
    File(PathBuf, #[source] io::Error),
    #[error("the baseline {0} is none")]
    Baseline(PathBuf, #[source] toml::de::Error),
    #[error("figures cannot be written")]
    Figures(#[from] toml::ser::Error),
    #[error("a report cannot be written")]
    Json(#[from] serde_json::Error),
}

fn main() -> ExitCode {
    match all(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            let causes = successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs all that is wanted; whether all that has to hold held.
fn all(cli: &Cli) -> Result<bool, SimError> {
    let files = files(&cli.scenarios)?;
    let mut runs = Vec::new();
    if !cli.json {
        println!("{}", table::head());
    }
    for file in files {
        let name = name(&file);
        let scenario = Scenario::read(&file)?;
        let (mut report, took) = timed(&name, &scenario, cli.seed.unwrap_or(scenario.seed));
        if cli.seed.is_none() {
            compare(&name, &mut report, cli.write)?;
        }
        if cli.json {
            let mut line = serde_json::to_value(&report)?;
            line["scenario"] = name.clone().into();
            println!("{line}");
        } else {
            println!("{}", table::line(&name, &report, took));
        }
        runs.push((name, report));
    }
    if let Some(file) = &cli.svg {
        fs::write(file, svg::svg(&runs)).map_err(|error| SimError::File(file.clone(), error))?;
    }
    Ok(closing(&runs, cli.json))
}

/// What did not hold, and the hashes of the runs.
fn closing(runs: &[(String, Report)], json: bool) -> bool {
    for (name, report) in runs {
        for failure in &report.failures {
            eprintln!("{name}: {failure}");
        }
    }
    if !json {
        println!();
        for (name, report) in runs {
            println!("{name} with seed {}: trace {}", report.seed, report.trace);
        }
    }
    runs.iter().all(|(_, report)| report.failures.is_empty())
}

/// Runs a scenario, with a bar where stderr is a terminal.
fn timed(name: &str, scenario: &Scenario, seed: u64) -> (Report, Duration) {
    let bar = ProgressBar::new(scenario.over().as_secs());
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} virtual seconds in {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(name.to_owned());
    let start = Instant::now();
    let report = run(scenario, seed, |virtual_time| {
        bar.set_position(virtual_time.as_secs());
    });
    bar.finish_and_clear();
    (report, start.elapsed())
}

/// Adds to the failures where a report strays from its baseline; or makes it the baseline.
fn compare(name: &str, report: &mut Report, write: bool) -> Result<(), SimError> {
    let file = root().join("baselines").join(name).with_extension("toml");
    let failed = |error| SimError::File(file.clone(), error);
    if write {
        return fs::write(&file, toml::to_string(&report.figures.rounded())?).map_err(failed);
    }
    match fs::read_to_string(&file) {
        Ok(text) => {
            let baseline: Figures =
                toml::from_str(&text).map_err(|error| SimError::Baseline(file.clone(), error))?;
            report.failures.extend(report.figures.strays(&baseline));
            Ok(())
        }
        // A file of somebody else has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn files(wanted: &[String]) -> Result<Vec<PathBuf>, SimError> {
    let folder = root().join("scenarios");
    let file = |name: &String| match Path::new(name).extension() {
        Some(_) => PathBuf::from(name),
        None => folder.join(name).with_extension("toml"),
    };
    if !wanted.is_empty() {
        return Ok(wanted.iter().map(file).collect());
    }
    let list = fs::read_dir(&folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files: Vec<PathBuf> = list.map_err(|error| SimError::File(folder.clone(), error))?;
    files.sort();
    Ok(files)
}

fn name(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
