//! The command line of `cargo xtask interop`.

use std::{ffi::OsString, num::NonZero, path::PathBuf};

use super::rows::Suite;

/// What `cargo xtask interop` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Build or install the peers; does nothing where it was done before.
    Setup(SetupArgs),
    /// Show which tests there are, and what is expected of them.
    List(Selection),
    /// Set up, then run the tests.
    Run(RunArgs),
    /// Set one peer up and start its program by hand.
    Peer(PeerArgs),
    /// Write the results of the last run into docs/interop.md.
    Report,
    /// Write the files with which Sinew joins the official suites.
    OfficialFiles {
        /// Where to; target/interop/official if not given.
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct SetupArgs {
    /// Only these peers (ids of interop/peers.toml).
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(super) peer: Vec<String>,
}

/// Which tests.
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// Only these suites; all if not given.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SUITE")]
    pub(super) suite: Vec<Suite>,
    /// Only these peers (ids of interop/peers.toml; `sinew` is Sinew with itself).
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(super) peer: Vec<String>,
    /// Only tests whose id contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// The peers against each other instead of against Sinew: shows whether a failure is a peer's own.
    #[arg(long)]
    pub(super) reference: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) selection: Selection,
    /// Fail, rather than skip, when one of these peers cannot be set up.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(super) require: Vec<String>,
    /// Tests at a time; one a core if not given.
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZero<usize>>,
    /// Run each test this often.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) repeat: NonZero<usize>,
    /// Let the programs of the official suites find each other through the redis there, rather than through one of ours.
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) redis: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct PeerArgs {
    /// Which (ids of interop/peers.toml).
    pub(super) id: String,
    /// What to tell it; interop/README.md says what it takes.
    #[arg(last = true)]
    pub(super) args: Vec<OsString>,
}
