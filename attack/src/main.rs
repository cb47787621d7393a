//! `cargo xtask attack`: a target, honest peers and an attacker, each a process of its own, and what they do to each other.
#![allow(
    clippy::print_stdout,
    reason = "the results of a program go to standard output"
)]

mod attacker;
mod control;
mod counted;
mod error;
mod honest;
mod many;
mod node;
mod orchestrate;
mod pubsub;
mod report;
mod rows;
mod scale;
mod system;
mod table;
mod target;

use clap::{Parser, Subcommand, ValueEnum};
use error::AttackError;
use rows::{Serves, Stack};
use std::process::ExitCode;

/// Gives memory back to the system as it is freed, so that what a row shows is what the node holds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Attacks a node from another process while honest peers use it.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask attack")]
struct Cli {
    /// Only rows whose name contains this; `scale` is the scale run. All rows otherwise.
    #[arg(long)]
    row: Option<String>,
    /// The node under attack.
    #[arg(long, value_enum, default_value_t = Victim::Ours)]
    target: Victim,
    /// Only rows that make sense over this, and over it; each over its own otherwise.
    #[arg(long, value_enum)]
    stack: Option<Stack>,
    /// Seconds of attack for each row.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// One JSON object a row instead of a table.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// The node under attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Victim {
    /// A Sinew node with default limits.
    Ours,
    /// The rust-libp2p peer of the interop suite: what a row does to it shows that the row hurts.
    Rust,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Many connections of many identities to one node, streams on each, and all closed again.
    Scale {
        /// How many connections.
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
        /// A JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    #[command(hide = true)]
    Target {
        #[arg(long)]
        scale: bool,
        #[arg(long, value_enum, default_value_t)]
        serves: Serves,
    },
    #[command(hide = true)]
    Honest {
        target: String,
        /// Beside the others, peers that publish and subscribe.
        #[arg(long)]
        pubsub: bool,
    },
    #[command(hide = true)]
    Attacker {
        row: String,
        target: String,
        seconds: u64,
    },
    #[command(hide = true)]
    Many { target: String },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    system::raise_descriptors();
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                eprintln!("  because: {inner}");
                cause = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<bool, AttackError> {
    let mut threads = match cli.role {
        // One thread: children inherit where it may run.
        None | Some(Role::Scale { .. }) => tokio::runtime::Builder::new_current_thread(),
        Some(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = threads.enable_all().build().map_err(AttackError::Runtime)?;
    runtime.block_on(async {
        match cli.role {
            None if cli.row.as_deref() == Some("scale") => scale::run(10_000, cli.json).await,
            None => {
                let plan = orchestrate::Plan {
                    victim: cli.target,
                    stack: cli.stack,
                    seconds: cli.seconds,
                    json: cli.json,
                };
                orchestrate::run(&cli.row.unwrap_or_default(), plan).await
            }
            Some(Role::Scale { connections, json }) => scale::run(connections, json).await,
            Some(Role::Target { scale, serves }) => target::run(scale, serves).await.map(|()| true),
            Some(Role::Honest { target, pubsub }) => honest::run(&target, pubsub).await.map(|()| true),
            Some(Role::Attacker { row, target, seconds }) => {
                let stack = cli.stack.unwrap_or(Stack::TcpNoiseYamux);
                attacker::run(&row, &target, stack, seconds).await.map(|()| true)
            }
            Some(Role::Many { target }) => many::run(&target).await.map(|()| true),
        }
    })
}
