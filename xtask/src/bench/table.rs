//! The report as a table in Markdown, which reads well in a terminal too.

use super::{
    figures::Summary,
    report::{Cell, Line, Report},
    rows::Subject,
};

const HEAD: [&str; 11] = [
    "case",
    "stack",
    "unit",
    "sinew",
    "rust-libp2p",
    "go-libp2p",
    "limit",
    "× rust",
    "× go",
    "× limit",
    "CPU c + s",
];

/// The table, with what it was measured on above and the targets below.
pub(crate) fn markdown(report: &Report) -> String {
    let rows = report.lines.iter().map(row).collect::<Vec<_>>();
    let verdicts = report.lines.iter().flat_map(verdicts).collect::<Vec<_>>();
    let head = ["case", "stack", "target", "reached", "met"].map(str::to_owned);
    let (columns, rows) = filled(&HEAD.map(str::to_owned), &rows);
    paragraphs([
        preamble(report),
        aligned(&columns, &rows),
        "Targets:".to_owned(),
        aligned(&head, &verdicts),
        failures(report),
    ])
}

/// Without the columns that are empty in every row.
fn filled(head: &[String], rows: &[Vec<String>]) -> (Vec<String>, Vec<Vec<String>>) {
    let is_filled = |column: usize| rows.iter().any(|row| !row[column].is_empty());
    let columns: Vec<usize> = (0..head.len()).filter(|column| is_filled(*column)).collect();
    let pick = |row: &[String]| columns.iter().map(|column| row[*column].clone()).collect();
    (pick(head), rows.iter().map(|row| pick(row)).collect())
}

/// The parts of a page that are not empty.
pub(super) fn paragraphs<const N: usize>(parts: [String; N]) -> String {
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n\n")
}

fn preamble(report: &Report) -> String {
    let versions = report.versions.values().cloned().collect::<Vec<_>>().join(", ");
    let has_cpu = report.lines.iter().any(|line| line.cpu_unit.is_some());
    let cpu = if has_cpu {
        "; CPU of sinew's client + server, of rust-libp2p's in brackets"
    } else {
        ""
    };
    format!(
        "{} {versions}. Medians of {} runs of {} s each, with min and max{cpu}.",
        report.machine.summary(),
        report.rounds,
        report.seconds,
    )
}

fn row(line: &Line) -> Vec<String> {
    let cell = |subject| line.cells.get(&subject).map_or_else(String::new, figure);
    let ratio = |subject| {
        let ratio = line.ratios.get(&subject);
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
    };
    vec![
        line.case.clone(),
        line.stack.to_owned(),
        line.unit.to_owned(),
        cell(Subject::Sinew),
        cell(Subject::Rust),
        cell(Subject::Go),
        cell(Subject::Plain),
        ratio(Subject::Rust),
        ratio(Subject::Go),
        ratio(Subject::Plain),
        cpu(line),
    ]
}

fn figure(cell: &Cell) -> String {
    match cell {
        Cell::Measured(summary) => {
            let Summary { median, min, max, .. } = summary;
            format!("{} ({}–{})", number(*median), number(*min), number(*max))
        }
        Cell::Failed(_) => "failed".to_owned(),
    }
}

/// Ours, and rust-libp2p's beside it.
fn cpu(line: &Line) -> String {
    let of = |subject| line.cells.get(&subject)?.summary()?.cpu;
    let text = |[client, server]: [f64; 2]| format!("{} + {}", number(client), number(server));
    let ours = of(Subject::Sinew).map(text);
    let theirs = of(Subject::Rust).map(text);
    match (ours, theirs, line.cpu_unit) {
        (Some(ours), Some(theirs), Some(unit)) => format!("{ours} [{theirs}] {unit}"),
        (Some(ours), None, Some(unit)) => format!("{ours} {unit}"),
        _ => String::new(),
    }
}

fn verdicts(line: &Line) -> Vec<Vec<String>> {
    let verdict = |verdict: &super::targets::Verdict| {
        vec![
            line.case.clone(),
            line.stack.to_owned(),
            verdict.target.clone(),
            number(verdict.reached),
            if verdict.met { "yes" } else { "**no**" }.to_owned(),
        ]
    };
    line.targets.iter().map(verdict).collect()
}

fn failures(report: &Report) -> String {
    let mut lines = Vec::new();
    for line in &report.lines {
        for (subject, cell) in &line.cells {
            if let Cell::Failed(reason) = cell {
                lines.push(format!("- {} {}, {subject}: {reason}", line.case, line.stack));
            }
        }
    }
    lines.join("\n")
}

/// Three digits or more: `1,234`, `56.7`, `0.89`.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    match value.abs() {
        size if size >= 99.95 => thousands(value),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

/// A Markdown table whose columns are as wide as their widest cell; empty without rows.
pub(super) fn aligned(head: &[String], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]).chain([&head[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:<width$}"));
        format!("| {} |", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    let body = rows.iter().map(|row| line(row));
    [line(head), line(&rule)]
        .into_iter()
        .chain(body)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_more() {
        let cases = [
            (1_234_567.4, "1,234,567"),
            (999.6, "1,000"),
            (123.4, "123"),
            (99.96, "100"),
            (56.78, "56.8"),
            (9.996, "10.0"),
            (0.891, "0.89"),
            (-1234.0, "-1,234"),
            (f64::NAN, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let own = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let table = aligned(&own(["a", "unit"]), &[own(["rows", "µs"])]);
        assert_eq!(table, "| a    | unit |\n| ---- | ---- |\n| rows | µs   |");
        assert_eq!(aligned(&own(["a", "b"]), &[]), "");
    }

    #[test]
    fn columns_that_no_row_fills_are_left_out() {
        let own = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let (head, rows) = filled(&own(["a", "b", "c"]), &[own(["1", "", ""]), own(["", "", "2"])]);
        assert_eq!(head, ["a", "c"]);
        assert_eq!(rows, [["1", ""], ["", "2"]]);
    }
}
