//! The rows: what is attacked, what the goal is (docs/reliability.md), and what is asserted.

use clap::ValueEnum;

/// Whether the target has to end the attacking connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// All that were made.
    All,
    /// All that were made but so many.
    AllBut(u64),
    /// As it likes: what it may hold of them is bounded otherwise.
    Free,
}

/// What honest peers and attackers connect over. The attackers agree on no other security and muxer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Stack {
    TcpNoiseYamux,
    TcpTls,
    WsNoise,
    TcpNoiseMplex,
    Quic,
}

impl Stack {
    /// Where the target listens.
    pub(crate) fn addr(self) -> &'static str {
        match self {
            Self::TcpNoiseYamux | Self::TcpTls | Self::TcpNoiseMplex => "/ip4/127.0.0.1/tcp/0",
            Self::WsNoise => "/ip4/127.0.0.1/tcp/0/ws",
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
        }
    }

    /// How the programs of the interop suite are told of it.
    pub(crate) fn of_peer(self) -> &'static str {
        match self {
            Self::TcpNoiseYamux => "tcp/noise/yamux",
            Self::TcpTls => "tcp/tls/yamux",
            Self::WsNoise => "ws/noise/yamux",
            Self::TcpNoiseMplex => "tcp/noise/mplex",
            Self::Quic => "quic-v1",
        }
    }
}

/// What a target serves besides ping, identify and an echo.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub(crate) enum Serves {
    #[default]
    Nothing,
    /// Gossipsub, whose topic honest peers use.
    Pubsub,
    /// The same, and a topic of partial messages.
    Partial,
}

/// What a value is called on the command line.
pub(crate) fn name(value: &impl ValueEnum) -> String {
    let possible = value.to_possible_value();
    possible.map_or_else(String::new, |possible| possible.get_name().to_owned())
}

/// One attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// MiB over the start at the peak, and ten seconds after; times in ms.
    pub(crate) goal: &'static str,
    /// Whether it has to be cut.
    pub(crate) cut: Cut,
    /// What it may go over; the first if nothing is said.
    pub(crate) stacks: &'static [Stack],
    /// What it sends many of, where the target's processor time for one is of interest.
    pub(crate) unit: Option<&'static str>,
    /// What the target serves.
    pub(crate) serves: Serves,
}

