//! Tables of tests, and what a run prints at its end.

use std::{collections::BTreeMap, fmt::Write as _};

use super::results::{Results, Word};

/// A Markdown table: a row a pair, a column a test. Where a cell has several values, the greatest is shown.
pub(super) fn table<T: Copy + Ord>(
    cells: impl Iterator<Item = (String, String, T)>,
    text: fn(T) -> &'static str,
) -> String {
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    let mut values: BTreeMap<(String, String), T> = BTreeMap::new();
    for (row, column, value) in cells {
        if !rows.contains(&row) {
            rows.push(row.clone());
        }
        if !columns.contains(&column) {
            columns.push(column.clone());
        }
        let cell = values.entry((row, column)).or_insert(value);
        *cell = value.max(*cell);
    }
    let rule = "---|".repeat(columns.len());
    let mut table = format!("| dialler x listener | {} |\n|---|{rule}\n", columns.join(" | "));
    for row in rows {
        let of_row = columns
            .iter()
            .map(|column| values.get(&(row.clone(), column.clone())));
        let words: Vec<_> = of_row
            .map(|value| value.map_or("-", |value| text(*value)))
            .collect();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {row} | {} |", words.join(" | "));
    }
    table
}

/// The table of a run.
pub(super) fn of_run(results: &Results) -> String {
    let cells = results.tests.iter();
    table(
        cells.map(|test| (test.pair(), test.test.clone(), test.word)),
        Word::text,
    )
}

/// A line for every test of a run that did not just pass.
pub(super) fn remarks(results: &Results) -> String {
    let mut text = String::new();
    for test in &results.tests {
        if let Some(remark) = &test.remark {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {}: {remark}", test.word.text(), test.id());
        }
    }
    text
}

/// How many tests of a run ended in which way. A known bug of a peer counts as skipped.
pub(super) fn closing_line(results: &Results) -> String {
    let passed = results.count(Word::Ok);
    let skipped = results.count(Word::Known) + results.count(Word::Skipped);
    format!("{passed} passed, {} failed, {skipped} skipped", failed(results))
}

/// How many tests of a run failed, or passed where they should not have.
pub(super) fn failed(results: &Results) -> usize {
    results.count(Word::Failed) + results.count(Word::Surprise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::results::{About, Record};

    fn test(dialer: &str, test: &str, word: Word, remark: Option<&str>) -> Record {
        Record {
            dialer: dialer.into(),
            listener: "go".into(),
            stack: "quic-v1".into(),
            test: test.into(),
            word,
            remark: remark.map(str::to_owned),
            seconds: 1.0,
        }
    }

    #[test]
    fn the_table_has_a_row_a_pair_and_the_line_counts_all() {
        let results = Results {
            about: About::default(),
            tests: vec![
                test("sinew", "ping", Word::Ok, None),
                test("sinew", "echo", Word::Ok, None),
                test("js", "ping", Word::Failed, Some("no answer")),
                test("js", "ping", Word::Ok, None),
                test("py", "echo", Word::Known, Some("slow")),
                test("py", "push", Word::Skipped, Some("no py")),
            ],
        };
        assert_eq!(
            of_run(&results),
            "| dialler x listener | ping | echo | push |\n|---|---|---|---|\n\
             | sinew x go (quic-v1) | ok | ok | - |\n\
             | js x go (quic-v1) | FAILED | - | - |\n\
             | py x go (quic-v1) | - | known | skipped |\n"
        );
        assert_eq!(
            remarks(&results),
            "FAILED js x go (quic-v1) ping: no answer\n\
             known py x go (quic-v1) echo: slow\n\
             skipped py x go (quic-v1) push: no py\n"
        );
        assert_eq!(closing_line(&results), "3 passed, 1 failed, 2 skipped");
        assert_eq!(failed(&results), 1);
    }
}
