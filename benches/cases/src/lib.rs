//! What the programs of `cargo xtask bench compare` measure, and how, whatever library they are built on.
//!
//! A program implements [`Node`], [`Connection`] and [`Stream`] on its library and hands over with [`run`], or [`PubsubNode`]
//! and [`run_pubsub`]; the loops, the clock and the lines that it speaks with the runner are the same for all. `benches/README.md` defines cases and lines.
#![allow(clippy::print_stdout, reason = "the lines of a program go to standard output")]

mod args;
mod buffered;
mod bulk;
mod client;
mod control;
mod dial;
mod error;
mod figures;
mod mixed;
mod node;
mod pubsub;
mod request;
mod server;

pub use args::{Args, Case, PubsubArgs, Side};
pub use buffered::Buffered;
pub use error::{BenchError, ended};
pub use node::{Connection, Node, Served, Service, Stream};
pub use pubsub::{Inbox, PubsubNode, TOPIC};
pub use server::serve;

/// Threads of a program's runtime: as many as the machine that the targets were set on has cores.
const WORKERS: usize = 2;

/// Runs one side of a measurement on this library until it is done, or standard input ends.
///
/// # Errors
/// [`BenchError`], when the measurement could not be made.
pub fn run<N: Node>(side: &Side) -> Result<(), BenchError> {
    runtime()?.block_on(async {
        match side {
            Side::Server { stack, ip } => server::run::<N>(stack, *ip).await,
            Side::Client(client) => client::run::<N>(client).await,
        }
    })
}

/// Runs nodes of gossipsub of this library until standard input ends.
///
/// # Errors
/// [`BenchError`], when the measurement could not be made.
pub fn run_pubsub<N: PubsubNode>(args: &PubsubArgs) -> Result<(), BenchError> {
    runtime()?.block_on(pubsub::run::<N>(args))
}

fn runtime() -> Result<tokio::runtime::Runtime, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    Ok(runtime)
}
