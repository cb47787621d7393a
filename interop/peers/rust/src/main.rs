//! A rust-libp2p node for the interop suite: commands come as JSON lines on stdin, answers go to stdout.

mod args;
mod control;
mod data;
mod echo;
mod journal;
mod node;
mod stack;

use std::process::ExitCode;

use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Runs the node until stdin ends.
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
    let result = match args::Args::parse(std::env::args().skip(1)) {
        Ok(args) => node::run(&args).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-peer-rust: {error}");
            ExitCode::FAILURE
        }
    }
}