impl Row {
    const fn of_many(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// What to run it over if `asked` is asked for; `None` if that makes no sense.
    pub(crate) fn stack(&self, asked: Option<Stack>) -> Option<Stack> {
        match asked {
            Some(asked) => self.stacks.contains(&asked).then_some(asked),
            None => self.stacks.first().copied(),
        }
    }
}

const TCP: &[Stack] = &[Stack::TcpNoiseYamux];
const TLS: &[Stack] = &[Stack::TcpTls];
const QUIC: &[Stack] = &[Stack::Quic];
/// Where the bytes below the security protocol differ.
const CARRIERS: &[Stack] = &[Stack::TcpNoiseYamux, Stack::WsNoise];
/// Where the security protocols differ.
const SECURED: &[Stack] = &[Stack::TcpNoiseYamux, Stack::TcpTls, Stack::WsNoise];
/// Everything over TCP.
const ALL: &[Stack] = &[
    Stack::TcpNoiseYamux,
    Stack::TcpTls,
    Stack::WsNoise,
    Stack::TcpNoiseMplex,
];

const fn row(name: &'static str, stacks: &'static [Stack], cut: Cut, goal: &'static str) -> Row {
    Row {
        name,
        goal,
        cut,
        stacks,
        unit: None,
        serves: Serves::Nothing,
    }
}

const fn quic(name: &'static str, goal: &'static str) -> Row {
    row(name, QUIC, Cut::Free, goal)
}

const fn pubsub(name: &'static str, serves: Serves, cut: Cut, goal: &'static str) -> Row {
    Row {
        serves,
        ..row(name, TCP, cut, goal)
    }
}

/// All of them, in the order of the layers.
pub(crate) const ROWS: &[Row] = &[
    row("silent-one-address", CARRIERS, Cut::All, "≤ 12 (≤ 3), visit ≤ 10"),
    row(
        "silent-fifty-addresses",
        CARRIERS,
        Cut::All,
        "≤ 12 (≤ 3), visit ≤ 10",
    ),
    row("slow", TCP, Cut::All, "≤ 3"),
    row("stuck-in-security", SECURED, Cut::All, "≤ 20 (≤ 3), visit ≤ 12"),
    row("stuck-after-security", ALL, Cut::All, "≤ 16 (≤ 3), visit ≤ 12"),
    row("idle-peers", ALL, Cut::Free, "≤ 30 (≤ 5), ping ≤ 3"),
    row(
        "peers-of-one",
        ALL,
        Cut::AllBut(8),
        "≤ 1.5, all but 8 cut ≤ 40 ms",
    ),
    row("connect-and-close", ALL, Cut::Free, "≤ 4, ≤ 15 % of a core").of_many("connection"),
    row(
        "garbage-multistream",
        CARRIERS,
        Cut::All,
        "≤ 0.3, cut at the byte",
    ),
    row("garbage-security", SECURED, Cut::All, "≤ 0.3, cut at the length"),
    row("garbage-muxer", ALL, Cut::All, "≤ 0.3, cut at the header"),
    row("endless-negotiation", CARRIERS, Cut::All, "cut after 64 messages"),
    row(
        "endless-negotiation-streams",
        ALL,
        Cut::All,
        "cut after 64 messages, < 1 s",
    ),
    row("flood-syn", ALL, Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-reset", ALL, Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-ping", SECURED, Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-empty", ALL, Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-unknown", ALL, Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-cancel", ALL, Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("overrun", SECURED, Cut::All, "cut ≤ 2 ms"),
    row("overflow", SECURED, Cut::All, "cut ≤ 2 ms"),
    row("giant-length", SECURED, Cut::All, "cut ≤ 2 ms"),
    row("unread-one-peer", ALL, Cut::Free, "≤ 20 (≤ 2), ping ≤ 10"),
    row("unread-twenty-peers", ALL, Cut::Free, "≤ 25 (≤ 3), ping ≤ 10"),
    row(
        "ping-streams",
        SECURED,
        Cut::AllBut(2),
        "≤ 0.1, 2 kept, the rest reset at once",
    ),
    row(
        "bad-noise",
        CARRIERS,
        Cut::All,
        "all refused, ≤ 0.25 ms of CPU each",
    )
    .of_many("handshake"),
    row(
        "bad-certificates",
        TLS,
        Cut::All,
        "all refused, ≤ 0.18 ms of CPU each",
    )
    .of_many("handshake"),
    row("identify-wrong-key", TCP, Cut::All, "≤ 1, cut"),
    row("identify-huge", TCP, Cut::Free, "≤ 1, ≤ 15 % of a core"),
    row("identify-push-blind", ALL, Cut::Free, "≤ 1, ≤ 15 % of a core"),
    row("identify-push-flood", TCP, Cut::Free, "≤ 1, ≤ 15 % of a core"),
    quic("quic-garbage", "≤ 0.2, ≤ 2.5 µs a datagram").of_many("datagram"),
    quic("quic-versions", "≤ 0.2, ≤ 2.5 µs a datagram").of_many("datagram"),
    quic("quic-initial-flood", "≤ 12 (≤ 2), ≤ 1 % lost"),
    quic("quic-half-open", "≤ 7 (≤ 2), amplification ≤ 3"),
    pubsub(
        "pubsub-oversized",
        Serves::Pubsub,
        Cut::All,
        "≤ 2, cut after 101 streams",
    ),
    pubsub("pubsub-huge", Serves::Pubsub, Cut::All, "≤ 29 (≤ 2)"),
    pubsub(
        "pubsub-broken",
        Serves::Pubsub,
        Cut::All,
        "≤ 2, cut after 101 streams",
    ),
    pubsub("pubsub-topics", Serves::Pubsub, Cut::All, "≤ 32 (≤ 2)"),
    pubsub("pubsub-toggles", Serves::Pubsub, Cut::All, "≤ 4 (≤ 1)"),
    pubsub("pubsub-ihave", Serves::Pubsub, Cut::All, "≤ 22 (≤ 2)"),
    pubsub("pubsub-iwant", Serves::Pubsub, Cut::All, "≤ 20 (≤ 1)"),
    pubsub("pubsub-graft", Serves::Pubsub, Cut::All, "≤ 3 (≤ 1)"),
    pubsub("pubsub-idontwant", Serves::Pubsub, Cut::Free, "≤ 33 (≤ 2)"),
    pubsub("pubsub-forged", Serves::Pubsub, Cut::All, "≤ 18 (≤ 2)"),
    pubsub("pubsub-forged-huge", Serves::Pubsub, Cut::All, "≤ 109 (≤ 2)"),
    pubsub("pubsub-replayed", Serves::Pubsub, Cut::Free, "≤ 19 (≤ 1)"),
    pubsub("pubsub-partial", Serves::Partial, Cut::All, "≤ 36 (≤ 2)"),
    pubsub("pubsub-unread", Serves::Pubsub, Cut::Free, "≤ 25 (≤ 3)"),
    pubsub("pubsub-sybils", Serves::Pubsub, Cut::Free, "≤ 4 (≤ 2)"),
];

#[cfg(test)]
mod tests {
    use super::{ROWS, Serves, Stack, name};

    #[test]
    fn the_name_says_what_a_target_serves() {
        for row in ROWS {
            let is_pubsub = row.serves != Serves::Nothing;
            assert_eq!(row.name.starts_with("pubsub-"), is_pubsub, "{}", row.name);
        }
        assert_eq!(name(&Serves::Partial), "partial");
        assert_eq!(name(&Stack::WsNoise), "ws-noise");
    }

    #[test]
    fn rows_go_over_the_stacks_that_make_sense() {
        let stack = |row: &str, asked| {
            let row = ROWS.iter().find(|known| known.name == row).expect("a row");
            row.stack(asked)
        };
        assert_eq!(stack("quic-garbage", None), Some(Stack::Quic));
        assert_eq!(stack("pubsub-ihave", None), Some(Stack::TcpNoiseYamux));
        assert_eq!(stack("pubsub-ihave", Some(Stack::Quic)), None);
    }
}
