//! The project's own checks and generators: `cargo xtask <command>`, one file a command.
#![allow(clippy::print_stdout, reason = "a command's results go to standard output")]

mod attack;
mod bench;
mod causes;
mod child;
mod codegen;
mod dialogue;
mod fuzz;
mod interop;
mod proc;
mod sim;
mod test;
mod tidy;
mod workspace;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand};

/// The project's own checks and generators.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Attack a node from other processes while honest peers use it.
    #[command(disable_help_flag = true)]
    Attack(attack::Args),
    /// Compare Sinew with other libraries and with the plain limits, as two processes each.
    Bench(bench::Args),
    /// Write the Rust code of every protobuf schema, or check that it is up to date.
    Codegen(codegen::Args),
    /// Give the decoders inputs that libFuzzer makes up, for some time each.
    Fuzz(fuzz::Args),
    /// Run Sinew against real peers: go-, rust-, js- and py-libp2p.
    Interop(interop::Args),
    /// Run networks of thousands of nodes in virtual time.
    #[command(disable_help_flag = true)]
    Sim(sim::Args),
    /// Check the rules of the house: layers, purity, sizes, documents.
    Tidy(tidy::Args),
    /// Run every check that a change has to pass, with times and a closing count.
    Test(test::Args),
}

fn main() -> ExitCode {
    let done: Result<(), Box<dyn Error>> = match Xtask::parse().command {
        Command::Attack(args) => attack::run(&args).map_err(Into::into),
        Command::Bench(args) => bench::run(&args).map_err(Into::into),
        Command::Codegen(args) => codegen::run(&args).map_err(Into::into),
        Command::Fuzz(args) => fuzz::run(&args).map_err(Into::into),
        Command::Interop(args) => interop::run(&args).map_err(Into::into),
        Command::Sim(args) => sim::run(&args).map_err(Into::into),
        Command::Tidy(args) => tidy::run(&args).map_err(Into::into),
        Command::Test(args) => test::run(&args).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(error.as_ref()),
    }
}

/// Prints an error with everything that caused it.
fn report(error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("error: {error}");
    causes::causes(error).for_each(|cause| eprintln!("  because: {cause}"));
    ExitCode::FAILURE
}
