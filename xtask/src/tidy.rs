//! `cargo xtask tidy`: the rules of the house that no compiler checks. One module a rule.

mod architecture;
mod dependencies;
mod finding;
mod form;
mod halves;
mod layers;
mod purity;
mod seam;
mod sizes;
mod source;
mod tree;

use std::path::PathBuf;

use finding::Finding;
use tree::{Tree, TreeError};

use crate::workspace;

/// What `cargo xtask tidy` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The workspace to check; this one if absent.
    #[arg(long)]
    root: Option<PathBuf>,
}

/// Why the tree is not tidy, or could not be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TidyError {
    #[error("the workspace cannot be read")]
    Tree(#[from] TreeError),
    #[error("{0} finding(s)")]
    Untidy(usize),
}

/// A rule looks at the whole tree and says what is wrong with it.
type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [Rule; 8] = [
    layers::check,
    halves::check,
    purity::check,
    sizes::check,
    form::check,
    seam::check,
    dependencies::check,
    architecture::check,
];

/// Checks every rule and prints every finding.
pub(crate) fn run(args: &Args) -> Result<(), TidyError> {
    let root = args.root.clone().unwrap_or_else(workspace::root);
    let tree = Tree::read(&root)?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(TidyError::Untidy(count)),
    }
}
