//! A rust-libp2p node for the interop suites: with a control protocol on stdin, or by the contracts of the official suites.

mod args;
mod contract;
mod control;
mod data;
mod echo;
mod journal;
mod node;
mod parts;
mod perf;
mod pubsub;
mod stack;

use std::{error::Error, process::ExitCode};

use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let levels: Targets = std::env::var("RUST_LOG")
        .unwrap_or_default()
        .parse()
        .unwrap_or_default();
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log).with(levels).init();
    match run(std::env::args().skip(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-peer-rust: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut args: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let mode = args.next().unwrap_or_default();
    let args = args::Args::parse(args)?;
    match mode.as_str() {
        "control" => node::run(&args).await,
        "transport" => contract::run(contract::Suite::Transport, args).await,
        "perf" => contract::run(contract::Suite::Perf, args).await,
        _ => Err("the first argument is control, transport or perf".into()),
    }
}
