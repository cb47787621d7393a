//! A Sinew node for the interop suite: commands come as JSON lines on stdin, answers go to stdout.

mod control;
mod data;
mod echo;
mod journal;
mod node;
mod stack;

use std::{error::Error, process::ExitCode};

use clap::Parser;

/// A Sinew node for the interop suite (interop/README.md).
#[derive(Debug, Parser)]
enum Args {
    /// Do what the lines on stdin ask for, until stdin ends.
    Control(stack::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let Args::Control(args) = Args::parse();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-node: {}", control::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &stack::Args) -> Result<(), Box<dyn Error>> {
    node::Node::start(args).await?.run().await
}
