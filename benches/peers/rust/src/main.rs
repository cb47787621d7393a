//! A bare rust-libp2p swarm, as `cargo xtask bench compare` measures it (`benches/README.md`).

mod behaviour;
mod handler;
mod node;
mod pubsub;
mod stack;

use std::process::ExitCode;

use sinew_bench_cases::{Args, ended, run, run_pubsub};

/// As Sinew's program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ended(match Args::read() {
        Args::Side(side) => run::<node::SwarmNode>(&side),
        Args::Pubsub(args) => run_pubsub::<pubsub::PubsubSwarm>(&args),
    })
}
