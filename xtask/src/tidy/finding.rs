//! What a rule found: where, which rule, what is wrong and what to do.

use std::fmt;

/// One breach of one rule. Sorted by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// Path from the workspace's root, with forward slashes.
    pub(super) file: String,
    /// Line, from 1.
    pub(super) line: usize,
    /// Name of the rule.
    pub(super) rule: &'static str,
    /// What is wrong.
    pub(super) problem: String,
    /// What to do about it.
    pub(super) remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            rule,
            problem,
            remedy,
        } = self;
        write!(f, "{file}:{line}: [{rule}] {problem}; {remedy}")
    }
}
