//! What the programs of `cargo xtask bench compare` measure, and how, whatever library they are built on.
//!
//! A program implements [`Node`], [`Connection`] and [`Stream`] on its library and hands over with [`run`]; the loops, the
//! clock and the lines that it speaks with the runner are the same for all. `benches/README.md` defines cases and lines.
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
mod request;
mod server;

pub use args::{Args, Case, Role};
pub use buffered::Buffered;
pub use error::BenchError;
pub use node::{Connection, Node, Served, Service, Stream};
pub use server::serve;

/// Threads of a program's runtime: as many as the machine that the targets were set on has cores.
const WORKERS: usize = 2;

/// Runs the program's role on this library until it is done, or standard input ends.
///
/// # Errors
/// [`BenchError`], when the measurement could not be made.
pub fn run<N: Node>(args: &Args) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match &args.role {
            Role::Server { stack, ip } => server::run::<N>(stack, *ip).await,
            Role::Client(client) => client::run::<N>(client).await,
        }
    })
}
