//! A Sinew node for the interop suites: with a control protocol on stdin, or by the contracts of the official suites.

mod contract;
mod control;
mod data;
mod echo;
mod journal;
mod late_muxer;
mod node;
mod parts;
mod pubsub;
mod stack;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// A Sinew node for the interop suites (interop/README.md).
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    mode: Option<Mode>,
    #[command(flatten)]
    command_line: contract::CommandLine,
    /// The script of the gossipsub suite, a JSON file: what `gossipsub` takes.
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
}

/// Without one, and without a command line of the test plans, the environment says which of the official suites is
/// running.
#[derive(Debug, Subcommand)]
enum Mode {
    /// Do what the lines on stdin ask for, until stdin ends.
    Control(stack::Args),
    /// One side of the official transport suite.
    Transport(contract::Args),
    /// One side of the official perf suite.
    Perf(contract::Args),
    /// One node of the official gossipsub suite.
    Gossipsub(contract::Gossipsub),
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(if contract::wants_debug() { "debug" } else { "error" }));
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .init();
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-node: {}", control::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    if let Some(params) = args.params {
        return contract::gossipsub(&params).await;
    }
    match args.mode {
        Some(Mode::Control(args)) => node::Node::start(&args).await?.run().await,
        Some(Mode::Transport(args)) => contract::transport(&args).await,
        Some(Mode::Perf(args)) => contract::perf(&args).await,
        Some(Mode::Gossipsub(args)) => contract::gossipsub(&args.params).await,
        None if args.command_line.is_given() => contract::command_line(&args.command_line).await,
        None if contract::is_perf() => contract::perf(&contract::Args::default()).await,
        None => contract::transport(&contract::Args::default()).await,
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, Mode};
    use clap::Parser;

    fn parsed(args: &[&str]) -> Args {
        Args::try_parse_from(["interop-node"].iter().chain(args)).expect("it is a command line")
    }

    #[test]
    fn every_suite_starts_the_program_in_its_own_way() {
        assert!(parsed(&[]).mode.is_none());
        assert!(parsed(&["--run-server"]).command_line.is_given());
        assert!(parsed(&["--params", "params.json"]).params.is_some());
        let gossipsub = parsed(&["gossipsub", "--params", "params.json"]);
        assert!(matches!(gossipsub.mode, Some(Mode::Gossipsub(_))));
    }
}
