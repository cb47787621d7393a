//! The report as a picture: how many times rust-libp2p's result everybody reaches.

use std::fmt::Write;

use super::{
    report::{Line, Report},
    rows::Subject,
};

const LEFT: f64 = 230.0;
const WIDTH: f64 = 560.0;
const BAR: f64 = 9.0;
const GAP: f64 = 8.0;
const TOP: f64 = 46.0;

/// Who has a bar, and its colour. The limit is left out: it would make all other bars short.
const BARS: [(Subject, &str); 3] = [
    (Subject::Sinew, "#2f6fde"),
    (Subject::Rust, "#b9b9b9"),
    (Subject::Go, "#7fc8d8"),
];

/// An SVG; longer bars are better, also where the figure itself is a time or memory.
pub(crate) fn svg(report: &Report) -> String {
    let longest = bars(report).fold(1.0, f64::max).ceil();
    let height = TOP + report.lines.len() as f64 * row_height() + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        LEFT + WIDTH + 60.0
    );
    legend(&mut svg);
    scale(&mut svg, longest, height);
    for (place, line) in report.lines.iter().enumerate() {
        row(&mut svg, line, TOP + place as f64 * row_height(), longest);
    }
    svg.push_str("</svg>\n");
    svg
}

fn row_height() -> f64 {
    BARS.len() as f64 * BAR + GAP
}

fn bars(report: &Report) -> impl Iterator<Item = f64> + '_ {
    let of_line = |line| BARS.iter().filter_map(move |&(subject, _)| times(line, subject));
    report.lines.iter().flat_map(of_line)
}

/// How many times as good as rust-libp2p's.
fn times(line: &Line, subject: Subject) -> Option<f64> {
    let median = |subject| Some(line.cells.get(&subject)?.summary()?.median);
    let (theirs, base) = (median(subject)?, median(Subject::Rust)?);
    let times = if line.more_is_better {
        theirs / base
    } else {
        base / theirs
    };
    (times.is_finite() && times >= 0.0).then_some(times)
}

fn legend(svg: &mut String) {
    text(svg, (10.0, 18.0), "times rust-libp2p's result; longer is better");
    for (place, (subject, colour)) in BARS.iter().enumerate() {
        let x = LEFT + 80.0 + place as f64 * 110.0;
        rect(svg, (x, 9.0), (10.0, 10.0), colour);
        text(svg, (x + 15.0, 18.0), &subject.to_string());
    }
}

fn scale(svg: &mut String, longest: f64, height: f64) {
    let step = (longest / 8.0).ceil().max(1.0);
    let mut at = 0.0;
    while at <= longest {
        let x = LEFT + at / longest * WIDTH;
        put(
            svg,
            &format!("<path d=\"M{x:.1} {TOP}V{height}\" stroke=\"#e4e4e4\"/>"),
        );
        text(svg, (x - 3.0, TOP - 8.0), &format!("{at}"));
        at += step;
    }
}

fn row(svg: &mut String, line: &Line, top: f64, longest: f64) {
    text(
        svg,
        (10.0, top + 2.0 * BAR),
        &format!("{} {}", line.case, line.stack),
    );
    for (place, &(subject, colour)) in BARS.iter().enumerate() {
        let Some(times) = times(line, subject) else {
            continue;
        };
        let (y, long) = (top + place as f64 * BAR, times / longest * WIDTH);
        rect(svg, (LEFT, y), (long, BAR - 1.0), colour);
        if subject == Subject::Sinew {
            text(svg, (LEFT + long + 4.0, y + BAR - 1.0), &format!("{times:.2}"));
        }
    }
}

fn rect(svg: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
    put(
        svg,
        &format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        ),
    );
}

/// Texts are ours: names of cases and stacks, and numbers.
fn text(svg: &mut String, (x, y): (f64, f64), text: &str) {
    put(svg, &format!("<text x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"));
}

fn put(svg: &mut String, line: &str) {
    writeln!(svg, "{line}").expect("a string takes what is written");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::{
        figures::{Sample, Summary},
        report::Cell,
        rows::{Case, NOISE, Row},
    };

    fn line(case: Case, figures: [f64; 2]) -> Line {
        let cell = |value| {
            let sample = Sample {
                value,
                cpu: None,
                p50_us: None,
                p99_us: None,
            };
            Cell::Measured(Summary::of(vec![sample]).unwrap())
        };
        let subjects = [Subject::Sinew, Subject::Rust];
        let mut cells: BTreeMap<_, _> = subjects.into_iter().zip(figures.map(cell)).collect();
        cells.insert(Subject::Go, Cell::Failed("not there".to_owned()));
        let row = Row {
            case,
            stack: NOISE,
            streams: 1,
        };
        Line::new(&row, cells)
    }

    #[test]
    fn longer_is_better_for_rates_and_for_times() {
        let rate = line(Case::BulkUp, [300.0, 150.0]);
        assert_eq!(times(&rate, Subject::Sinew), Some(2.0));
        let latency = line(Case::Rr, [300.0, 150.0]);
        assert_eq!(times(&latency, Subject::Sinew), Some(0.5));
        assert_eq!(times(&rate, Subject::Rust), Some(1.0));
    }

    #[test]
    fn who_failed_has_no_bar() {
        assert_eq!(times(&line(Case::BulkUp, [300.0, 150.0]), Subject::Go), None);
    }
}
