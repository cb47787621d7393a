//! The paths, who runs over them, and what each has to reach.

use serde::Serialize;

use super::Line;
use crate::bench::{
    figures::ratio,
    rows::{NOISE, PLAIN_QUINN, PLAIN_TCP, QUIC, Subject, TLS},
};

/// What lies between two networks; both directions are alike.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Path {
    pub(super) name: &'static str,
    /// Milliseconds there and back.
    pub(super) rtt: u64,
    /// Megabits a second.
    pub(super) mbit: u64,
    /// Packets of a million that get lost.
    pub(super) loss: u64,
    /// How TCP looks for the rate, as the system has it if this says nothing; QUIC does as quinn does by default.
    pub(super) congestion: Option<&'static str>,
}

impl Path {
    /// Bytes that are under way when it is full; the link queues as many again.
    pub(super) fn holds(&self) -> u64 {
        self.mbit * 1_000_000 / 8 * self.rtt / 1000
    }

    /// Whether this is the path that a small window cannot fill.
    fn is_long(&self) -> bool {
        self.loss == 0
    }

    /// Losses need no runners that are there for their windows. The second way of TCP changes nothing for QUIC.
    pub(super) fn is_for(&self, runner: &Runner) -> bool {
        self.is_long() || (!runner.for_windows && (self.congestion == Some("reno") || !runner.is_quic()))
    }
}

/// Losses leave reno little, which every system has, and bbr nearly the whole rate.
pub(super) const PATHS: [Path; 3] = [
    Path {
        name: "100 ms",
        rtt: 100,
        mbit: 1000,
        loss: 0,
        congestion: None,
    },
    Path {
        name: "50 ms, 1 % lost, reno",
        rtt: 50,
        mbit: 1000,
        loss: 10_000,
        congestion: Some("reno"),
    },
    Path {
        name: "50 ms, 1 % lost, bbr",
        rtt: 50,
        mbit: 1000,
        loss: 10_000,
        congestion: Some("bbr"),
    },
];

/// Who runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Runner {
    pub(super) subject: Subject,
    pub(super) stack: &'static str,
    /// The same without libp2p; nothing for what is that itself.
    pub(super) beside: &'static [&'static str],
    target: Target,
    /// Whether it is there to show what windows do.
    for_windows: bool,
}

impl Runner {
    fn is_quic(&self) -> bool {
        self.stack.contains("qui")
    }
}

/// What the ratio has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
enum Target {
    /// At least [`FLOOR`].
    Reach,
    /// Less on the long path: what shows that the path asks for large windows.
    Miss,
    /// Nothing is asked for.
    None,
}

/// Of what the limit reaches.
const FLOOR: f64 = 0.9;

const ALONE: &[&str] = &[];

/// The limits come first, then ours.
const RUNNERS: [Runner; 9] = [
    runner(Subject::Plain, PLAIN_TCP, ALONE, Target::None, false),
    runner(Subject::Sinew, NOISE, &[PLAIN_TCP], Target::Reach, false),
    runner(Subject::Sinew, TLS, &[PLAIN_TCP], Target::Reach, false),
    runner(
        Subject::Sinew,
        "tcp/noise/yamux-256k",
        &[PLAIN_TCP],
        Target::Miss,
        true,
    ),
    runner(Subject::Plain, PLAIN_QUINN, ALONE, Target::None, false),
    runner(Subject::Plain, QUINN_OWN, ALONE, Target::None, true),
    runner(
        Subject::Sinew,
        QUIC,
        &[PLAIN_QUINN, QUINN_OWN],
        Target::Reach,
        false,
    ),
    runner(Subject::Plain, "plain-quinn-high", ALONE, Target::None, true),
    runner(
        Subject::Sinew,
        "quic-v1-high",
        &["plain-quinn-high"],
        Target::Reach,
        true,
    ),
];

/// quinn with its own windows, 1.25 MB a stream; without the suffix it has ours.
const QUINN_OWN: &str = "plain-quinn-own";

const fn runner(
    subject: Subject,
    stack: &'static str,
    beside: &'static [&'static str],
    target: Target,
    for_windows: bool,
) -> Runner {
    Runner {
        subject,
        stack,
        beside,
        target,
        for_windows,
    }
}

