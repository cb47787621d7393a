//! The `sinew` command: run, ping, identify and measure libp2p nodes, and send files between them.

mod args;
mod commands;
mod error;
mod local;
mod output;
mod transfer;

use args::Args;
use output::Output;
use std::process::ExitCode;

/// Gives freed memory back to the system; the usual allocator keeps most of it after many connections.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = Args::read();
    output::start_tracing(args.verbose);
    let output = Output::new(args.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&error::CliError::io("starting the runtime", error)),
    };
    let outcome = runtime.block_on(commands::run(args, &output));
    // A read of standard input may be under way, and would be waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output.fail(&error),
    }
}
