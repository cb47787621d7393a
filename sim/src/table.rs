//! The table of runs, as docs/simulation.md has it.

use sinew_sim::Report;
use std::time::Duration;

/// The head.
pub(crate) fn head() -> String {
    let head = "| scenario | nodes | messages reach | ms: p50, p99, last | hops | duplicates | control bytes | mesh \
                | attackers out of meshes after | honest scores below 0 | million inputs in s |";
    format!("{head}\n|{}", "---|".repeat(11))
}

/// The line of a run that took so long.
pub(crate) fn line(name: &str, report: &Report, took: Duration) -> String {
    let figures = &report.figures;
    let clean = report
        .meshes_clean_ms
        .map_or_else(|| "-".to_owned(), |ms| format!("{:.0} s", ms as f64 / 1000.0));
    format!(
        "| `{name}` | {} | {:.3} % of {} | {:.0}, {:.0}, {:.0} | {:.2} | {:.2} | {:.0} | {:.1} | {clean} | {} | {:.1} in {:.0} |",
        report.nodes,
        figures.delivery * 100.0,
        report.owed,
        figures.p50_ms,
        figures.p99_ms,
        report.last_ms,
        figures.hops,
        figures.duplicates,
        figures.control_bytes,
        figures.mesh,
        report.misjudged,
        report.events as f64 / 1e6,
        took.as_secs_f64(),
    )
}
