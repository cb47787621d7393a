//! `cargo xtask test`: every check that a change has to pass, stage by stage, with times and a closing count.

mod count;
mod stages;

use std::{
    io::{self, BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use count::Count;
use stages::Stage;

use crate::workspace::{self, MetadataError};

/// What `cargo xtask test` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also what CI adds: the first command of the README, and the tests against other implementations.
    #[arg(long)]
    ci: bool,
    /// Name the stages and run none.
    #[arg(long)]
    list: bool,
    /// Run the stages whose names contain this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Why the checks did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    #[error("cargo cannot describe the workspace")]
    Metadata(#[from] MetadataError),
    #[error("no stage has {0:?} in its name (see --list)")]
    NoStage(String),
    #[error("failed: {0}")]
    Failed(String),
}

/// Runs the stages in order. A failed stage does not keep the others from running.
pub(crate) fn run(args: &Args) -> Result<(), TestError> {
    let stages = chosen(args)?;
    if args.list {
        stages.iter().for_each(|stage| println!("{}", stage.name));
        return Ok(());
    }
    let started = Instant::now();
    let done: Vec<Done> = stages.iter().map(Done::of).collect();
    summarise(&done, minutes(started))
}

fn chosen(args: &Args) -> Result<Vec<Stage>, TestError> {
    let mut stages = stages::all(&workspace::members(&workspace::root())?, args.ci);
    if let Some(text) = &args.only {
        stages.retain(|stage| stage.name.contains(text.as_str()));
        if stages.is_empty() {
            return Err(TestError::NoStage(text.clone()));
        }
    }
    Ok(stages)
}

/// A stage that ran.
struct Done {
    name: String,
    minutes: f64,
    count: Count,
}

impl Done {
    fn of(stage: &Stage) -> Self {
        println!("==> {}", stage.name);
        let started = Instant::now();
        let mut count = Count::default();
        for command in &stage.commands {
            count += run_command(command, &stage.environment);
        }
        let minutes = minutes(started);
        println!("<== {}: {count} ({minutes:.1} min)", stage.name);
        Self {
            name: stage.name.clone(),
            minutes,
            count,
        }
    }
}

/// Runs one command, passes its output on and counts the results it names; one that names none counts as one.
fn run_command(arguments: &[String], environment: &[(&str, &str)]) -> Count {
    println!("  $ {}", arguments.join(" "));
    let mut named = Count::default();
    let ended = stream(arguments, environment, |line| named += Count::of_line(line));
    match ended {
        Ok(true) => named.or_one_passed(),
        Ok(false) => named.with_a_failure(),
        Err(error) => {
            println!("  cannot be run: {error}");
            named.with_a_failure()
        }
    }
}

fn stream(
    arguments: &[String],
    environment: &[(&str, &str)],
    mut seen: impl FnMut(&str),
) -> io::Result<bool> {
    let (program, rest) = arguments.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = if program == "cargo" {
        workspace::cargo()
    } else {
        Command::new(program)
    };
    let mut child = command
        .args(rest)
        .envs(environment.iter().copied())
        .current_dir(workspace::root())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            seen(&line);
        }
    }
    Ok(child.wait()?.success())
}

/// Prints the table of stages and, as the last line, the count of everything.
fn summarise(done: &[Done], minutes: f64) -> Result<(), TestError> {
    println!();
    for stage in done {
        println!("{:>6.1} min  {:<24} {}", stage.minutes, stage.name, stage.count);
    }
    println!("{minutes:>6.1} min  in all\n");
    let total = done.iter().fold(Count::default(), |sum, stage| sum + stage.count);
    println!("{total}");
    let failed = done.iter().filter(|stage| stage.count.failed > 0);
    let failed: Vec<&str> = failed.map(|stage| stage.name.as_str()).collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(TestError::Failed(failed.join(", ")))
    }
}

fn minutes(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() / 60.0
}
