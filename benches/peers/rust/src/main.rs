//! A bare rust-libp2p swarm, as `cargo xtask bench compare` measures it (`benches/README.md`).

mod behaviour;
mod handler;
mod node;
mod pubsub;
mod stack;

use std::{error::Error, process::ExitCode};

use sinew_bench_cases::{Args, run, run_pubsub};

/// As Sinew's program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let done = match Args::read() {
        Args::Side(side) => run::<node::SwarmNode>(&side),
        Args::Pubsub(args) => run_pubsub::<pubsub::PubsubSwarm>(&args),
    };
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
    ExitCode::FAILURE
}
