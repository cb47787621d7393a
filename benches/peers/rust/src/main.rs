//! A bare rust-libp2p swarm, as `cargo xtask bench compare` measures it (`benches/README.md`).

mod behaviour;
mod handler;
mod node;
mod stack;

use std::{error::Error, process::ExitCode};

use sinew_bench_cases::{Args, run};

/// As Sinew's program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let Err(error) = run::<node::SwarmNode>(&Args::read()) else {
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
