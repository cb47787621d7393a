//! The report as a table in Markdown.

use super::{Line, Report, network::Carried};
use crate::bench::{
    report::Cell,
    table::{aligned, number, paragraphs},
};

const HEAD: [&str; 9] = [
    "path",
    "who",
    "stack",
    "MiB/s",
    "CPU c + s, s/GiB",
    "beside",
    "ratio",
    "target",
    "link",
];

/// The table, with what it was measured on above and what failed below.
pub(super) fn markdown(report: &Report) -> String {
    let rows: Vec<_> = report.lines.iter().flat_map(rows).collect();
    paragraphs([
        preamble(report),
        aligned(&HEAD.map(str::to_owned), &rows),
        failures(report),
    ])
}

fn preamble(report: &Report) -> String {
    let buffers = report
        .buffers
        .map(|(name, value)| format!("`{name}` {value}"))
        .join(", ");
    let versions = report.versions.values().cloned().collect::<Vec<_>>().join(", ");
    format!(
        "{} {versions}. Medians of {} runs of {} s each, with min and max; 1 Gbit/s, packets of 1,500 bytes, a queue of what the \
         path holds. {buffers}; at 100 ms TCP has {}. Link: packets that a full queue dropped, that got lost, and the share that came \
         out more than 1 ms late, in all runs and on the way from the client to the server.",
        report.machine.summary(),
        report.rounds,
        report.seconds,
        report.congestion,
    )
}

/// One row a limit; one for what has none.
fn rows(line: &Line) -> Vec<Vec<String>> {
    let beside = |beside: &str, ratio: String, target: String| {
        let (figure, cpu) = figures(&line.cell);
        vec![
            line.path.name.to_owned(),
            line.runner.subject.to_string(),
            line.runner.stack.to_owned(),
            figure,
            cpu,
            beside.to_owned(),
            ratio,
            target,
            link(&line.carried),
        ]
    };
    if line.verdicts.is_empty() {
        return vec![beside("", String::new(), String::new())];
    }
    let of = |verdict: &super::Verdict| {
        let met = if verdict.met { "met" } else { "**missed**" };
        let target = match verdict.target {
            "" => String::new(),
            target => format!("{target} {met}"),
        };
        beside(verdict.beside, format!("{:.2}", verdict.ratio), target)
    };
    line.verdicts.iter().map(of).collect()
}

fn figures(cell: &Cell) -> (String, String) {
    let Some(summary) = cell.summary() else {
        return ("failed".to_owned(), String::new());
    };
    let figure = format!(
        "{} ({}–{})",
        number(summary.median),
        number(summary.min),
        number(summary.max)
    );
    let cpu = summary
        .cpu
        .map(|[client, server]| format!("{} + {}", number(client), number(server)));
    (figure, cpu.unwrap_or_default())
}

fn link(carried: &[[Carried; 2]]) -> String {
    // Of the device in the client's network.
    let sum = |part: fn(&Carried) -> u64| carried.iter().map(|[_, up]| part(up)).sum::<u64>();
    let late = 100.0 * sum(|up| up.late) as f64 / sum(|up| up.carried).max(1) as f64;
    format!("{} + {}, {late:.1} %", sum(|up| up.dropped), sum(|up| up.lost))
}

fn failures(report: &Report) -> String {
    let failed = |line: &Line| match &line.cell {
        Cell::Failed(reason) => Some(format!(
            "- {}, {} {}: {reason}",
            line.path.name, line.runner.subject, line.runner.stack
        )),
        Cell::Measured(_) => None,
    };
    report
        .lines
        .iter()
        .filter_map(failed)
        .collect::<Vec<_>>()
        .join("\n")
}
