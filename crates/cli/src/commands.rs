//! The commands.

mod chat;
mod demo;
mod demo_node;
mod demo_stack;
pub(crate) mod dial;
mod identify;
mod key;
mod node;
mod peers;
mod perf;
mod ping;
mod receive;
mod send;

use crate::{
    args::{Args, Command},
    error::CliError,
    output::{self, Output},
};
use clap::CommandFactory;

/// Runs what the command line asks for.
pub(crate) async fn run(args: Args, output: &Output) -> Result<(), CliError> {
    match args.command {
        Command::Demo { size, stack } => demo::run(size << 20, &stack, output).await,
        Command::DemoNode(command) => demo_node::run(command, output).await,
        Command::Node(args) => node::run(&args, output).await,
        Command::Peers { file } => peers::run(&file, output),
        Command::Dial {
            targets,
            explain,
            peerstore,
            key,
        } => dial::run(targets, explain, peerstore.as_deref(), &key, output).await,
        Command::Ping {
            addr,
            count,
            interval,
            key,
        } => ping::run(&addr, count, interval, &key, output).await,
        Command::Identify { addr, key } => identify::run(&addr, &key, output).await,
        Command::Key(command) => key::run(command, output),
        Command::Send {
            file,
            addr,
            code,
            key,
        } => send::run(&file, &addr, code, &key, output).await,
        Command::Receive {
            from,
            dir,
            max_size,
            listening,
        } => receive::run(from, &dir, max_size.saturating_mul(1 << 20), &listening, output).await,
        Command::Chat(args) => chat::run(&args, output).await,
        Command::Perf(command) => perf::run(command, output).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "sinew", &mut script);
            output::raw(&script);
            Ok(())
        }
    }
}
