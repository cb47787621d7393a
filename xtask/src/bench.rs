//! `cargo xtask bench`: our node beside other libraries and the plain limits, on the loopback interface, over a long path,
//! with many connections, and with others in a network (`benches/README.md`).

mod alone;
mod distance;
mod document;
mod figures;
mod machine;
mod pair;
mod plot;
mod program;
mod programs;
mod report;
mod rows;
mod run;
mod scale;
mod table;
mod targets;

use std::{fs, io, path::PathBuf};

use serde::Serialize;

use crate::workspace;
use document::Shown;
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
    /// Moves bytes over a long path between two networks of this machine, beside the plain limits; it takes root.
    Distance(distance::Args),
    /// Holds many connections, idle and with a request a second each.
    Scale(scale::Args),
    /// Lets nodes of gossipsub publish to each other, as many as there are in one process.
    Pubsub(CompareArgs),
}

#[derive(Debug, clap::Args)]
struct CompareArgs {
    /// Short runs, and of the comparison some of the rows: under five minutes.
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
    #[command(flatten)]
    output: Output,
}

/// Where a report goes.
#[derive(Debug, clap::Args)]
struct Output {
    /// Print the report as JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// Put what was measured into docs/performance.md.
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
    #[error("`{0}` has failed")]
    Build(String),
    #[error("{} cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} has no place for the table", .0.display())]
    NoPlace(PathBuf),
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Measures.
pub(crate) fn run(args: &Args) -> Result<(), BenchError> {
    match &args.command {
        Command::Compare(args) if args.quick => compare("compare", rows::quick(), args),
        Command::Compare(args) => compare("compare", rows::full(), args),
        Command::Distance(args) => distance::distance(args),
        Command::Scale(args) => scale::scale(args),
        Command::Pubsub(args) => compare("pubsub", rows::pubsub(), args),
    }
}

fn compare(command: &str, mut rows: Vec<Row>, args: &CompareArgs) -> Result<(), BenchError> {
    let any = |texts: &[String], name: &str| {
        texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str()))
    };
    rows.retain(|row| any(&args.case, &row.case_name()) && any(&args.stack, row.stack));
    if rows.is_empty() {
        return Err(BenchError::NoRow);
    }
    let settings = run::Settings {
        rounds: args.rounds.unwrap_or(if args.quick { 2 } else { 3 }),
        seconds: args.seconds.unwrap_or(if args.quick { 1.0 } else { 3.0 }),
        peers: args.peer.clone(),
    };
    programs::build(&settings.subjects())?;
    let report = run::run(&rows, &settings)?;
    let shown = Shown {
        table: table::markdown(&report),
        plot: (command == "compare").then(|| plot::svg(&report)),
    };
    show(command, &report, &shown, &args.output)
}

/// Prints a report; its JSON stays in the target folder, and what it shows goes into the page if that was asked for.
fn show(command: &str, report: &impl Serialize, shown: &Shown, output: &Output) -> Result<(), BenchError> {
    let path = programs::folder().join(format!("{command}.json"));
    let text = serde_json::to_string_pretty(report)?;
    fs::write(&path, &text).map_err(|source| BenchError::File { path, source })?;
    if output.write {
        document::write(&workspace::root(), command, shown)?;
    }
    println!("{}", if output.json { &text } else { &shown.table });
    Ok(())
}
