//! The table of a run, as docs/reliability.md has it.

use crate::{
    report::{Figures, over},
    rows::Row,
};
use serde_json::Value;

/// Prints the head.
pub(crate) fn head() {
    println!(
        "| attack | MiB over start (10 s after) | visits lost | visit p50, p99 ms | ping p50, p99 ms | cut \
         | cut after ms, median, last | CPU % | goal |"
    );
    println!("|{}", "---|".repeat(9));
}

/// Prints the line of a row.
pub(crate) fn line(row: &Row, figures: &Figures) {
    let Figures {
        before,
        after,
        peak,
        attack,
        honest,
        ..
    } = figures;
    println!(
        "| `{}` | {:.1} ({:.1}) | {} of {} | {} | {} | {} of {} | {} | {} | {} |",
        row.name,
        over(*peak, before.resident),
        over(after.resident, before.resident),
        honest["visits_lost"],
        number(&honest["visits"]) + number(&honest["visits_lost"]),
        both(honest, "visit_p50_ms", "visit_p99_ms"),
        both(honest, "ping_p50_ms", "ping_p99_ms"),
        attack["cut"],
        attack["made"],
        both(attack, "cut_p50_ms", "cut_max_ms"),
        processor(row, figures),
        row.goal
    );
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
    use super::{both, short};
    use serde_json::json;

    #[test]
    fn figures_are_as_long_as_they_mean_something() {
        assert_eq!(short(&json!(null)), "-");
        assert_eq!(short(&json!(0.04)), "0.0");
        assert_eq!(short(&json!(9.94)), "9.9");
        assert_eq!(short(&json!(5004.2)), "5004");
        assert_eq!(both(&json!({ "a": 1, "b": 20.5 }), "a", "b"), "1.0, 20");
    }
}
