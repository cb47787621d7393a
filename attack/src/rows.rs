//! The rows: what is attacked, what the goal is (docs/reliability.md), and what is asserted.

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

/// What honest peers and attackers connect over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    Tcp,
    Quic,
}

impl Over {
    /// Where the target listens.
    pub(crate) fn addr(self) -> &'static str {
        match self {
            Self::Tcp => "/ip4/127.0.0.1/tcp/0",
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
        }
    }
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
    /// What it goes over.
    pub(crate) over: Over,
}

const fn row(name: &'static str, cut: Cut, goal: &'static str) -> Row {
    Row {
        name,
        goal,
        cut,
        over: Over::Tcp,
    }
}

const fn quic(name: &'static str, goal: &'static str) -> Row {
    Row {
        over: Over::Quic,
        ..row(name, Cut::Free, goal)
    }
}

/// All of them, in the order of the layers.
pub(crate) const ROWS: &[Row] = &[
    row("silent-one-address", Cut::All, "≤ 12 (≤ 3), visit ≤ 10"),
    row("silent-fifty-addresses", Cut::All, "≤ 12 (≤ 3), visit ≤ 10"),
    row("slow", Cut::All, "≤ 3"),
    row("stuck-in-noise", Cut::All, "≤ 20 (≤ 3), visit ≤ 12"),
    row("stuck-after-security", Cut::All, "≤ 16 (≤ 3), visit ≤ 12"),
    row("idle-peers", Cut::Free, "≤ 30 (≤ 5), ping ≤ 3"),
    row("peers-of-one", Cut::AllBut(8), "≤ 1.5, all but 8 cut ≤ 40 ms"),
    row("connect-and-close", Cut::Free, "≤ 4, ≤ 15 % of a core"),
    row("garbage-multistream", Cut::All, "≤ 0.3, cut at the byte"),
    row("garbage-noise", Cut::All, "≤ 0.3, cut at the length"),
    row("garbage-yamux", Cut::All, "≤ 0.3, cut at the header"),
    row("endless-negotiation", Cut::All, "cut after 64 messages"),
    row(
        "endless-negotiation-streams",
        Cut::All,
        "cut after 64 messages, < 1 s",
    ),
    row("flood-syn", Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-reset", Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-ping", Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-empty", Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("flood-unknown", Cut::All, "≤ 0.5, ping ≤ 4, cut < 1 s"),
    row("overrun", Cut::All, "cut ≤ 2 ms"),
    row("overflow", Cut::All, "cut ≤ 2 ms"),
    row("giant-length", Cut::All, "cut ≤ 2 ms"),
    row("unread-one-peer", Cut::Free, "≤ 20 (≤ 2), ping ≤ 10"),
    row("unread-twenty-peers", Cut::Free, "≤ 25 (≤ 3), ping ≤ 10"),
    row(
        "ping-streams",
        Cut::AllBut(2),
        "≤ 0.1, 2 kept, the rest reset at once",
    ),
    row("bad-noise", Cut::All, "all refused, ≤ 0.25 ms of CPU each"),
    row("identify-wrong-key", Cut::All, "≤ 1, cut"),
    row("identify-huge", Cut::Free, "≤ 1, ≤ 15 % of a core"),
    row("identify-push-blind", Cut::Free, "≤ 1, ≤ 15 % of a core"),
    row("identify-push-flood", Cut::Free, "≤ 1, ≤ 15 % of a core"),
    quic("quic-garbage", "≤ 0.2, ≤ 2.5 µs a datagram"),
    quic("quic-versions", "≤ 0.2, ≤ 2.5 µs a datagram"),
    quic("quic-initial-flood", "≤ 12 (≤ 2), ≤ 1 % lost"),
    quic("quic-half-open", "≤ 7 (≤ 2), amplification ≤ 3"),
];
