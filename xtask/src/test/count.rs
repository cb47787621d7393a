//! How many checks passed and failed, read from what a command prints.

use std::{
    fmt,
    ops::{Add, AddAssign},
};

/// Results of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

impl Count {
    /// Reads `... 3 passed; 1 failed ...` (cargo test) or `3 passed, 1 failed`; any other line counts nothing.
    pub(super) fn of_line(line: &str) -> Self {
        let line = line.trim();
        let text = match line.strip_prefix("test result:") {
            Some(rest) => rest.split_once(". ").map_or("", |(_, rest)| rest),
            None => line,
        };
        let mut parts = text.split([';', ',']).map(str::trim);
        let (passed, failed) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let number = |part: &str, word: &str| part.strip_suffix(word)?.trim().parse().ok();
        match (number(passed, "passed"), number(failed, "failed")) {
            (Some(passed), Some(failed)) => Self { passed, failed },
            _ => Self::default(),
        }
    }

    /// A command that succeeds and names no results is one check.
    pub(super) fn or_one_passed(self) -> Self {
        let passed = if self == Self::default() { 1 } else { self.passed };
        Self { passed, ..self }
    }

    /// A command that fails has at least one failure.
    pub(super) fn with_a_failure(self) -> Self {
        Self {
            failed: self.failed.max(1),
            ..self
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_name_results() {
        let cargo = "test result: FAILED. 25 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.14s";
        let wanted = Count {
            passed: 25,
            failed: 1,
        };
        assert_eq!(Count::of_line(cargo), wanted);
        assert_eq!(Count::of_line("25 passed, 1 failed"), wanted);
    }

    #[test]
    fn lines_that_name_none() {
        for line in [
            "",
            "ok",
            "3 passed",
            "test result: ok",
            "x passed, y failed",
            "25 tests passed, 1 failed",
        ] {
            assert_eq!(Count::of_line(line), Count::default(), "{line}");
        }
    }

    #[test]
    fn a_command_always_counts() {
        let none = Count::default();
        assert_eq!(none.or_one_passed(), Count { passed: 1, failed: 0 });
        assert_eq!(none.with_a_failure(), Count { passed: 0, failed: 1 });
        let some = Count { passed: 3, failed: 2 };
        assert_eq!(some.or_one_passed(), some);
        assert_eq!(some.with_a_failure(), some);
    }
}