/// Ours and the limits, and the peers that were asked for; of the stacks with this in their name, and what those are beside.
pub(super) fn runners(peers: &[Subject], text: &str) -> Vec<Runner> {
    let ours = RUNNERS
        .iter()
        .filter(|runner| runner.target == Target::Reach && !runner.for_windows);
    let theirs = peers.iter().flat_map(|&subject| {
        ours.clone().map(move |runner| Runner {
            subject,
            target: Target::None,
            ..*runner
        })
    });
    let (chosen, limits): (Vec<Runner>, Vec<Runner>) = RUNNERS
        .into_iter()
        .chain(theirs)
        .partition(|runner| runner.stack.contains(text));
    let needed = |limit: &Runner| chosen.iter().any(|runner| runner.beside.contains(&limit.stack));
    let mut all: Vec<_> = limits.into_iter().filter(needed).collect();
    all.extend(chosen);
    all
}

/// How a runner stands to one limit.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) beside: &'static str,
    pub(super) ratio: f64,
    /// In words; empty where nothing is asked for.
    pub(super) target: &'static str,
    pub(super) met: bool,
}

/// Holds a line against the limits that were measured on its path.
pub(super) fn judge(line: &Line, all: &[Line]) -> Vec<Verdict> {
    let against = |&beside: &&'static str| {
        let limit = all.iter().find(|other| other.runner.stack == beside)?;
        let ratio = ratio(line.cell.summary()?, limit.cell.summary()?);
        let (target, met) = line.runner.target.judge(ratio, line.path.is_long());
        Some(Verdict {
            beside,
            ratio,
            target,
            met,
        })
    };
    line.runner.beside.iter().filter_map(against).collect()
}

impl Target {
    fn judge(self, ratio: f64, is_long: bool) -> (&'static str, bool) {
        match self {
            Self::Reach => ("≥ 0.9", ratio >= FLOOR),
            Self::Miss if is_long => ("< 0.9", ratio < FLOOR),
            Self::Miss | Self::None => ("", true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        figures::{Sample, Summary},
        report::Cell,
    };

    fn line(stack: &str, value: f64) -> Line {
        let sample = Sample {
            value,
            cpu: None,
            p50_us: None,
            p99_us: None,
        };
        Line {
            path: PATHS[0],
            runner: *RUNNERS.iter().find(|runner| runner.stack == stack).unwrap(),
            cell: Cell::Measured(Summary::of(vec![sample]).unwrap()),
            carried: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    #[test]
    fn ours_has_to_reach_the_limit_and_a_small_window_must_not() {
        let all = [
            line(PLAIN_TCP, 100.0),
            line(NOISE, 90.0),
            line("tcp/noise/yamux-256k", 90.0),
        ];
        let of = |place: usize| {
            judge(&all[place], &all)
                .pop()
                .map(|verdict| (verdict.target, verdict.met))
        };
        assert_eq!(of(0), None);
        assert_eq!(of(1), Some(("≥ 0.9", true)));
        assert_eq!(of(2), Some(("< 0.9", false)));
        let less = [
            line(PLAIN_TCP, 100.1),
            line(NOISE, 90.0),
            line("tcp/noise/yamux-256k", 90.0),
        ];
        assert!(!judge(&less[1], &less)[0].met && judge(&less[2], &less)[0].met);
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let alone = [line(QUIC, 1.0), line(PLAIN_QUINN, 1.0)];
        let judged = judge(&alone[0], &alone);
        assert_eq!(judged.len(), 1, "{judged:?}");
    }

    #[test]
    fn what_is_chosen_brings_its_limits() {
        let stacks = |text| {
            runners(&[], text)
                .iter()
                .map(|runner| runner.stack)
                .collect::<Vec<_>>()
        };
        assert_eq!(stacks("tls"), [PLAIN_TCP, TLS]);
        assert_eq!(stacks("").len(), RUNNERS.len());
        assert!(stacks("no such").is_empty());
        let peers = runners(&[Subject::Go], "quic-v1");
        assert!(
            peers
                .iter()
                .any(|runner| runner.subject == Subject::Go && runner.stack == QUIC)
        );
    }

    #[test]
    fn a_path_holds_rate_times_round_trip() {
        assert_eq!(PATHS[0].holds(), 12_500_000);
    }
}
