//! `cargo xtask bench distance`: one stream over a long path, beside the same without libp2p (`benches/README.md`).

mod network;
mod paths;
mod table;

use std::thread;

use serde::Serialize;

use super::{
    BenchError, Output,
    document::Shown,
    figures::{Sample, Summary},
    machine::{self, Machine},
    pair::{Pair, Ready},
    program::RunError,
    programs,
    report::Cell,
    rows::{Case, Row, Subject},
    run::{self, Versions},
    show,
};
use crate::causes::chain;
use network::{Carried, Network};
use paths::{Path, Runner, Verdict};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One round of short runs.
    #[arg(long)]
    quick: bool,
    /// Only paths whose name contains this text.
    #[arg(long, default_value = "")]
    path: String,
    /// Only stacks whose name contains this text, and what they are beside.
    #[arg(long, default_value = "")]
    stack: String,
    /// These too.
    #[arg(long, value_enum, value_delimiter = ',')]
    peer: Vec<Subject>,
    /// Runs of each; 3, or 1 with --quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each run; 20, or 8 with --quick.
    #[arg(long)]
    seconds: Option<f64>,
    #[command(flatten)]
    output: Output,
}

/// All that the command came to.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    versions: Versions,
    rounds: usize,
    seconds: f64,
    /// The sizes of the sockets' buffers in the networks: least, first, most bytes.
    buffers: [(&'static str, &'static str); 2],
    /// How TCP looks for the rate where the path does not say.
    congestion: String,
    lines: Vec<Line>,
}

/// What one runner came to on one path.
#[derive(Debug, Serialize)]
struct Line {
    path: Path,
    runner: Runner,
    cell: Cell,
    /// By the link, in each round: towards the client, towards the server.
    carried: Vec<[Carried; 2]>,
    verdicts: Vec<Verdict>,
}

/// Runs it.
pub(crate) fn distance(args: &Args) -> Result<(), BenchError> {
    let runners = paths::runners(&args.peer, &args.stack);
    let paths = paths::PATHS.iter().filter(|path| path.name.contains(&args.path));
    let paths: Vec<_> = paths.filter(|path| network::can_be(path)).collect();
    if runners.is_empty() || paths.is_empty() {
        return Err(BenchError::NoRow);
    }
    let subjects: Vec<_> = [Subject::Sinew]
        .into_iter()
        .chain(args.peer.iter().copied())
        .collect();
    programs::build(&subjects)?;
    programs::build_link()?;
    run::prepare()?;
    let mut report = Report {
        machine: machine::describe(),
        versions: Versions::new(),
        rounds: args.rounds.unwrap_or(if args.quick { 1 } else { 3 }),
        seconds: args.seconds.unwrap_or(if args.quick { 8.0 } else { 20.0 }),
        buffers: network::BUFFERS,
        congestion: network::congestion(),
        lines: Vec::new(),
    };
    for path in paths {
        measure(path, &runners, &mut report);
    }
    let shown = Shown {
        table: table::markdown(&report),
        plot: None,
    };
    show("distance", &report, &shown, &args.output)
}

/// In each round everybody once.
fn measure(path: &Path, runners: &[Runner], report: &mut Report) {
    let runners = runners.iter().filter(|runner| path.is_for(runner));
    let mut runs: Vec<_> = runners
        .map(|runner| (runner, Vec::new(), Vec::new(), None))
        .collect();
    for round in 1..=report.rounds {
        for (runner, samples, carried, failed) in &mut runs {
            eprintln!(
                "{}, round {round}: {} {}",
                path.name, runner.subject, runner.stack
            );
            match run_once(path, runner, report.seconds, round) {
                Ok((ready, sample, of_link)) => {
                    samples.push(sample);
                    carried.push(of_link);
                    run::note(&mut report.versions, runner.subject, &ready);
                }
                Err(error) => *failed = Some(chain(&error)),
            }
        }
    }
    let mut lines: Vec<Line> = Vec::new();
    for (runner, samples, carried, failed) in runs {
        // A run that failed is no result, however the others went.
        let cell = match (failed, Summary::of(samples)) {
            (None, Some(summary)) => Cell::Measured(summary),
            (reason, _) => Cell::Failed(reason.unwrap_or_default()),
        };
        lines.push(Line {
            path: *path,
            runner: *runner,
            cell,
            carried,
            verdicts: Vec::new(),
        });
    }
    let verdicts: Vec<_> = lines.iter().map(|line| paths::judge(line, &lines)).collect();
    for (line, verdicts) in lines.iter_mut().zip(verdicts) {
        line.verdicts = verdicts;
    }
    report.lines.extend(lines);
}

/// Once, over networks that are new: the system remembers what a path was like. In each round other packets get lost, for which
/// ones do so in the first round trips decides much.
fn run_once(
    path: &Path,
    runner: &Runner,
    seconds: f64,
    round: usize,
) -> Result<(Ready, Sample, [Carried; 2]), RunError> {
    let row = Row {
        case: Case::BulkUp,
        stack: runner.stack,
        streams: 1,
    };
    let logs = run::logs(&row, runner.subject);
    thread::scope(|scope| {
        let mut network = Network::lay(scope, path, round, &logs)?;
        let pair = Pair {
            row: &row,
            server: runner.subject,
            client: runner.subject,
            seconds,
            place: &network.place(),
            logs: &logs,
        };
        let (ready, sample) = pair.sample()?;
        Ok((ready, sample, network.carried()?))
    })
}
