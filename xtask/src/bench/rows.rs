//! The rows of the comparison: a case, a stack, how many at a time; and who takes part.

use std::fmt;

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    /// Our node.
    Sinew,
    /// rust-libp2p.
    Rust,
    /// go-libp2p.
    Go,
    /// The same work without libp2p: tokio's TCP, or quinn.
    Plain,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sinew => "sinew",
            Self::Rust => "rust-libp2p",
            Self::Go => "go-libp2p",
            Self::Plain => "the limit",
        })
    }
}

/// What is measured; benches/README.md defines the cases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Case {
    BulkUp,
    BulkDown,
    Handshake,
    FirstByte,
    Rr,
    /// What the requests take that run beside a bulk stream.
    Mixed,
    /// What the bulk stream moves beside them.
    MixedBulk,
    Idle,
    Traffic,
    Scale,
    /// Gossipsub, all nodes in one process: with a connection between any two, or with one from each to the first.
    Pubsub {
        full: bool,
        signed: bool,
    },
}

/// What the figure of a row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Measure {
    /// MiB a second.
    Throughput,
    /// Units a second.
    Rate,
    /// Microseconds that half of the units take no longer than.
    Latency,
    /// Microseconds that 99 in a hundred of the units take no longer than.
    Tail,
    /// KiB of the server a connection.
    Memory,
    /// Microseconds of a processor a unit.
    Cpu,
}

impl Measure {
    /// Its unit.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Throughput => "MiB/s",
            Self::Rate => "per s",
            Self::Latency => "µs p50",
            Self::Tail => "µs p99",
            Self::Memory => "KiB",
            Self::Cpu => "µs of CPU",
        }
    }

    /// The unit of the processor time of one side.
    pub(crate) fn cpu_unit(self) -> Option<&'static str> {
        match self {
            Self::Throughput => Some("s/GiB"),
            Self::Rate | Self::Latency => Some("µs"),
            Self::Tail | Self::Memory | Self::Cpu => None,
        }
    }

    /// Whether more is better.
    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Self::Throughput | Self::Rate)
    }
}

/// A row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) stack: &'static str,
    pub(crate) streams: usize,
}

pub(crate) const NOISE: &str = "tcp/noise/yamux";
pub(crate) const TLS: &str = "tcp/tls/yamux";
pub(crate) const WS: &str = "ws/noise/yamux";
pub(crate) const QUIC: &str = "quic-v1";
pub(crate) const PLAIN_TCP: &str = "plain-tcp";
pub(crate) const PLAIN_QUINN: &str = "plain-quinn";
const STACKS: [&str; 4] = [NOISE, TLS, WS, QUIC];

impl Row {
    /// As the programs know the case.
    pub(crate) fn case_argument(&self) -> &'static str {
        match self.case {
            Case::BulkUp => "bulk-up",
            Case::BulkDown => "bulk-down",
            Case::Handshake => "handshake",
            Case::FirstByte => "first-byte",
            Case::Rr => "rr",
            Case::Mixed | Case::MixedBulk => "mixed",
            Case::Idle => "idle",
            Case::Traffic => "traffic",
            Case::Scale => "scale",
            Case::Pubsub { full, signed } => match (full, signed) {
                (false, true) => "star-signed",
                (false, false) => "star-anonymous",
                (true, true) => "full-signed",
                (true, false) => "full-anonymous",
            },
        }
    }

    /// As people know it.
    pub(crate) fn case_name(&self) -> String {
        let part = if self.case == Case::MixedBulk { "-bulk" } else { "" };
        format!("{}{part} x{}", self.case_argument(), self.streams)
    }

    pub(crate) fn measure(&self) -> Measure {
        match self.case {
            Case::BulkUp | Case::BulkDown | Case::MixedBulk => Measure::Throughput,
            Case::Mixed => Measure::Tail,
            Case::Rr if self.streams == 1 => Measure::Latency,
            Case::Handshake | Case::FirstByte | Case::Rr => Measure::Rate,
            Case::Idle | Case::Traffic | Case::Scale => Measure::Memory,
            Case::Pubsub { .. } => Measure::Cpu,
        }
    }

    /// The plain stack that is this row's limit. Sockets of TCP have no handshakes and no streams to compare with, but an echo,
    /// and one row of them does for all stacks over them.
    pub(crate) fn plain_stack(&self) -> Option<&'static str> {
        let is_bulk = matches!(self.case, Case::BulkUp | Case::BulkDown);
        let is_echo = self.measure() == Measure::Latency;
        match self.stack {
            QUIC => Some(PLAIN_QUINN),
            NOISE if is_bulk || is_echo => Some(PLAIN_TCP),
            _ => None,
        }
    }
}

fn rows(case: Case, stacks: &[&'static str], streams: &[usize]) -> Vec<Row> {
    let of_stack = |&stack| streams.iter().map(move |&streams| Row { case, stack, streams });
    stacks.iter().flat_map(of_stack).collect()
}

/// All of them.
pub(crate) fn full() -> Vec<Row> {
    [
        rows(Case::BulkUp, &STACKS, &[1, 8, 64]),
        rows(Case::BulkDown, &STACKS, &[1, 8, 64]),
        rows(Case::Handshake, &STACKS, &[1, 64]),
        rows(Case::FirstByte, &STACKS, &[1, 64]),
        rows(Case::Rr, &STACKS, &[1, 256]),
        rows(Case::Mixed, &[NOISE, QUIC], &[100]),
        rows(Case::MixedBulk, &[NOISE, QUIC], &[100]),
        rows(Case::Idle, &STACKS, &[1000]),
        rows(Case::Traffic, &STACKS, &[1000]),
    ]
    .concat()
}

/// One of each kind.
pub(crate) fn quick() -> Vec<Row> {
    [
        rows(Case::BulkUp, &STACKS, &[1]),
        rows(Case::BulkDown, &[NOISE], &[8]),
        rows(Case::Handshake, &[NOISE, TLS, QUIC], &[64]),
        rows(Case::FirstByte, &[NOISE], &[1]),
        rows(Case::Rr, &[NOISE, QUIC], &[1, 256]),
        rows(Case::Mixed, &[NOISE, QUIC], &[100]),
        rows(Case::Idle, &[NOISE], &[200]),
        rows(Case::Traffic, &[NOISE], &[200]),
    ]
    .concat()
}

/// Those of `cargo xtask bench pubsub`.
pub(crate) fn pubsub() -> Vec<Row> {
    let kinds = [(false, true), (false, false), (true, true), (true, false)];
    let of_kind = |(full, signed)| rows(Case::Pubsub { full, signed }, &[NOISE], &[10]);
    kinds.into_iter().flat_map(of_kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quick_row_is_of_a_kind_that_the_full_run_has() {
        let full = full();
        for quick in quick() {
            let known = |row: &Row| (row.case, row.stack) == (quick.case, quick.stack);
            assert!(full.iter().any(known), "{quick:?}");
        }
    }

    #[test]
    fn a_limit_does_the_same_work() {
        let row = |case, stack| Row {
            case,
            stack,
            streams: 1,
        };
        assert_eq!(row(Case::BulkUp, NOISE).plain_stack(), Some("plain-tcp"));
        assert_eq!(row(Case::Handshake, NOISE).plain_stack(), None);
        assert_eq!(row(Case::Handshake, QUIC).plain_stack(), Some("plain-quinn"));
        assert_eq!(row(Case::BulkUp, TLS).plain_stack(), None);
    }
}
