//! `cargo xtask attack`: runs the program that attacks a node, in release mode; the program is `sinew-attack`.

use std::{ffi::OsString, io};

use crate::workspace;

/// What `cargo xtask attack` takes: all of it is the program's.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `--row NAME`, `--target ours|rust`, `--seconds N`, `--json`; `scale --connections N`; `--help` tells more.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Why an attack was not made, or the target did not stand it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttackError {
    #[error("cannot run cargo")]
    Start(#[from] io::Error),
    #[error("not every row passed")]
    Failed,
}

/// Builds the program and runs it.
pub(crate) fn run(args: &Args) -> Result<(), AttackError> {
    if workspace::run("sinew-attack", &args.args)? {
        Ok(())
    } else {
        Err(AttackError::Failed)
    }
}
