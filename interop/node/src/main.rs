//! A Sinew node for the interop suite: commands come as JSON lines on stdin, answers go to stdout.

mod control;
mod data;
mod echo;
mod journal;
mod node;

use std::{error::Error, process::ExitCode};

use clap::{Parser, ValueEnum};
use sinew::Keypair;

/// RSA keys have the size that every libp2p stack takes.
const RSA_BITS: usize = 2048;

/// A Sinew node for the interop suite (interop/README.md).
#[derive(Debug, Parser)]
enum Args {
    /// Do what the lines on stdin ask for, until stdin ends.
    Control {
        /// The type of the identity key.
        #[arg(long, value_enum, default_value = "ed25519")]
        key: Key,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Key {
    Ed25519,
    Secp256k1,
    Ecdsa,
    Rsa,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let Args::Control { key } = Args::parse();
    match run(key).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-node: {}", control::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(key: Key) -> Result<(), Box<dyn Error>> {
    let keypair = match key {
        Key::Ed25519 => Keypair::generate(),
        Key::Secp256k1 => Keypair::generate_secp256k1(),
        Key::Ecdsa => Keypair::generate_ecdsa(),
        Key::Rsa => Keypair::generate_rsa(RSA_BITS)?,
    };
    node::Node::start(keypair).await?.run().await
}
