//! The results on a page of the documentation: a matrix of Sinew and each peer, between two marks.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use super::{
    InteropError,
    peers::{OURS, Places},
    results::{Record, Results, Word, store},
    rows::{Suite, suite_of},
};

const PAGE: &str = "docs/interop.md";
const BEGIN: &str = "<!-- results: written by `cargo xtask interop report` -->\n";
const END: &str = "<!-- end of results -->\n";

/// Puts the results of the last run on the page.
pub(super) fn write(results: &Results, places: &Places) -> Result<(), InteropError> {
    let path = places.root.join(PAGE);
    let page = fs::read_to_string(&path).map_err(|source| InteropError::File {
        path: path.clone(),
        source,
    })?;
    let page = replaced(&page, &text(results)).ok_or(InteropError::NoMarks {
        page: PAGE,
        begin: BEGIN,
    })?;
    store(&path, &page)
}

/// The page with this between its marks.
fn replaced(page: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{text}\n{END}{after}"))
}

fn text(results: &Results) -> String {
    let tests: Vec<&Record> = results
        .tests
        .iter()
        .filter(|test| other(test).is_some())
        .collect();
    let count = |word| tests.iter().filter(|test| test.word == word).count();
    let (topics, streams): (Vec<_>, Vec<_>) = tests.iter().partition(|test| is_about_topics(test));
    format!(
        "{} tests on {}: {} passed, {} met a known bug of the peer, {} failed, {} were not run. A cell says how many tests \
         passed, then how many did not.\n\n{}\n{}\n{}\n{}",
        tests.len(),
        results.about.date,
        count(Word::Ok),
        count(Word::Known),
        count(Word::Failed) + count(Word::Surprise),
        count(Word::Skipped),
        versions(results),
        matrix("stack", &streams, |test| &test.stack),
        matrix("publish and subscribe", &topics, |test| &test.test),
        bugs(&tests),
    )
}

fn versions(results: &Results) -> String {
    let mut text = "| peer | version |\n|---|---|\n".to_owned();
    for (id, version) in &results.about.versions {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {id} | {version} |");
    }
    text
}

fn is_about_topics(test: &Record) -> bool {
    suite_of(&test.test) == Some(Suite::Pubsub)
}

/// Two columns a peer: as the listener and as the dialler.
fn matrix<'a>(heading: &str, tests: &[&'a Record], row: fn(&'a Record) -> &'a str) -> String {
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    let mut cells: BTreeMap<(&str, String), Cell> = BTreeMap::new();
    for test in tests {
        let (row, column) = (row(test), column(test));
        if !rows.contains(&row) {
            rows.push(row);
        }
        if !columns.contains(&column) {
            columns.push(column.clone());
        }
        cells.entry((row, column)).or_default().add(test.word);
    }
    let mut text = format!(
        "| {heading} | {} |\n|---|{}\n",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
    for row in rows {
        let of_row = columns.iter().map(|column| cells.get(&(row, column.clone())));
        let texts: Vec<_> = of_row
            .map(|cell| cell.map_or("-".to_owned(), Cell::text))
            .collect();
        let _ = writeln!(text, "| {row} | {} |", texts.join(" | "));
    }
    text
}

fn column(test: &Record) -> String {
    match (test.dialer.as_str(), test.listener.as_str()) {
        (OURS, OURS) => "itself".to_owned(),
        (OURS, listener) => format!("to {listener}"),
        (dialer, _) => format!("from {dialer}"),
    }
}

/// The side that is not ours; ours in a test with itself; none in a test of others.
fn other(test: &Record) -> Option<&str> {
    match (test.dialer.as_str(), test.listener.as_str()) {
        (OURS, other) | (other, OURS) => Some(other),
        _ => None,
    }
}

/// How many tests ended in which way.
#[derive(Default)]
struct Cell(BTreeMap<Word, usize>);

impl Cell {
    fn add(&mut self, word: Word) {
        *self.0.entry(word).or_default() += 1;
    }

    fn text(&self) -> String {
        let texts: Vec<_> = self
            .0
            .iter()
            .map(|(word, count)| format!("{count} {}", word.text()))
            .collect();
        texts.join(", ")
    }
}

/// What is behind the tests that did not pass: each reason once, with the peer and how many tests it stopped.
fn bugs(tests: &[&Record]) -> String {
    let mut counts: Vec<((Word, &str, &str), usize)> = Vec::new();
    for test in tests {
        let (Some(other), Some(remark)) = (other(test), test.remark.as_deref()) else {
            continue;
        };
        let key = (test.word, other, remark);
        match counts.iter_mut().find(|(found, _)| *found == key) {
            Some((_, count)) => *count += 1,
            None => counts.push((key, 1)),
        }
    }
    let mut text = "| tests | | with | because |\n|---|---|---|---|\n".to_owned();
    for ((word, other, remark), count) in counts {
        let remark = remark.replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(text, "| {count} | {} | {other} | {remark} |", word.text());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::results::About;

    fn test(dialer: &str, listener: &str, stack: &str, word: Word) -> Record {
        Record {
            dialer: dialer.into(),
            listener: listener.into(),
            stack: stack.into(),
            test: "ping".into(),
            word,
            remark: (word != Word::Ok).then(|| "a | b".to_owned()),
            seconds: 1.0,
        }
    }

    #[test]
    fn the_page_has_versions_a_matrix_and_reasons() {
        let results = Results {
            about: About {
                date: "2026-11-27".into(),
                versions: BTreeMap::from([("go".into(), "go-libp2p 0.51.0".into())]),
            },
            tests: vec![
                test("sinew", "go", "quic-v1", Word::Ok),
                test("sinew", "go", "quic-v1", Word::Known),
                test("go", "sinew", "quic-v1", Word::Ok),
                test("sinew", "sinew", "tcp", Word::Ok),
                test("go", "js", "tcp", Word::Failed),
                Record {
                    test: "idontwant".into(),
                    ..test("go", "sinew", "tcp", Word::Ok)
                },
            ],
        };
        let text = text(&results);
        assert!(
            text.starts_with(
                "5 tests on 2026-11-27: 4 passed, 1 met a known bug of the peer, 0 failed, 0 were"
            ),
            "{text}"
        );
        assert!(text.contains("| go | go-libp2p 0.51.0 |"), "{text}");
        let matrix = "| stack | to go | from go | itself |\n|---|---|---|---|\n\
                      | quic-v1 | 1 ok, 1 known | 1 ok | - |\n| tcp | - | - | 1 ok |\n";
        assert!(text.contains(matrix), "{text}");
        let topics = "| publish and subscribe | from go |\n|---|---|\n| idontwant | 1 ok |\n";
        assert!(text.contains(topics), "{text}");
        assert!(text.ends_with("| 1 | known | go | a \\| b |\n"), "{text}");
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("# Page\n{BEGIN}old\n{END}end\n");
        assert_eq!(
            replaced(&page, "new\n"),
            Some(format!("# Page\n{BEGIN}\nnew\n\n{END}end\n"))
        );
        assert_eq!(replaced("# Page\n", "new\n"), None);
    }
}
