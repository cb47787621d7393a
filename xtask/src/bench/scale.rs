//! `cargo xtask bench scale`: one node with many connections, idle and with a request a second each (`benches/README.md`).

mod table;

use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    BenchError, Output,
    document::Shown,
    figures::median,
    machine::{self, Machine},
    pair::{IDLE, Pair, Place, Ready, SETTLE, result, settled},
    program::{Program, RunError},
    programs,
    rows::{Case, NOISE, Row, Subject},
    run::{self, Versions},
    show,
};
use crate::causes::chain;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Connections to the node, each of an identity of its own.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Beside these only; all if not given.
    #[arg(long, value_enum, value_delimiter = ',')]
    peer: Vec<Subject>,
    /// Runs of each.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Seconds of idleness, and of requests.
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    #[command(flatten)]
    output: Output,
}

/// All that the command came to.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    versions: Versions,
    connections: usize,
    rounds: usize,
    seconds: f64,
    stack: &'static str,
    nodes: BTreeMap<Subject, Outcome>,
}

/// What one node came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// Medians of all rounds.
    Measured(Held),
    /// A run went wrong: why.
    Failed(String),
}

/// What a node held and did. Memory is by how much it grew, a connection.
#[derive(Clone, Copy, Default, Debug, Serialize)]
struct Held {
    /// Connections made a second.
    connected: f64,
    idle_kib: f64,
    /// Milliseconds of a processor in a second of idleness.
    idle_cpu: f64,
    asked_kib: f64,
    /// Requests that were answered in a second.
    answered: f64,
    /// Requests that were not.
    failed: f64,
    p50_us: f64,
    p99_us: f64,
    /// Microseconds of a processor a request.
    cpu_us: f64,
    after_kib: f64,
}

/// Runs it.
pub(crate) fn scale(args: &Args) -> Result<(), BenchError> {
    let settings = run::Settings {
        rounds: args.rounds,
        seconds: args.seconds,
        peers: args.peer.clone(),
    };
    let mut subjects = settings.subjects();
    subjects.retain(|subject| *subject != Subject::Plain);
    programs::build(&subjects)?;
    run::prepare()?;
    let row = Row {
        case: Case::Scale,
        stack: NOISE,
        streams: args.connections,
    };
    let mut versions = Versions::new();
    let nodes = take_turns(&row, &settings, &subjects, &mut versions);
    let report = Report {
        machine: machine::describe(),
        versions,
        connections: args.connections,
        rounds: args.rounds,
        seconds: args.seconds,
        stack: row.stack,
        nodes,
    };
    let shown = Shown {
        table: table::markdown(&report),
        plot: None,
    };
    show("scale", &report, &shown, &args.output)
}

fn take_turns(
    row: &Row,
    settings: &run::Settings,
    subjects: &[Subject],
    versions: &mut Versions,
) -> BTreeMap<Subject, Outcome> {
    let mut nodes: BTreeMap<Subject, Result<Vec<Held>, String>> = BTreeMap::new();
    for round in 1..=settings.rounds {
        for &subject in subjects {
            eprintln!("round {round}: {subject}");
            let node = nodes.entry(subject).or_insert_with(|| Ok(Vec::new()));
            match run_once(row, subject, settings.seconds) {
                Ok((ready, held)) => {
                    run::note(versions, subject, &ready);
                    if let Ok(all) = node {
                        all.push(held);
                    }
                }
                // A run that failed is no result, however the others went.
                Err(error) => *node = Err(chain(&error)),
            }
        }
    }
    let outcome = |node: Result<Vec<Held>, String>| match node {
        Ok(all) => Outcome::Measured(Held::median(&all)),
        Err(reason) => Outcome::Failed(reason),
    };
    nodes
        .into_iter()
        .map(|(subject, node)| (subject, outcome(node)))
        .collect()
}

/// The same client for every node: ours.
fn run_once(row: &Row, subject: Subject, seconds: f64) -> Result<(Ready, Held), RunError> {
    let pair = Pair {
        row,
        server: subject,
        client: Subject::Sinew,
        seconds,
        place: &Place::HERE,
        logs: &run::logs(row, subject),
    };
    pair.run(|client, server| measure(client, server, seconds))
}

fn measure(client: &mut Program, server: &mut Program, seconds: f64) -> Result<Held, RunError> {
    let before = settled(server, SETTLE)?;
    client.go_on()?;
    let made = result(client, 0.0)?;
    let connections = made.units as f64;
    let kib = |held: f64| (held - before) / 1024.0 / connections;
    let idle_kib = kib(settled(server, IDLE)?);
    let (cpu, began) = (server.cpu()?, Instant::now());
    sleep(Duration::from_secs_f64(seconds));
    let idle_cpu = (server.cpu()? - cpu) * 1000.0 / began.elapsed().as_secs_f64();
    let cpu = server.cpu()?;
    client.go_on()?;
    sleep(Duration::from_secs_f64(seconds / 2.0));
    let asked_kib = kib(server.resident()?);
    let asked = result(client, seconds)?;
    let cpu = server.cpu()? - cpu;
    Ok(Held {
        connected: connections / made.seconds,
        idle_kib,
        idle_cpu,
        asked_kib,
        answered: asked.units as f64 / asked.seconds,
        failed: asked.failed as f64,
        p50_us: asked.p50_us.unwrap_or(f64::NAN),
        p99_us: asked.p99_us.unwrap_or(f64::NAN),
        cpu_us: cpu * 1e6 / asked.units as f64,
        after_kib: kib(settled(server, IDLE)?),
    })
}

impl Held {
    /// Of each figure.
    fn median(all: &[Self]) -> Self {
        let of = |pick: fn(&Self) -> f64| median(all.iter().map(pick)).unwrap_or(f64::NAN);
        Self {
            connected: of(|held| held.connected),
            idle_kib: of(|held| held.idle_kib),
            idle_cpu: of(|held| held.idle_cpu),
            asked_kib: of(|held| held.asked_kib),
            answered: of(|held| held.answered),
            failed: of(|held| held.failed),
            p50_us: of(|held| held.p50_us),
            p99_us: of(|held| held.p99_us),
            cpu_us: of(|held| held.cpu_us),
            after_kib: of(|held| held.after_kib),
        }
    }
}
