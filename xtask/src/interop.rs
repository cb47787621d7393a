//! `cargo xtask interop`: Sinew against real peers, each a small program on another libp2p library (interop/README.md).

mod batch;
mod cases;
mod certificates;
mod known;
mod node;
mod pair;
mod peers;
mod report;
mod runner;
mod setup;
mod stack;
mod steps;

use std::{fs, io, num::NonZero, path::PathBuf};

use crate::workspace;

/// What `cargo xtask interop` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Build or install the peers; does nothing where it was done before.
    Setup(SetupArgs),
    /// Set up, then run the tests.
    Run(RunArgs),
}

#[derive(Debug, clap::Args)]
struct SetupArgs {
    /// Only these peers (ids of interop/peers.toml).
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    peer: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Only these peers (ids of interop/peers.toml).
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    peer: Vec<String>,
    /// Fail, rather than skip, when one of these peers cannot be set up.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    require: Vec<String>,
    /// Only tests whose id contains this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Tests at a time; one a core if not given.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Run each test this often.
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZero<usize>,
    /// The peers against each other instead of against Sinew: shows whether a failure is a peer's own.
    #[arg(long)]
    reference: bool,
}

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
    #[error("no peer is called {id}; interop/peers.toml has {known}")]
    UnknownPeer { id: String, known: String },
    #[error("{id} could not be set up")]
    Setup { id: String, source: setup::SetupError },
    #[error("the certificates of secure WebSockets cannot be made")]
    Certificates(#[source] rcgen::Error),
    #[error("no test has the text {filter:?} in its id")]
    NoTest { filter: String },
    #[error("{failed} test(s) failed; the logs of both sides are in {}", logs.display())]
    Failed { failed: usize, logs: PathBuf },
}

/// Sets the peers up, or runs the tests.
pub(crate) fn run(args: &Args) -> Result<(), InteropError> {
    let places = peers::Places::new(workspace::root());
    match &args.command {
        Command::Setup(args) => set_up(&places, &args.peer),
        Command::Run(args) => run_tests(&places, args),
    }
}

fn set_up(places: &peers::Places, wanted: &[String]) -> Result<(), InteropError> {
    let peers = peers::load(places)?;
    for peer in peers.select(wanted)? {
        setup::run(peer, places).map_err(|source| InteropError::Setup {
            id: peer.id.clone(),
            source,
        })?;
    }
    Ok(())
}

fn run_tests(places: &peers::Places, args: &RunArgs) -> Result<(), InteropError> {
    let peers = peers::load(places)?;
    let known = known::load(places)?;
    peers.select(&args.require)?;
    let others = peers.select(&args.peer)?;
    let mut cases = if args.reference {
        cases::among(&others)
    } else {
        cases::against(peers.ours()?, &others)
    };
    if let Some(filter) = &args.filter {
        cases.retain(|case| case.id().contains(filter));
        if cases.is_empty() {
            return Err(InteropError::NoTest {
                filter: filter.clone(),
            });
        }
    }
    certificates::write(places)?;
    let absent = setup::run_all(&cases, places, &args.require)?;
    // What earlier runs left there; it need not be.
    let _ = fs::remove_dir_all(places.logs());
    let runner = runner::Runner {
        places,
        known: &known,
        absent: &absent,
    };
    let done = runner.run(&cases, args.jobs, args.repeat);
    let summary = report::print(&done);
    match summary.failed {
        0 => Ok(()),
        failed => Err(InteropError::Failed {
            failed,
            logs: places.logs(),
        }),
    }
}
