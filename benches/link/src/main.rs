//! A link between two network devices that this program makes: what goes into one comes out of the other, after its delay
//! and no faster than its rate, less what gets lost. `cargo xtask bench distance` puts each device into a network of its own.
#![allow(clippy::print_stdout, reason = "the lines of a program go to standard output")]

#[cfg(target_os = "linux")]
mod carry;
mod direction;
mod random;

use clap::Parser;
use direction::Settings;
use std::{error::Error, io, process::ExitCode, time::Duration};

/// A link between two network devices; both directions are alike.
#[derive(Debug, Parser)]
struct Args {
    /// The names of the devices.
    #[arg(long, num_args = 2, required = true)]
    devices: Vec<String>,
    /// Megabits a second.
    #[arg(long)]
    mbit: u64,
    /// Milliseconds from one side to the other.
    #[arg(long)]
    delay: u64,
    /// KiB that may wait for the line.
    #[arg(long)]
    queue: u64,
    /// Packets of a million that are lost at random.
    #[arg(long, default_value_t = 0)]
    loss: u32,
    /// Which packets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    /// A device cannot be made; it takes root.
    #[error("no device {0}")]
    Device(String, #[source] io::Error),
    /// Standard input or output.
    #[error("input or output")]
    Io(#[from] io::Error),
    /// This system has no such devices.
    #[cfg(not(target_os = "linux"))]
    #[error("a link needs Linux")]
    System,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let settings = Settings {
        rate: args.mbit * 1_000_000,
        delay: Duration::from_millis(args.delay),
        queue: args.queue << 10,
        loss: args.loss,
    };
    match run(&args, settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            eprintln!("error: {error} {cause}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn run(args: &Args, settings: Settings) -> Result<(), LinkError> {
    carry::run(&args.devices, settings, args.seed)
}

#[cfg(not(target_os = "linux"))]
fn run(_: &Args, _: Settings) -> Result<(), LinkError> {
    Err(LinkError::System)
}
