//! The table of a run, as docs/reliability.md has it.

use crate::{
    report::{Figures, over},
    rows::{Row, Serves},
};
use serde_json::Value;

/// The columns of most rows.
const COLUMNS: &str = "| attack | MiB over start (10 s after) | visits lost | visit p50, p99 ms | ping p50, p99 ms | cut \
                       | cut after ms, median, last | CPU % | goal |";

/// Those of publish and subscribe.
const PUBSUB: &str = "| attack | MiB over start (10 s after) | delivered | delivery p50, p99 ms | visits lost \
                      | visit, ping p99 ms | streams reset | cut | cut after ms, median, last | lowest score, graylisted \
                      | CPU % | goal |";

/// The tables of a run: the second begins where the rows are of publish and subscribe.
#[derive(Default, Debug)]
pub(crate) struct Table {
    columns: Option<&'static str>,
}

impl Table {
    /// The line of a row, with a head where a table begins.
    pub(crate) fn lines(&mut self, row: &Row, figures: &Figures) -> String {
        let (columns, line) = match row.serves {
            Serves::Nothing => (COLUMNS, line(row, figures)),
            Serves::Pubsub | Serves::Partial => (PUBSUB, of_pubsub(row, figures)),
        };
        let before = self.columns.replace(columns);
        let gap = if before.is_some() { "\n" } else { "" };
        if before == Some(columns) {
            return format!("{line}\n");
        }
        let rule = "---|".repeat(columns.matches(" | ").count() + 1);
        format!("{gap}{columns}\n|{rule}\n{line}\n")
    }
}

fn line(row: &Row, figures: &Figures) -> String {
    let Figures { attack, honest, .. } = figures;
    format!(
        "| `{}` | {} | {} | {} | {} | {} of {} | {} | {} | {} |",
        row.name,
        memory(figures),
        visits_lost(honest),
        both(honest, "visit_p50_ms", "visit_p99_ms"),
        both(honest, "ping_p50_ms", "ping_p99_ms"),
        attack["cut"],
        attack["made"],
        both(attack, "cut_p50_ms", "cut_max_ms"),
        processor(row, figures),
        row.goal
    )
}

fn of_pubsub(row: &Row, figures: &Figures) -> String {
    let Figures {
        attack,
        honest,
        judged,
        ..
    } = figures;
    let group = &honest["pubsub"];
    format!(
        "| `{}` | {} | {} of {} | {} | {} | {} | {} | {} of {} | {} | {}, {} | {} | {} |",
        row.name,
        memory(figures),
        group["delivered"],
        group["expected"],
        both(group, "p50_ms", "p99_ms"),
        visits_lost(honest),
        both(honest, "visit_p99_ms", "ping_p99_ms"),
        attack["resets"],
        attack["cut"],
        attack["made"],
        both(attack, "cut_p50_ms", "cut_max_ms"),
        short(&judged["lowest"]),
        judged["graylisted"],
        processor(row, figures),
        row.goal
    )
}

fn memory(figures: &Figures) -> String {
    let start = figures.before.resident;
    let (peak, after) = (over(figures.peak, start), over(figures.after.resident, start));
    format!("{peak:.1} ({after:.1})")
}

fn visits_lost(honest: &Value) -> String {
    let lost = number(&honest["visits_lost"]);
    format!("{lost} of {}", number(&honest["visits"]) + lost)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Two figures, with a decimal place where they are small.
fn both(of: &Value, one: &str, other: &str) -> String {
    format!("{}, {}", short(&of[one]), short(&of[other]))
}

fn short(value: &Value) -> String {
    match value.as_f64() {
        None => "-".to_owned(),
        Some(value) if value < 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

/// Per cent of a core, and what one of many costs where that is of interest.
fn processor(row: &Row, figures: &Figures) -> String {
    let percent = short(&figures.cpu_percent.into());
    match (row.unit, figures.cpu_each_us) {
        (Some(unit), Some(each)) => format!("{percent}: {} µs a {unit}", short(&each.into())),
        _ => percent,
    }
}

#[cfg(test)]
mod tests {
    use super::{Table, both, short};
    use crate::{report::tests::figures, rows::ROWS};
    use serde_json::json;

    #[test]
    fn figures_are_as_long_as_they_mean_something() {
        assert_eq!(short(&json!(null)), "-");
        assert_eq!(short(&json!(0.04)), "0.0");
        assert_eq!(short(&json!(9.94)), "9.9");
        assert_eq!(short(&json!(5004.2)), "5004");
        assert_eq!(both(&json!({ "a": 1, "b": 20.5 }), "a", "b"), "1.0, 20");
    }

    #[test]
    fn rows_of_publish_and_subscribe_have_a_table_of_their_own() {
        let mut table = Table::default();
        let [first, .., last] = ROWS else {
            panic!("there are rows");
        };
        let text = [first, first, last, last].map(|row| table.lines(row, &figures()));
        let lines = text.each_ref().map(|text| text.lines().count());
        assert_eq!(lines, [3, 1, 4, 1], "heads and a gap");
        assert!(text[2].starts_with('\n') && text[2].contains("| 7 of 7 | 1.0, 2.0 | 0 of 0 |"));
        for text in text {
            let columns = text.trim().lines().map(|line| line.matches('|').count());
            let columns: Vec<_> = columns.collect();
            assert!(columns.iter().all(|count| *count == columns[0]), "{text}");
        }
    }
}
