//! The command line that all programs share.

use clap::{Parser, Subcommand, ValueEnum};
use std::net::Ipv4Addr;

/// What a program is to do.
#[derive(Debug, Parser)]
pub enum Args {
    /// One side of a measurement.
    #[command(flatten)]
    Side(Side),
    /// Starts many nodes of gossipsub, has them publish when a line comes on standard input, and stays until that ends.
    Pubsub(PubsubArgs),
}

impl Args {
    /// Reads the program's arguments, and ends it where they are wrong.
    #[must_use]
    pub fn read() -> Self {
        Self::parse()
    }
}

/// The side.
#[derive(Debug, Subcommand)]
pub enum Side {
    /// Listens on a free port, and serves until standard input ends.
    Server {
        /// `tcp/noise/yamux`, `tcp/tls/yamux`, `ws/noise/yamux`, `quic-v1`.
        #[arg(long)]
        stack: String,
        /// Where it listens.
        #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
        ip: Ipv4Addr,
    },
    /// Prepares a case, measures it when a line comes on standard input, and stays until that ends.
    Client(ClientArgs),
}

impl Side {
    /// What the program is to be built of.
    #[must_use]
    pub fn stack(&self) -> &str {
        match self {
            Self::Server { stack, .. } => stack,
            Self::Client(client) => &client.stack,
        }
    }
}

/// How many nodes publish, and how.
#[derive(Debug, clap::Args)]
pub struct PubsubArgs {
    /// As a server's.
    #[arg(long)]
    pub stack: String,
    /// A connection between any two, instead of one from each to the first.
    #[arg(long)]
    pub full: bool,
    /// Messages are signed.
    #[arg(long)]
    pub signed: bool,
    /// How many, at most 63.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..64))]
    pub nodes: u32,
    /// For how long.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

/// What is measured.
#[derive(Debug, clap::Args)]
pub struct ClientArgs {
    /// As the server's.
    #[arg(long)]
    pub stack: String,
    /// The address that the server printed.
    #[arg(long)]
    pub addr: String,
    /// What is measured.
    #[arg(long, value_enum)]
    pub case: Case,
    /// Streams, dials or requests at a time; the number of connections where they are counted.
    #[arg(long, default_value_t = 1)]
    pub streams: usize,
    /// For how long; what makes connections takes what it takes.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

/// The cases; `benches/README.md` defines them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Case {
    /// From the client to the server.
    BulkUp,
    /// From the server to the client.
    BulkDown,
    /// Dial and close.
    Handshake,
    /// Dial, one request, close.
    FirstByte,
    /// A stream a request.
    Rr,
    /// Requests beside a bulk stream.
    Mixed,
    /// Connections that do nothing.
    Idle,
    /// Connections that did something, and do nothing now.
    Traffic,
    /// Connections that do nothing, and after another line a request a second each.
    Scale,
}
