//! A Sinew node, and the plain limits, as `cargo xtask bench compare` measures them (`benches/README.md`).

mod plain_quinn;
mod plain_tcp;
mod sinew_node;

use plain_quinn::PlainQuinn;
use plain_tcp::PlainTcp;
use sinew_bench_cases::{Args, BenchError, run};
use sinew_node::SinewNode;
use std::{error::Error, process::ExitCode};

/// The allocator of the command; that of the rust-libp2p program too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = Args::read();
    let done = match args.stack() {
        "plain-tcp" => run::<PlainTcp>(&args),
        "plain-quinn" | "plain-quinn-high" | "plain-quinn-own" => run::<PlainQuinn>(&args),
        _ => run::<SinewNode>(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

fn failure(error: &BenchError) -> ExitCode {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
    ExitCode::FAILURE
}
