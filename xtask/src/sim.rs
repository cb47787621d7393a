//! `cargo xtask sim`: runs networks in virtual time, in release mode; the program is `sinew-sim`.

use std::{ffi::OsString, io};

use crate::workspace;

/// What `cargo xtask sim` takes: all of it is the program's.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `SCENARIO..`, `--seed N`, `--json`, `--svg FILE`, `--write`; `--help` tells more.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Why nothing was simulated, or not all held that has to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimError {
    #[error("cannot run cargo")]
    Start(#[from] io::Error),
    #[error("not every scenario passed")]
    Failed,
}

/// Builds the program and runs it.
pub(crate) fn run(args: &Args) -> Result<(), SimError> {
    if workspace::run("sinew-sim", &args.args)? {
        Ok(())
    } else {
        Err(SimError::Failed)
    }
}
