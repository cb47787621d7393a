//! The dashboard asks for metrics that exist, and shows all but a few of them.

use sinew_gossipsub::METRICS;
use sinew_metrics::NAMES;

const DASHBOARD: &str = include_str!("../../../docs/metrics.json");

/// The names of metrics in a text, without the ends that a histogram adds.
fn asked(text: &str) -> Vec<&str> {
    let words = text.split(|end: char| !end.is_ascii_alphanumeric() && end != '_');
    let names = words.filter(|word| word.starts_with("sinew_"));
    names.map(|name| name.trim_end_matches("_bucket")).collect()
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let asked = asked(DASHBOARD);
    assert!(asked.len() > 12);
    let names: Vec<_> = NAMES.into_iter().chain(METRICS).collect();
    for name in &asked {
        assert!(names.contains(name), "{name} is no metric");
    }
    let missing: Vec<_> = names.iter().filter(|name| !asked.contains(*name)).collect();
    let shown_otherwise = ["sinew_connections_opened_total", "sinew_streams_opened_total"];
    assert_eq!(missing, shown_otherwise.iter().collect::<Vec<_>>());
}
