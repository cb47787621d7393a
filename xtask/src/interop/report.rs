//! The table of results, and the closing line.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use super::runner::{Done, Outcome};

/// How many tests ended in which way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// Prints the table, what failed or was skipped, and the closing line.
pub(crate) fn print(done: &[Done<'_>]) -> Summary {
    let summary = summary(done);
    println!("\n{}\n{}{summary}", table(done), remarks(done));
    summary
}

fn summary(done: &[Done<'_>]) -> Summary {
    let mut summary = Summary::default();
    for one in done {
        match one.outcome {
            Outcome::Passed => summary.passed += 1,
            Outcome::Failed(_) | Outcome::Surprise => summary.failed += 1,
            Outcome::Known(_) | Outcome::Skipped(_) => summary.skipped += 1,
        }
    }
    summary
}

/// A Markdown table: a row a pair, a column a test.
fn table(done: &[Done<'_>]) -> String {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<String> = Vec::new();
    let mut cells: BTreeMap<(String, String), &'static str> = BTreeMap::new();
    for one in done {
        let (row, column) = (one.case.pair(), one.case.test.to_string());
        if !rows.contains(&row) {
            rows.push(row.clone());
        }
        if !columns.contains(&column) {
            columns.push(column.clone());
        }
        let cell = cells.entry((row, column)).or_insert("ok");
        *cell = worse(cell, word(&one.outcome));
    }
    let mut text = format!(
        "| dialler x listener | {} |\n|---|{}\n",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
    for row in rows {
        let words = columns
            .iter()
            .map(|column| cells.get(&(row.clone(), column.clone())).copied().unwrap_or("-"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {row} | {} |", words.collect::<Vec<_>>().join(" | "));
    }
    text
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "ok",
        Outcome::Failed(_) => "FAILED",
        Outcome::Known(_) => "known",
        Outcome::Surprise => "SURPRISE",
        Outcome::Skipped(_) => "skipped",
    }
}

/// Of a test that ran several times, the worst outcome is shown.
fn worse(one: &'static str, other: &'static str) -> &'static str {
    if one == "FAILED" || other == "ok" {
        one
    } else {
        other
    }
}

fn remarks(done: &[Done<'_>]) -> String {
    let mut text = String::new();
    for one in done {
        let remark = match &one.outcome {
            Outcome::Failed(error) => error.as_str(),
            Outcome::Surprise => "passed in spite of interop/known.toml",
            Outcome::Skipped(reason) | Outcome::Known(reason) => reason.as_str(),
            Outcome::Passed => continue,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {}: {remark}", word(&one.outcome), one.case.id());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        interop::{
            cases::{self, Test},
            peers::{self, Places},
        },
        workspace,
    };

    #[test]
    fn the_table_has_a_row_a_pair_and_the_line_counts_all() {
        let peers = peers::load(&Places::new(workspace::root())).unwrap();
        let others = peers.select(&["js".to_owned()]).unwrap();
        let cases = cases::against(peers.ours().unwrap(), &others);
        let done: Vec<_> = cases
            .into_iter()
            .filter(|case| case.id().contains("(tcp, noise, yamux)"))
            .filter(|case| matches!(case.test, Test::Ping | Test::Echo))
            .map(|case| {
                let outcome = match (case.dialer.id.as_str(), &case.test) {
                    ("js", Test::Ping) => Outcome::Failed("no answer".to_owned()),
                    ("js", _) => Outcome::Known("slow".to_owned()),
                    _ => Outcome::Passed,
                };
                Done {
                    case,
                    outcome,
                    took: Duration::ZERO,
                }
            })
            .collect();
        assert_eq!(
            table(&done),
            "| dialler x listener | ping | echo |\n|---|---|---|\n\
             | sinew x js (tcp, noise, yamux) | ok | ok |\n\
             | js x sinew (tcp, noise, yamux) | FAILED | known |\n"
        );
        assert_eq!(
            remarks(&done),
            "FAILED js x sinew (tcp, noise, yamux) ping: no answer\n\
             known js x sinew (tcp, noise, yamux) echo: slow\n"
        );
        assert_eq!(summary(&done).to_string(), "2 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn one_failure_of_many_runs_is_shown() {
        assert_eq!(worse("FAILED", "ok"), "FAILED");
        assert_eq!(worse("ok", "FAILED"), "FAILED");
        assert_eq!(worse("ok", "ok"), "ok");
    }
}
