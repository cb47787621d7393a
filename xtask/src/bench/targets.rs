//! What each row has to reach (docs/performance.md), and whether it does.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    figures::{Summary, ratio},
    rows::{Case, Measure, NOISE, QUIC, Row, Subject, TLS, WS},
};

/// What is held against a bound.
#[derive(Clone, Copy, PartialEq, Debug)]
enum What {
    /// Our figure over this one's.
    Times(Subject),
    /// Processor time of the busier side.
    CpuOfASide,
    /// Processor time of both sides.
    CpuOfBoth,
    /// The figure itself.
    Figure,
}

/// A bound; which way it counts follows from what it bounds.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Target {
    what: What,
    bound: f64,
}

/// How a target came out.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Verdict {
    /// The target in words.
    pub(crate) target: String,
    /// What was reached.
    pub(crate) reached: f64,
    pub(crate) met: bool,
}

/// Every target of a row that can be judged with what was measured.
pub(crate) fn judge(row: &Row, measured: &BTreeMap<Subject, Summary>) -> Vec<Verdict> {
    let Some(ours) = measured.get(&Subject::Sinew) else {
        return Vec::new();
    };
    let verdict = |target: Target| {
        let reached = match target.what {
            What::Times(other) => ratio(ours, measured.get(&other)?),
            What::CpuOfASide => ours.cpu.map(|[client, server]| client.max(server))?,
            What::CpuOfBoth => ours.cpu.map(|[client, server]| client + server)?,
            What::Figure => ours.median,
        };
        let up = target.is_floor(row.measure());
        Some(Verdict {
            target: target.words(row.measure()),
            reached,
            met: if up {
                reached >= target.bound
            } else {
                reached <= target.bound
            },
        })
    };
    targets(row).into_iter().filter_map(verdict).collect()
}

impl Target {
    fn is_floor(self, measure: Measure) -> bool {
        matches!(self.what, What::Times(_)) && measure.more_is_better()
    }

    fn words(self, measure: Measure) -> String {
        let sign = if self.is_floor(measure) { "≥" } else { "≤" };
        let bound = self.bound;
        let cpu = measure.cpu_unit().unwrap_or_default();
        match self.what {
            What::Times(other) => format!("{sign} {bound} x {other}"),
            What::CpuOfASide => format!("{sign} {bound} {cpu} a side"),
            What::CpuOfBoth => format!("{sign} {bound} {cpu} of both"),
            What::Figure => format!("{sign} {bound} {}", measure.unit()),
        }
    }
}

fn targets(row: &Row) -> Vec<Target> {
    use Subject::{Go, Plain, Rust};
    use What::{CpuOfASide, CpuOfBoth, Figure, Times};
    let of_row: &[(What, f64)] = match (row.case, row.stack, row.streams) {
        (Case::BulkUp | Case::BulkDown, NOISE, _) => &[(Times(Rust), 1.8), (CpuOfASide, 0.8)],
        (Case::BulkUp | Case::BulkDown, TLS, _) => &[(Times(Rust), 3.0), (Times(Go), 2.4)],
        (Case::BulkUp | Case::BulkDown, WS, _) => &[(Times(Rust), 2.4)],
        (Case::BulkUp | Case::BulkDown, QUIC, _) => &[(Times(Plain), 0.95)],
        (Case::Handshake, NOISE, 64) => &[(Times(Rust), 1.8), (CpuOfBoth, 400.0)],
        (Case::Handshake, TLS, 64) => &[(Times(Rust), 1.5)],
        (Case::Handshake, QUIC, _) => &[(Times(Plain), 0.9)],
        (Case::Rr, _, 1) => &[(Times(Rust), 0.65), (Times(Go), 0.75)],
        (Case::Rr, QUIC, _) => &[(Times(Rust), 2.0)],
        (Case::Rr, _, _) => &[(Times(Rust), 2.5)],
        (Case::Mixed | Case::MixedBulk, _, _) => &[(Times(Rust), 1.0)],
        (Case::Idle, QUIC, _) => &[(Figure, 60.0)],
        (Case::Idle, _, _) => &[(Figure, 10.0)],
        (Case::Traffic, NOISE | TLS | WS, _) => &[(Figure, 25.0)],
        (Case::Pubsub { full: true, .. }, _, _) => &[(Times(Rust), 0.5)],
        (Case::Pubsub { signed: true, .. }, _, _) => &[(Figure, 45.0)],
        _ => &[],
    };
    let mut all: Vec<Target> = of_row
        .iter()
        .map(|&(what, bound)| Target { what, bound })
        .collect();
    // Ahead of go-libp2p everywhere, where nothing more is asked for.
    if !all.iter().any(|target| target.what == Times(Go)) {
        all.push(Target {
            what: Times(Go),
            bound: 1.0,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Sample;

    fn summary(value: f64, cpu: [f64; 2]) -> Summary {
        let sample = Sample {
            value,
            cpu: Some(cpu),
            p50_us: None,
            p99_us: None,
        };
        Summary::of(vec![sample]).unwrap()
    }

    fn verdicts(case: Case, stack: &'static str, streams: usize, figures: [f64; 3]) -> Vec<(String, bool)> {
        let row = Row { case, stack, streams };
        let subjects = [Subject::Sinew, Subject::Rust, Subject::Go];
        let figures = figures.map(|figure| summary(figure, [0.7, 0.9]));
        let measured = subjects.into_iter().zip(figures).collect();
        let of = judge(&row, &measured).into_iter();
        of.map(|verdict| (verdict.target, verdict.met)).collect()
    }

    #[test]
    fn more_is_better_for_rates() {
        let found = verdicts(Case::BulkUp, NOISE, 8, [1800.0, 1000.0, 2000.0]);
        let expected = [
            ("≥ 1.8 x rust-libp2p", true),
            ("≤ 0.8 s/GiB a side", false),
            ("≥ 1 x go-libp2p", false),
        ];
        assert_eq!(found, expected.map(|(text, met)| (text.to_owned(), met)));
    }

    #[test]
    fn less_is_better_for_times_and_memory() {
        let found = verdicts(Case::Rr, TLS, 1, [65.0, 100.0, 80.0]);
        let expected = [("≤ 0.65 x rust-libp2p", true), ("≤ 0.75 x go-libp2p", false)];
        assert_eq!(found, expected.map(|(text, met)| (text.to_owned(), met)));
        let found = verdicts(Case::Idle, WS, 1000, [9.0, 20.0, 50.0]);
        assert_eq!(found[0], ("≤ 10 KiB".to_owned(), true));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let row = Row {
            case: Case::BulkUp,
            stack: QUIC,
            streams: 1,
        };
        let alone = BTreeMap::from([(Subject::Sinew, summary(1.0, [0.1, 0.1]))]);
        assert_eq!(judge(&row, &alone), []);
        assert_eq!(judge(&row, &BTreeMap::new()), []);
    }
}
