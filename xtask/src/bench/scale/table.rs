//! The report as a table in Markdown.

use super::{Held, Outcome, Report};
use crate::bench::{
    rows::Subject,
    table::{aligned, number, paragraphs},
};

/// A row: its name, how it is taken from what a node held, and whether nodes are compared by it.
type Row = (&'static str, fn(&Held) -> f64, bool);

const ROWS: [Row; 10] = [
    ("connections made, per s", |held| held.connected, false),
    ("memory a connection, idle, KiB", |held| held.idle_kib, true),
    ("while asked, KiB", |held| held.asked_kib, true),
    ("and idle again, KiB", |held| held.after_kib, true),
    ("CPU while idle, ms a second", |held| held.idle_cpu, true),
    ("CPU a request, µs", |held| held.cpu_us, true),
    ("requests answered, per s", |held| held.answered, false),
    ("requests failed", |held| held.failed, false),
    ("p50, µs", |held| held.p50_us, true),
    ("p99, µs", |held| held.p99_us, true),
];

const OTHERS: [Subject; 2] = [Subject::Rust, Subject::Go];

/// The table, with what it was measured on above and what failed below.
pub(super) fn markdown(report: &Report) -> String {
    let head = [
        "of the node",
        "sinew",
        "rust-libp2p",
        "go-libp2p",
        "× rust",
        "× go",
    ]
    .map(str::to_owned);
    let rows: Vec<_> = ROWS.iter().map(|of| row(report, of)).collect();
    paragraphs([preamble(report), aligned(&head, &rows), failures(report)])
}

fn preamble(report: &Report) -> String {
    let versions = report.versions.values().cloned().collect::<Vec<_>>().join(", ");
    format!(
        "{} {versions}. {} connections over {}, from one process that is Sinew for every node; {} s idle, then {} s with a request \
         a second on each, spread evenly. Medians of {} runs.",
        report.machine.summary(),
        report.connections,
        report.stack,
        report.seconds,
        report.seconds,
        report.rounds,
    )
}

fn row(report: &Report, (name, pick, is_compared): &Row) -> Vec<String> {
    let figure = |subject| match report.nodes.get(&subject)? {
        Outcome::Measured(held) => Some(pick(held)),
        Outcome::Failed(_) => None,
    };
    let cell = |subject| figure(subject).map_or_else(String::new, number);
    let ratio = |subject| {
        let ratio = figure(Subject::Sinew).zip(figure(subject));
        let ratio = ratio.filter(|_| *is_compared).map(|(ours, theirs)| ours / theirs);
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
    };
    let figures = [Subject::Sinew].into_iter().chain(OTHERS).map(cell);
    let ratios = OTHERS.map(ratio);
    [(*name).to_owned()]
        .into_iter()
        .chain(figures)
        .chain(ratios)
        .collect()
}

fn failures(report: &Report) -> String {
    let failed = report
        .nodes
        .iter()
        .filter_map(|(subject, outcome)| match outcome {
            Outcome::Failed(reason) => Some(format!("- {subject}: {reason}")),
            Outcome::Measured(_) => None,
        });
    failed.collect::<Vec<_>>().join("\n")
}
