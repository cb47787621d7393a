//! A run as a picture: deliveries over time, the connections that they went over, and the sizes of meshes.

use sinew_sim::{Report, Shapes};
use std::fmt::Write;

const WIDTH: f64 = 260.0;
const HEIGHT: f64 = 130.0;
const GAP: f64 = 50.0;
const TOP: f64 = 44.0;
const ROW: f64 = TOP + HEIGHT + 30.0;
const COLOUR: &str = "#2f6fde";

/// Where a chart lies.
#[derive(Clone, Copy)]
struct Place {
    left: f64,
    top: f64,
}

/// A row of three charts for each run.
pub(crate) fn svg(runs: &[(String, Report)]) -> String {
    let (wide, high) = (GAP + 3.0 * (WIDTH + GAP), runs.len() as f64 * ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (row, (name, report)) in runs.iter().enumerate() {
        let at = |column: f64| Place {
            left: GAP + column * (WIDTH + GAP),
            top: row as f64 * ROW + TOP,
        };
        let title = format!("{name}, {} nodes: deliveries, % over ms", report.nodes);
        deliveries(&mut svg, at(0.0), &title, &report.shapes);
        bars(&mut svg, at(1.0), "deliveries by hops", &report.shapes.hops);
        bars(
            &mut svg,
            at(2.0),
            "nodes by size of their mesh",
            &report.shapes.degrees,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// How many of the deliveries that are owed were made until when. The slowest are cut off, so that the others are seen.
fn deliveries(svg: &mut String, place: Place, title: &str, shapes: &Shapes) {
    let times = &shapes.times_ms;
    let longest = times.get(times.len() * 999 / 1000).copied().unwrap_or(1.0);
    let mut path = format!("M{:.1} {:.1}", place.left, place.top + HEIGHT);
    for step in 0..=100 {
        let at = longest * f64::from(step) / 100.0;
        let made = times.partition_point(|time| *time <= at) as f64 / shapes.owed.max(1) as f64;
        let x = place.left + f64::from(step) / 100.0 * WIDTH;
        let y = place.top + HEIGHT * (1.0 - made);
        write!(path, "L{x:.1} {y:.1}").expect("a string takes what is written");
    }
    frame(svg, place, title);
    put(
        svg,
        &format!("<path d=\"{path}\" fill=\"none\" stroke=\"{COLOUR}\" stroke-width=\"2\"/>"),
    );
    text(svg, (place.left - 26.0, place.top + 8.0), "100");
    text(svg, (place.left - 12.0, place.top + HEIGHT), "0");
    text(svg, (place.left, place.top + HEIGHT + 14.0), "0");
    text(
        svg,
        (place.left + WIDTH - 24.0, place.top + HEIGHT + 14.0),
        &format!("{longest:.0}"),
    );
}

fn bars(svg: &mut String, place: Place, title: &str, counts: &[usize]) {
    frame(svg, place, title);
    let highest = counts.iter().max().copied().unwrap_or(0).max(1) as f64;
    let wide = WIDTH / counts.len().max(1) as f64;
    for (value, count) in counts.iter().enumerate() {
        let x = place.left + value as f64 * wide;
        let long = *count as f64 / highest * HEIGHT;
        let y = place.top + HEIGHT - long;
        put(
            svg,
            &format!(
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{long:.1}\" fill=\"{COLOUR}\"/>",
                x + 1.0,
                wide - 2.0
            ),
        );
        text(
            svg,
            (x + wide / 2.0 - 4.0, place.top + HEIGHT + 14.0),
            &value.to_string(),
        );
    }
}

fn frame(svg: &mut String, place: Place, title: &str) {
    let Place { left, top } = place;
    let (right, bottom) = (left + WIDTH, top + HEIGHT);
    put(
        svg,
        &format!("<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#888888\"/>"),
    );
    text(svg, (left, top - 12.0), title);
}

/// Texts are ours: names of scenarios, and numbers.
fn text(svg: &mut String, (x, y): (f64, f64), text: &str) {
    put(svg, &format!("<text x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"));
}

fn put(svg: &mut String, line: &str) {
    writeln!(svg, "{line}").expect("a string takes what is written");
}

#[cfg(test)]
mod tests {
    use super::svg;
    use sinew_sim::{Scenario, run};

    #[test]
    fn each_run_is_three_charts() {
        let scenario = Scenario::parse("small", include_str!("../tests/small.toml")).expect("a scenario");
        let report = run(&scenario, 1, |_| {});
        let bars = report.shapes.hops.len() + report.shapes.degrees.len();
        let drawn = svg(&[("one".to_owned(), report.clone()), ("two".to_owned(), report)]);
        assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
        assert!(drawn.contains("two, 40 nodes: deliveries"), "{drawn}");
        // The line of the deliveries, and the axes of all three.
        assert_eq!(drawn.matches("<path ").count(), 2 * 4);
        assert_eq!(
            drawn.matches("<rect ").count(),
            1 + 2 * bars,
            "one is what all lies on"
        );
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
    }
}
