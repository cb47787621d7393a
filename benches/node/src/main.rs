//! A Sinew node, and the plain limits, as `cargo xtask bench compare` measures them (`benches/README.md`).

mod plain_quinn;
mod plain_tcp;
mod sinew_node;
mod sinew_pubsub;

use plain_quinn::PlainQuinn;
use plain_tcp::PlainTcp;
use sinew_bench_cases::{Args, BenchError, Side, ended, run, run_pubsub};
use sinew_node::SinewNode;
use sinew_pubsub::SinewPubsub;
use std::process::ExitCode;

/// The allocator of the command; that of the rust-libp2p program too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ended(match Args::read() {
        Args::Side(side) => run_side(&side),
        Args::Pubsub(args) => run_pubsub::<SinewPubsub>(&args),
    })
}

fn run_side(side: &Side) -> Result<(), BenchError> {
    match side.stack() {
        "plain-tcp" => run::<PlainTcp>(side),
        "plain-quinn" | "plain-quinn-high" | "plain-quinn-own" => run::<PlainQuinn>(side),
        _ => run::<SinewNode>(side),
    }
}
