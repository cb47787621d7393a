//! `cargo xtask interop`: Sinew against real peers, each a small program on another libp2p library (interop/README.md).

mod args;
mod cases;
mod certificates;
mod contract;
mod junit;
mod known;
mod node;
mod official;
mod page;
mod pair;
mod peers;
mod progress;
mod redis;
mod results;
mod rows;
mod runner;
mod setup;
mod stack;
mod steps;
mod table;
mod versions;

use std::{fs, io, path::PathBuf, process::ExitStatus};

use crate::workspace;

pub(crate) use self::args::Args;
use self::args::{Command, PeerArgs, RunArgs, Selection};

/// Why the tests could not run, or did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InteropError {
    #[error("{} cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is not as expected", path.display())]
    Toml {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    #[error("{} is not as expected", path.display())]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("no peer is called {id}; interop/peers.toml has {known}")]
    UnknownPeer { id: String, known: String },
    #[error("{id} could not be set up")]
    Setup { id: String, source: setup::SetupError },
    #[error("{id} could not be started")]
    Start { id: String, source: io::Error },
    #[error("{id}: {status}")]
    Ended { id: String, status: ExitStatus },
    #[error("the certificates of secure WebSockets cannot be made")]
    Certificates(#[source] rcgen::Error),
    #[error("no test is of this selection")]
    NoTest,
    #[error("{page} has no line {begin:?}, or not the line that ends the results")]
    NoMarks { page: &'static str, begin: &'static str },
    #[error("git does not say what is checked out")]
    NoCommit,
    #[error("{failed} test(s) failed; the logs of both sides are in {}", logs.display())]
    Failed { failed: usize, logs: PathBuf },
}

/// Does what the command line says.
pub(crate) fn run(args: &Args) -> Result<(), InteropError> {
    let places = peers::Places::new(workspace::root());
    let peers = peers::load(&places)?;
    match &args.command {
        Command::Setup(args) => set_up(&places, &peers.select(&args.peer)?),
        Command::List(selection) => list(&places, &selected(&peers, selection)?),
        Command::Run(args) => run_tests(&places, &peers, args),
        Command::Peer(args) => start_peer(&places, &peers, args),
        Command::Report => page::write(&results::Results::read(&places)?, &places),
        Command::OfficialFiles { folder } => {
            let folder = folder.clone().unwrap_or_else(|| places.output().join("official"));
            official::write(peers.ours()?, &places.root, &folder)?;
            println!("{}", folder.display());
            Ok(())
        }
    }
}

fn set_up(places: &peers::Places, peers: &[&peers::Peer]) -> Result<(), InteropError> {
    for peer in peers {
        setup::run(peer, places).map_err(|source| InteropError::Setup {
            id: peer.id.clone(),
            source,
        })?;
    }
    Ok(())
}

/// The tests of a selection; there is one at least.
fn selected<'a>(
    peers: &'a peers::Peers,
    selection: &Selection,
) -> Result<Vec<cases::Case<'a>>, InteropError> {
    let mut others = peers.select(&selection.peer)?;
    let mut cases = if selection.reference {
        cases::among(&others)
    } else {
        if selection.peer.is_empty() {
            others.push(peers.ours()?);
        }
        cases::against(peers.ours()?, &others, peers.all())
    };
    cases::select(&mut cases, &selection.suite, selection.filter.as_deref());
    if cases.is_empty() {
        return Err(InteropError::NoTest);
    }
    Ok(cases)
}

fn list(places: &peers::Places, cases: &[cases::Case<'_>]) -> Result<(), InteropError> {
    let known = known::load(places)?;
    let absent = setup::without_tools(cases);
    let word = |case: &cases::Case<'_>| match known.bug(case) {
        _ if runner::reason_to_skip(case, &absent).is_some() => "skipped",
        Some(bug) if bug.sometimes => "may fail",
        Some(_) => "known",
        None => "ok",
    };
    let cells = cases
        .iter()
        .map(|case| (case.pair(), case.test.name.to_owned(), word(case)));
    println!("{}", table::table(cells, |word| word));
    for (id, error) in &absent {
        println!("skipped: {id}: {error}");
    }
    println!(
        "{} tests; the reasons of known bugs are in interop/known.toml",
        cases.len()
    );
    Ok(())
}

fn run_tests(places: &peers::Places, peers: &peers::Peers, args: &RunArgs) -> Result<(), InteropError> {
    let known = known::load(places)?;
    peers.select(&args.require)?;
    let cases = selected(peers, &args.selection)?;
    certificates::write(places)?;
    let absent = setup::run_all(&cases, places, &args.require)?;
    // What earlier runs left there; it need not be.
    let _ = fs::remove_dir_all(places.logs());
    let versions = versions::of(&cases, places, &absent);
    let runner = runner::Runner {
        places,
        known: &known,
        absent: &absent,
        redis: args.redis.as_deref(),
        progress: progress::Progress::new(cases.len() * args.repeat.get()),
    };
    let done = runner.run(&cases, args.jobs, args.repeat);
    drop(runner);
    tell(places, &results::Results::new(versions, &done))
}

/// Prints what came of a run and keeps it in files.
fn tell(places: &peers::Places, results: &results::Results) -> Result<(), InteropError> {
    let (table, remarks) = (table::of_run(results), table::remarks(results));
    results.write(places)?;
    results::store(&places.output().join("results.md"), &table)?;
    results::store(&places.output().join("junit.xml"), &junit::file(results))?;
    println!("\n{table}\n{remarks}{}", table::closing_line(results));
    match table::failed(results) {
        0 => Ok(()),
        failed => Err(InteropError::Failed {
            failed,
            logs: places.logs(),
        }),
    }
}

fn start_peer(places: &peers::Places, peers: &peers::Peers, args: &PeerArgs) -> Result<(), InteropError> {
    let id = || args.id.clone();
    let [peer] = peers.select(&[id()])?[..] else {
        return Err(InteropError::NoTest);
    };
    certificates::write(places)?;
    set_up(places, &[peer])?;
    let started = peer.program(places).args(&args.args).status();
    let status = started.map_err(|source| InteropError::Start { id: id(), source })?;
    if status.success() {
        Ok(())
    } else {
        Err(InteropError::Ended { id: id(), status })
    }
}
