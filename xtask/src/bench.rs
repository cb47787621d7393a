//! `cargo xtask bench compare`: our node beside other libraries and the plain limits (`benches/README.md`).

mod document;
mod figures;
mod machine;
mod pair;
mod plot;
mod proc;
mod program;
mod report;
mod rows;
mod run;
mod table;
mod targets;

use std::{fs, io, path::PathBuf};

use crate::workspace;
use report::Report;
use rows::{Row, Subject};

/// What `cargo xtask bench` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Builds all programs, lets them take turns, and prints the table.
    Compare(CompareArgs),
}

#[derive(Debug, clap::Args)]
struct CompareArgs {
    /// Some of the rows, and short runs: under five minutes.
    #[arg(long)]
    quick: bool,
    /// Only rows whose case contains this text; several with commas.
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    case: Vec<String>,
    /// Only rows whose stack contains this text; several with commas.
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    stack: Vec<String>,
    /// Beside these only; all if not given.
    #[arg(long, value_enum, value_delimiter = ',')]
    peer: Vec<Subject>,
    /// Runs of each; 3, or 2 with --quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each run; 3, or 1 with --quick.
    #[arg(long)]
    seconds: Option<f64>,
    /// Print the report as JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// Put table and plot into docs/performance.md.
    #[arg(long)]
    write: bool,
}

/// Why nothing could be compared; what a program does wrong is in the table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("no row has such a case and stack")]
    NoRow,
    #[error("{program} cannot be started")]
    Start {
        program: &'static str,
        source: io::Error,
    },
    #[error("the program of {0} cannot be built")]
    Build(Subject),
    #[error("{} cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} has no place for the table", .0.display())]
    NoPlace(PathBuf),
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Compares.
pub(crate) fn run(args: &Args) -> Result<(), BenchError> {
    let Command::Compare(args) = &args.command;
    let rows = chosen(args);
    if rows.is_empty() {
        return Err(BenchError::NoRow);
    }
    let settings = run::Settings {
        rounds: args.rounds.unwrap_or(if args.quick { 2 } else { 3 }),
        seconds: args.seconds.unwrap_or(if args.quick { 1.0 } else { 3.0 }),
        peers: args.peer.clone(),
    };
    run::build(&settings)?;
    let report = run::run(&rows, &settings)?;
    keep(&report)?;
    if args.write {
        document::write(&workspace::root(), &report)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", table::markdown(&report));
    }
    Ok(())
}

fn chosen(args: &CompareArgs) -> Vec<Row> {
    let mut rows = if args.quick { rows::quick() } else { rows::full() };
    let any = |texts: &[String], name: &str| {
        texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str()))
    };
    rows.retain(|row| any(&args.case, &row.case_name()) && any(&args.stack, row.stack));
    rows
}

/// The last report stays in the target folder.
fn keep(report: &Report) -> Result<(), BenchError> {
    let path = run::folder().join("compare.json");
    let text = serde_json::to_string_pretty(report)?;
    fs::write(&path, text).map_err(|source| BenchError::File { path, source })
}
